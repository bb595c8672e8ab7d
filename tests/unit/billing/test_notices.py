"""Who is told what about units and what they cost."""

from typing import Any

import pytest

from services.billing.notices import notices_of
from shared.messages.billing import BILLING_EVENTS, Money
from shared.messages.fields import EventData
from shared.messages.notify import PARAMETERS, Template

COMMON: dict[str, Any] = {
    "id": "event-1",
    "time": "2030-01-07T12:00:00Z",
    "version": 1,
    "decision": {
        "decided_at": "2030-01-07T12:00:00Z",
        "index": 0,
        "command": {"source": "/tests", "id": "command-1", "type": "billing.session_unit.deduct.v1"},
        "topic": "test.billing.commands.v1",
        "partition": 0,
        "offset": 0,
    },
    "patient_id": "patient-1",
    "doctor_id": "doctor-1",
    "session_id": "session-1",
    "modality": "voice",
}
UNITS = {"text": 1, "voice": 2, "video": 3}
SUBSCRIPTION = {
    "subscription_id": "sub-1",
    "units": UNITS,
    "units_remaining": UNITS,
    "currency": "MWK",
    "starts_at": "2030-01-07T12:00:00Z",
    "ends_at": "2030-02-07T12:00:00Z",
    "status": "active",
    "created_at": "2030-01-07T12:00:00Z",
    "cancelled_by": None,
    "cancellation_reason": None,
    "balance": None,
}
SETTLED = {"units_deducted": 2, "units_refused": 1, "earning": {"amount_minor": 800, "currency": "USD"}, "further_earnings": []}


def event(type_: str, body: dict[str, Any]) -> EventData:
    return BILLING_EVENTS[type_].model_validate({**COMMON, **body, "type": type_}, strict=False)


@pytest.mark.parametrize(
    "happened, told",
    [
        pytest.param(
            event("billing.subscription.activated.v1", SUBSCRIPTION), [("patient-1", Template.SUBSCRIPTION_ACTIVATED)], id="activated"
        ),
        pytest.param(event("billing.subscription.expired.v1", SUBSCRIPTION), [("patient-1", Template.SUBSCRIPTION_EXPIRED)], id="expired"),
        pytest.param(event("billing.subscription.imported.v1", SUBSCRIPTION), [], id="imported: nobody"),
        pytest.param(event("billing.subscription.cancelled.v1", SUBSCRIPTION), [], id="cancelled: nobody"),
        pytest.param(
            event("billing.session.settled.v1", SETTLED),
            [("patient-1", Template.SESSION_SETTLED), ("doctor-1", Template.SESSION_SETTLED)],
            id="settled: both",
        ),
        pytest.param(
            event("billing.balance.low.v1", {"remaining": 2, "threshold": 2}), [("patient-1", Template.BALANCE_LOW)], id="few are left"
        ),
        pytest.param(event("billing.balance.exhausted.v1", {}), [("patient-1", Template.BALANCE_EXHAUSTED)], id="none is left"),
    ],
)
def test_who_is_told_what(happened: EventData, told: list[tuple[str, Template]]) -> None:
    notices = notices_of(happened)
    assert [(notice.recipient_id, notice.template) for notice in notices] == told
    for notice in notices:
        assert notice.params.keys() <= PARAMETERS[notice.template]


def test_a_bill_says_what_it_comes_to() -> None:
    [patient, doctor] = notices_of(event("billing.session.settled.v1", SETTLED))
    assert patient.params == doctor.params
    assert patient.params["earning"] == Money(amount_minor=800, currency="USD")
    assert (patient.params["units_deducted"], patient.params["units_refused"]) == (2, 1)
    assert (patient.about.entity, patient.about.entity_id) == ("call", "session-1")


def test_a_text_session_is_named_as_one() -> None:
    [notice] = notices_of(event("billing.balance.exhausted.v1", {"modality": "text"}))
    assert notice.about.entity == "text_session"
    assert notice.params["remaining"] == 0
