"""How what several statements read and write looks in a row."""

from collections.abc import Mapping
from typing import Final

import orjson
from asyncpg import Record
from pydantic import TypeAdapter

from services.notify.domain.notification import Preferences
from shared.messages.notify import About, Channel, DeliveryStatus, ParameterValue, QuietHours, SuppressionReason, UnsentReason

_PARAMS: Final[TypeAdapter[Mapping[str, ParameterValue]]] = TypeAdapter(Mapping[str, ParameterValue])


def params_of(column: str) -> Mapping[str, ParameterValue]:
    """The params, as they were requested."""
    return _PARAMS.validate_json(column)


def params_column(params: Mapping[str, ParameterValue]) -> str:
    """The params, for the column."""
    return orjson.dumps(_PARAMS.dump_python(params)).decode()


def about_of(row: Record) -> About:
    """What a notification is about."""
    return About(entity=row["about_entity"], entity_id=row["about_entity_id"], version=row["about_version"])


def reason_of(status: DeliveryStatus, column: str | None) -> SuppressionReason | UnsentReason | None:
    """Why a delivery is unsent or suppressed."""
    if column is None:
        return None
    return SuppressionReason(column) if status is DeliveryStatus.SUPPRESSED else UnsentReason(column)


def preferences_of(row: Record) -> Preferences:
    """A recipient's preferences."""
    quiet_hours = None
    if row["quiet_timezone"] is not None:
        # As they were checked when they came; time zones may since have been renamed.
        quiet_hours = QuietHours.model_construct(start=row["quiet_from"], end=row["quiet_until"], timezone=row["quiet_timezone"])
    return Preferences(
        recipient_id=row["recipient_id"],
        unwanted=frozenset(channel for channel in Channel if not row[channel]),
        quiet_hours=quiet_hours,
        updated_at=row["updated_at"],
        version=row["version"],
    )
