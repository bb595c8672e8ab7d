"""What a record tells, in the words and colours of `tail` and `trace`."""

from collections.abc import Mapping
from datetime import UTC
from typing import Any, Final

from shared.cli.seen import Kind, Seen
from shared.cli.wording import printable, shown
from shared.messages.fields import parse_time

_SWEPT: Final = "/caremesh/"
#: What a line says elsewhere, or what nobody needs to see it happen.
_NOISE: Final = frozenset(
    {"type", "id", "time", "version", "decision", "user_timezone", "created_at", "updated_at", "params", "deliveries"}
)
#: What people look for comes first.
_FIRST: Final = ("status", "template", "recipient_id", "actor", "starts_at")


def colour(seen: Seen) -> str:
    """Cyan is asked for, green happened, yellow was refused, magenta is the mesh's own doing, red could not be decided."""
    match seen.kind:
        case Kind.DEAD_LETTER:
            return "bold red"
        case Kind.COMMAND:
            return "magenta" if seen.attributes.get("source", "").startswith(_SWEPT) else "cyan"
        case Kind.EVENT if seen.action == "rejected":
            return "yellow"
        case Kind.EVENT if str(seen.decided_command.get("source", "")).startswith(_SWEPT):
            return "magenta"
        case Kind.EVENT:
            return "green"
        case Kind.STATE:
            return "blue"


def title(seen: Seen) -> str:
    """What is to happen, or has happened, and to what: ``appointment booked``."""
    if seen.kind is Kind.DEAD_LETTER:
        return "dead letter"
    if not seen.type:
        return "state" if seen.kind is Kind.STATE else "unreadable"
    words = f"{seen.action} {seen.entity}" if seen.kind is Kind.COMMAND else f"{seen.entity} {seen.action}"
    return printable(words.replace("_", " ").strip())


def details(seen: Seen) -> str:
    """What else it says, in one line."""
    if seen.kind is Kind.DEAD_LETTER:
        reason = seen.headers.get("__connect.errors.exception.class.name", "no reason given")
        return printable(f"{reason}: {seen.headers.get('__connect.errors.exception.message', '')}")
    data = seen.data
    if not data:
        size = len(seen.record.value or b"")
        return "no value" if seen.record.value is None else f"{size} bytes that are not a message"
    if seen.action == "rejected":
        return printable(f"{data.get('status_code')} {data.get('reason')}: {data.get('message')}")
    known = {f"{seen.entity}_id"} | _NOISE
    told = {name: value for name, value in data.items() if name not in known and value not in (None, [])}
    first = {name: told[name] for name in _FIRST if name in told}
    # Anybody may have named the fields, too.
    return printable("  ".join(_worded(name, value) for name, value in (first | told).items()))


def _worded(name: str, value: object) -> str:
    match value:
        case {"role": str() as role, "id": str() as identifier} if name == "actor":
            return printable(f"by {role} {identifier}")
        case {"entity": str() as entity, "entity_id": str() as identifier} if name == "about":
            return printable(f"about {entity} {identifier}")
        case str() if name in {"status", "template", "modality"}:
            return printable(value)
        case str() if name.endswith("_id"):
            return printable(f"{'to' if name == 'recipient_id' else name.removesuffix('_id')} {value}")
        case str() if name.endswith("_at"):
            return f"{name.removesuffix('_at')} {_moment(value)}"
        case _:
            return f"{name}={shown(value)}"


def _moment(text: str) -> str:
    """A time without the seconds that are not there."""
    try:
        moment = parse_time(text)
    except ValueError:
        return printable(text)
    spec = "minutes" if moment.second == moment.microsecond == 0 else "seconds" if moment.microsecond == 0 else "milliseconds"
    return moment.astimezone(UTC).isoformat(sep=" ", timespec=spec).replace("+00:00", "Z")


def as_json(seen: Seen) -> dict[str, Any]:
    """The record for programs; a value that is no JSON object is text."""
    record = seen.record
    value: Mapping[str, Any] | str | None = seen.value
    if value is None and record.value is not None:
        value = record.value.decode(errors="replace")
    return {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "timestamp": seen.at,
        "key": seen.key if record.key is not None else None,
        "headers": dict(seen.headers),
        "value": value,
    }
