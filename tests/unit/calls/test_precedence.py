"""The order of refusals: of two that hold at once, the one that stands first in the enumeration is given."""

from dataclasses import dataclass, replace

import pytest

from services.calls.domain import decide
from services.calls.domain.session import Known, Moment
from shared.messages.booking import AppointmentStatus
from shared.messages.calls import CallsCommand, CallStatus, SessionReason, TextSessionStatus
from shared.messages.fields import Modality
from shared.messages.refusal import StatusCode
from tests.calls_examples import (
    RULES,
    TEXT_SESSION,
    example_activity,
    example_call,
    example_calls_moment,
    example_connect,
    example_disconnect,
    example_end,
    example_known_appointment,
    example_start,
    example_text_session,
    example_text_start,
    example_text_time_out,
    example_time_out,
    the_refusal,
)
from tests.examples import APPOINTMENT, MILLISECOND, NOW, minutes, patient

R = SessionReason
ORDER = list(SessionReason)
AT_NOON = example_calls_moment()
AT_NOON_TEXT = example_calls_moment(session_id=TEXT_SESSION)
TALKING = [example_call(session_id="other", status=CallStatus.CONNECTED)]
WRITING = [example_text_session(session_id="other", status=TextSessionStatus.ACTIVE)]
NOT_CONFIRMED = example_known_appointment(
    status=AppointmentStatus.CANCELLED, modality=Modality.TEXT, starts_at=NOW + minutes(60), ends_at=NOW + minutes(90)
)
OF_ANOTHER_PATIENT = replace(NOT_CONFIRMED, patient_id="another")
FOR_IT = example_start(appointment_id=APPOINTMENT)


@dataclass(frozen=True, kw_only=True)
class Case:
    """Circumstances in which several refusals hold at once."""

    holding: tuple[SessionReason, ...]
    command: CallsCommand
    known: Known
    moment: Moment = AT_NOON


