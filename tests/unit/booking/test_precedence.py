"""The order of refusals: of two that hold at once, the one that stands first in the enumeration is given."""

from dataclasses import dataclass
from itertools import pairwise

import pytest

from services.booking.domain import decide
from services.booking.domain.appointment import Rules
from services.booking.domain.decision import Known, Moment
from shared.messages.booking import AppointmentReason, AppointmentStatus, BookingCommand
from shared.messages.refusal import StatusCode
from tests.examples import (
    MILLISECOND,
    NOW,
    RULES,
    doctor,
    example_appointment,
    example_booking,
    example_cancel,
    example_completion,
    example_confirm,
    example_expire,
    example_import,
    example_moment,
    example_no_show,
    example_proposal,
    example_warning,
    hours,
    patient,
    the_refusal,
)

R = AppointmentReason
NOTHING = Known()
AT_NOON = example_moment()
ORDER = list(AppointmentReason)
OTHERS = example_appointment(appointment_id="of-another", patient_id="another")
OWN = example_appointment(appointment_id="own", doctor_id="another")
PENDING_LONG_AGO = example_appointment(created_at=NOW - hours(48))
CONFIRMED = example_appointment(status=AppointmentStatus.CONFIRMED)
CLOSED = example_appointment(status=AppointmentStatus.CANCELLED)


@dataclass(frozen=True, kw_only=True)
class Case:
    """Circumstances in which several refusals hold at once."""

    holding: tuple[AppointmentReason, ...]
    command: BookingCommand
    known: Known = NOTHING
    moment: Moment = AT_NOON
    rules: Rules = RULES


