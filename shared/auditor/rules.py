"""The settings that say what is right: what the auditor judges by them is right as long as nobody has changed them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from shared.settings import Settings

_MICROSECONDS: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Settings of the mesh, as the contract names them."""

    text_sessions_per_doctor: int = 1
    billing_period_us: int = 600 * _MICROSECONDS
    call_minimum_billed_us: int = 60 * _MICROSECONDS
    rates: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Currency → modality → what a doctor earns for a unit, in minor units; a currency that is missing is not judged."""

    @classmethod
    def of(cls, settings: Settings) -> "Rules":
        """The rules of a mesh with these settings."""
        return cls(
            text_sessions_per_doctor=settings.text_sessions_per_doctor,
            billing_period_us=round(settings.billing_period_seconds * _MICROSECONDS),
            call_minimum_billed_us=round(settings.call_minimum_billed_seconds * _MICROSECONDS),
            rates={currency: {str(modality): amount for modality, amount in rates.items()} for currency, rates in settings.rates.items()},
        )
