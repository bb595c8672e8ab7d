"""What billing's messages accept, and the ids that they derive."""

import pytest
from pydantic import ValidationError

from shared.messages.billing import BILLING_COMMANDS, balance_id_of, deduction_id_of
from shared.messages.fields import IDENTIFIER_PATTERN, Modality
from tests.examples import system
from tests.examples_of_billing import example_activation


@pytest.mark.parametrize(
    "units",
    [{}, {"text": 0, "voice": 0, "video": 0}, {"text": -1}, {"text": 1_000_001}, {"text": 1.5}, {"text": "1"}, {"chat": 1}, [1], None],
)
def test_units_are_whole_some_and_bounded(units: object) -> None:
    command = BILLING_COMMANDS["billing.subscription.activate.v1"]
    body = {"patient_id": "p", "units": units, "currency": "MWK", "ends_at": "2030-01-31T00:00:00Z", "actor": system().model_dump()}
    with pytest.raises(ValidationError):
        command.model_validate(body)


@pytest.mark.parametrize("currency", ["mwk", "MW", "MWKX", "", "M K"])
def test_a_currency_is_a_code_of_iso_4217(currency: str) -> None:
    with pytest.raises(ValidationError):
        example_activation(currency=currency)


@pytest.mark.parametrize("unit", [0, -1, 1_000_001, "1", 1.0])
def test_units_of_a_session_are_counted_from_1(unit: object) -> None:
    body = {"session_id": "s", "unit": unit, "doctor_id": "d", "patient_id": "p", "modality": Modality.TEXT}
    with pytest.raises(ValidationError):
        BILLING_COMMANDS["billing.session_unit.deduct.v1"].model_validate(body)


def test_a_deduction_is_named_by_its_session_and_unit() -> None:
    assert deduction_id_of("session-1", 2) == "session-1:2"
    assert deduction_id_of("s:1", 2) != deduction_id_of("s", 12)
    assert balance_id_of("patient-1", Modality.TEXT) == "patient-1:text"


def test_a_very_long_id_is_named_by_its_hash() -> None:
    import re

    one, other = deduction_id_of("s" * 128, 1), deduction_id_of("s" * 127 + "t", 1)
    assert one != other
    assert re.fullmatch(IDENTIFIER_PATTERN, one)
    assert one.endswith(":1")
