"""What a doctor earns is a setting: a rate that cannot be is refused when a process starts."""

import pytest
from pydantic import ValidationError

from services.billing.app import rules_of
from shared.messages.fields import Modality
from shared.settings import Settings


@pytest.mark.parametrize(
    "rates", ['{"mwk": {"text": 1}}', '{"MWK": {"chat": 1}}', '{"MWK": {"text": -1}}', '{"MWK": {"text": 1.5}}', '{"MWK": 5}']
)
def test_a_rate_that_cannot_be_is_refused(rates: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAREMESH_RATES", rates)
    with pytest.raises(ValidationError):
        Settings()


def test_rates_are_what_the_setting_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAREMESH_RATES", '{"EUR": {"text": 300}}')
    rules = rules_of(Settings())
    assert rules.rate("EUR", Modality.TEXT) == 300
    assert rules.rate("EUR", Modality.VOICE) is None
    assert rules.rate("MWK", Modality.TEXT) is None