CASES = [
    Case(
        # Only a limit of less than nothing makes both true; the rules are asked in this order all the same.
        holding=(R.STARTS_IN_THE_PAST, R.TOO_FAR_AHEAD),
        command=example_booking(starts_at=NOW - hours(1)),
        rules=Rules(max_ahead=hours(-2)),
    ),
    Case(
        holding=(R.STARTS_IN_THE_PAST, R.NOT_A_PARTY),
        command=example_booking(starts_at=NOW - hours(1), actor=doctor()),
    ),
    Case(
        holding=(R.TOO_FAR_AHEAD, R.NOT_A_PARTY, R.APPOINTMENT_EXISTS),
        command=example_booking(starts_at=NOW + hours(24 * 366), actor=doctor()),
        known=Known(CONFIRMED),
    ),
    Case(
        holding=(R.APPOINTMENT_NOT_FOUND, R.NOT_A_PARTY, R.WRONG_STATUS),
        command=example_confirm(doctor_id="another", actor=patient("another")),
        known=Known(CONFIRMED),
    ),
    Case(holding=(R.NOT_A_PARTY, R.APPOINTMENT_EXISTS), command=example_booking(actor=patient("another")), known=Known(CONFIRMED)),
    Case(holding=(R.NOT_A_PARTY, R.WRONG_STATUS), command=example_confirm(actor=patient()), known=Known(CONFIRMED)),
    Case(
        holding=(R.NOT_A_PARTY, R.EXPIRED),
        command=example_cancel(actor=patient("another")),
        known=Known(PENDING_LONG_AGO),
    ),
    Case(
        # The new time is looked at before the appointment is.
        holding=(R.STARTS_IN_THE_PAST, R.APPOINTMENT_NOT_FOUND),
        command=example_proposal(starts_at=NOW - hours(1)),
    ),
    Case(
        holding=(R.TOO_FAR_AHEAD, R.APPOINTMENT_NOT_FOUND),
        command=example_proposal(starts_at=NOW + hours(24 * 366)),
    ),
    Case(
        holding=(R.NOT_A_PARTY, R.WRONG_STATUS, R.SLOT_ALREADY_BOOKED),
        command=example_proposal(actor=patient(), starts_at=OTHERS.starts_at),
        known=Known(CLOSED, of_doctor=[OTHERS]),
    ),
    Case(
        holding=(R.WRONG_STATUS, R.SLOT_ALREADY_BOOKED),
        command=example_proposal(starts_at=OTHERS.starts_at),
        known=Known(CLOSED, of_doctor=[OTHERS]),
    ),
    Case(
        holding=(R.EXPIRED, R.SLOT_ALREADY_BOOKED, R.PATIENT_ALREADY_BOOKED),
        command=example_proposal(starts_at=OTHERS.starts_at),
        known=Known(PENDING_LONG_AGO, of_doctor=[OTHERS], of_patient=[OWN]),
    ),
    Case(
        holding=(R.SLOT_ALREADY_BOOKED, R.PATIENT_ALREADY_BOOKED),
        command=example_proposal(starts_at=OTHERS.starts_at),
        known=Known(CONFIRMED, of_doctor=[CONFIRMED, OTHERS], of_patient=[CONFIRMED, OWN]),
    ),
    Case(
        holding=(R.NOT_A_PARTY, R.APPOINTMENT_EXISTS, R.SLOT_ALREADY_BOOKED),
        command=example_import(actor=doctor()),
        known=Known(CONFIRMED, of_doctor=[OTHERS]),
    ),
    Case(
        holding=(R.APPOINTMENT_EXISTS, R.SLOT_ALREADY_BOOKED, R.PATIENT_ALREADY_BOOKED),
        command=example_import(),
        known=Known(CONFIRMED, of_doctor=[OTHERS], of_patient=[OWN]),
    ),
    Case(
        holding=(R.WRONG_STATUS, R.NOT_DUE),
        command=example_completion(),
        known=Known(CLOSED),
    ),
    Case(
        holding=(R.NOT_A_PARTY, R.NOT_DUE),
        command=example_no_show(actor=patient()),
        known=Known(CONFIRMED),
    ),
    Case(
        holding=(R.APPOINTMENT_EXISTS, R.TOO_MANY_PENDING, R.SLOT_ALREADY_BOOKED, R.PATIENT_ALREADY_BOOKED),
        command=example_booking(),
        known=Known(CONFIRMED, of_doctor=[OTHERS], of_patient=[OWN], pending_of_patient=9),
    ),
    Case(
        holding=(R.TOO_MANY_PENDING, R.SLOT_ALREADY_BOOKED, R.PATIENT_ALREADY_BOOKED),
        command=example_booking(),
        known=Known(of_doctor=[OTHERS], of_patient=[OWN], pending_of_patient=5),
    ),
    Case(
        holding=(R.SLOT_ALREADY_BOOKED, R.PATIENT_ALREADY_BOOKED),
        command=example_booking(),
        known=Known(of_doctor=[OTHERS], of_patient=[OWN]),
    ),
    Case(
        holding=(R.WRONG_STATUS, R.ALREADY_WARNED, R.EXPIRED),
        command=example_warning(),
        known=Known(
            example_appointment(
                status=AppointmentStatus.CANCELLED, created_at=NOW - hours(48), expires_at=NOW - hours(24), warned_at=NOW - hours(25)
            )
        ),
    ),
    Case(
        holding=(R.WRONG_STATUS, R.NOT_DUE),
        command=example_expire(),
        known=Known(CONFIRMED),
    ),
    Case(
        holding=(R.ALREADY_WARNED, R.EXPIRED),
        command=example_warning(),
        known=Known(example_appointment(expires_at=NOW - MILLISECOND, warned_at=NOW - hours(1))),
    ),
    Case(
        holding=(R.ALREADY_WARNED, R.NOT_DUE),
        command=example_warning(),
        known=Known(example_appointment(expires_at=NOW + hours(9), warned_at=NOW - hours(1))),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: " before ".join(case.holding))
def test_the_first_in_order_is_given(case: Case) -> None:
    assert sorted(case.holding, key=ORDER.index) == list(case.holding)
    assert the_refusal(decide(case.known, case.command, case.moment, case.rules)).reason is case.holding[0]


def test_every_adjacent_pair_that_can_hold_at_once_is_among_the_cases() -> None:
    never_together = {
        (R.APPOINTMENT_EXISTS, R.WRONG_STATUS),
        (R.NOT_DUE, R.TOO_MANY_PENDING),
        # What has expired was due.
        (R.EXPIRED, R.NOT_DUE),
    }
    covered = {(first, second) for case in CASES for i, first in enumerate(case.holding) for second in case.holding[i + 1 :]}
    assert set(pairwise(AppointmentReason)) - covered == never_together


def test_the_order_is_that_of_the_rules_of_the_domain() -> None:
    kinds = {
        StatusCode.UNPROCESSABLE: 0,
        StatusCode.NOT_FOUND: 1,
        StatusCode.FORBIDDEN: 2,
        StatusCode.CONFLICT: 3,
    }
    ranks = [kinds[reason.status_code] for reason in AppointmentReason]
    assert ranks == sorted(ranks)
