"""A refusal as an event: ``<entity>.rejected.v1``."""

from collections.abc import Mapping
from datetime import datetime

from shared.codec.decode import Malformed
from shared.messages.events import Event
from shared.messages.fields import Command
from shared.messages.refusal import Refusal


def rejected(service: str, command: Command | Malformed, refusal: Refusal, *, entity_id: str | None, time: datetime, version: int) -> Event:
    """The outcome of a refused command.

    Args:
        service: the deciding service.
        command: what was refused.
        refusal: why.
        entity_id: what it was about, derived ids included.
        time: the business time.
        version: the entity's current one; 0 if it does not exist.
    """
    if isinstance(command, Malformed):
        command_type, key, ids = command.command_type, command.key, dict(command.ids)
    else:
        command_type, key, ids = type(command), command.partition_key, _ids_of(command)
    if entity_id is not None:
        ids[command_type.id_field] = entity_id
    body: dict[str, object] = {
        "command": command_type.type,
        "status_code": refusal.status_code.value,
        "reason": refusal.reason,
        "message": refusal.message,
    }
    if refusal.conflict is not None:
        body["conflict"] = refusal.conflict
    return Event(
        type=f"{service}.{command_type.entity}.rejected.v1",
        key=key,
        subject=entity_id,
        time=time,
        version=version,
        body=body | ids,
    )


def _ids_of(command: Command) -> dict[str, str]:
    ids: Mapping[str, object] = {name: getattr(command, name) for name in type(command).model_fields if name.endswith("_id")}
    return {name: value for name, value in ids.items() if isinstance(value, str)}