CASES = [
    Case(
        holding=(R.APPOINTMENT_NOT_FOUND, R.NOT_A_PARTY, R.ALREADY_STARTED, R.DOCTOR_BUSY, R.PATIENT_BUSY),
        command=example_start(appointment_id=APPOINTMENT, actor=patient("another")),
        known=Known(example_call(), TALKING, TALKING),
    ),
    Case(
        holding=(R.NOT_A_PARTY, R.ALREADY_STARTED, R.APPOINTMENT_NOT_CONFIRMED, R.WRONG_MODALITY, R.OUTSIDE_SESSION_WINDOW),
        command=FOR_IT,
        known=Known(example_call(), TALKING, TALKING, OF_ANOTHER_PATIENT),
    ),
    Case(
        holding=(R.ALREADY_STARTED, R.APPOINTMENT_NOT_CONFIRMED, R.DOCTOR_BUSY),
        command=FOR_IT,
        known=Known(example_call(), TALKING, TALKING, NOT_CONFIRMED),
    ),
    Case(
        holding=(R.CALL_EXISTS, R.APPOINTMENT_NOT_CONFIRMED),
        command=FOR_IT,
        known=Known(example_call(status=CallStatus.ENDED), appointment=NOT_CONFIRMED),
    ),
    Case(
        holding=(R.SESSION_EXISTS, R.PATIENT_BUSY),
        command=example_text_start(),
        known=Known(example_text_session(status=TextSessionStatus.ENDED), of_patient=TALKING),
        moment=AT_NOON_TEXT,
    ),
    Case(
        holding=(R.APPOINTMENT_NOT_CONFIRMED, R.WRONG_MODALITY, R.OUTSIDE_SESSION_WINDOW, R.DOCTOR_BUSY, R.PATIENT_BUSY),
        command=FOR_IT,
        known=Known(None, TALKING, TALKING, NOT_CONFIRMED),
    ),
    Case(
        holding=(R.WRONG_MODALITY, R.OUTSIDE_SESSION_WINDOW, R.DOCTOR_BUSY, R.PATIENT_BUSY),
        command=FOR_IT,
        known=Known(None, TALKING, TALKING, replace(NOT_CONFIRMED, status=AppointmentStatus.CONFIRMED)),
    ),
    Case(
        holding=(R.OUTSIDE_SESSION_WINDOW, R.DOCTOR_BUSY, R.PATIENT_BUSY),
        command=FOR_IT,
        known=Known(None, TALKING, TALKING, replace(NOT_CONFIRMED, status=AppointmentStatus.CONFIRMED, modality=Modality.VIDEO)),
    ),
    Case(holding=(R.DOCTOR_BUSY, R.PATIENT_BUSY), command=example_start(), known=Known(None, WRITING, WRITING)),
    Case(
        holding=(R.CALL_NOT_FOUND, R.NOT_A_PARTY, R.WRONG_STATUS),
        command=example_connect(doctor_id="another", actor=patient("another")),
        known=Known(example_call(status=CallStatus.ENDED)),
    ),
    Case(
        holding=(R.TEXT_SESSION_NOT_FOUND, R.NOT_A_PARTY, R.SESSION_NOT_ACTIVE),
        command=example_activity(doctor_id="another", actor=patient("another")),
        known=Known(example_text_session(status=TextSessionStatus.ENDED)),
        moment=AT_NOON_TEXT,
    ),
    Case(
        holding=(R.NOT_A_PARTY, R.TIMED_OUT, R.NOT_CONNECTED),
        command=example_end(actor=patient("another")),
        known=Known(example_call(deadline_at=NOW - MILLISECOND)),
    ),
    Case(
        holding=(R.NOT_A_PARTY, R.SESSION_NOT_ACTIVE, R.DOCTOR_BUSY),
        command=example_activity(actor=patient("another")),
        known=Known(example_text_session(deadline_at=NOW - MILLISECOND), TALKING),
        moment=AT_NOON_TEXT,
    ),
    Case(
        holding=(R.TIMED_OUT, R.NOT_CONNECTED),
        command=example_disconnect(),
        known=Known(example_call(deadline_at=NOW - MILLISECOND)),
    ),
    Case(
        holding=(R.TIMED_OUT, R.WRONG_STATUS),
        command=example_disconnect(),
        known=Known(example_call(status=CallStatus.RECONNECTING, deadline_at=NOW - MILLISECOND)),
    ),
    Case(
        holding=(R.WRONG_STATUS, R.NOT_DUE),
        command=example_time_out(),
        known=Known(example_call(status=CallStatus.CONNECTED)),
    ),
    Case(
        holding=(R.SESSION_NOT_ACTIVE, R.NOT_DUE),
        command=example_text_time_out(),
        known=Known(example_text_session(status=TextSessionStatus.ENDED)),
        moment=AT_NOON_TEXT,
    ),
    Case(
        holding=(R.SESSION_NOT_ACTIVE, R.DOCTOR_BUSY),
        command=example_activity(),
        known=Known(example_text_session(deadline_at=NOW - MILLISECOND), TALKING),
        moment=AT_NOON_TEXT,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: " before ".join(case.holding))
def test_the_first_in_order_is_given(case: Case) -> None:
    assert sorted(case.holding, key=ORDER.index) == list(case.holding)
    assert the_refusal(decide(case.known, case.command, case.moment, RULES)).reason is case.holding[0]


def test_every_reason_but_the_last_stands_first_somewhere() -> None:
    # A sweep that comes too early asks nothing else after that.
    assert set(SessionReason) - {case.holding[0] for case in CASES} == {R.NOT_CONNECTED, R.NOT_DUE, R.PATIENT_BUSY}


def test_the_order_is_that_of_the_rules_of_the_domain() -> None:
    kinds = {StatusCode.UNPROCESSABLE: 0, StatusCode.NOT_FOUND: 1, StatusCode.FORBIDDEN: 2, StatusCode.CONFLICT: 3}
    ranks = [kinds[reason.status_code] for reason in SessionReason]
    assert ranks == sorted(ranks)
