"""The settings that billing decides by."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from shared.messages.fields import Modality


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The settings that decisions depend on.

    Attributes:
        billing_period: a unit falls due after each.
        call_minimum_billed: a shorter call is not charged for the period begun.
        balance_low_units: a patient is told when so few are left, or fewer.
        rates: currency → modality → what a doctor earns for a unit, in minor units.
    """

    billing_period: timedelta = timedelta(minutes=10)
    call_minimum_billed: timedelta = timedelta(minutes=1)
    balance_low_units: int = 2
    rates: Mapping[str, Mapping[Modality, int]] = field(default_factory=dict)

    def rate(self, currency: str, modality: Modality) -> int | None:
        """What a doctor earns for a unit, in minor units; ``None`` if no rate is set."""
        return self.rates.get(currency, {}).get(modality)
