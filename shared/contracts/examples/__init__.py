"""One example of each message, as it lies in its topic. Together they tell a story."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

from shared.codec.encode import event_id, source_of
from shared.contracts.examples import billing, booking, calls, notify
from shared.messages.fields import Command, EventData, type_of
from shared.messages.registry import COMMANDS, EVENTS, service_of

#: The data of each command; of each event the fields of its value with its ``time`` and ``version``, without its identity and decision.
DATA: Final[Mapping[str, Mapping[str, Any]]] = {**booking.EXAMPLES, **calls.EXAMPLES, **billing.EXAMPLES, **notify.EXAMPLES}

_PUBLISHER: Final = "/platform/web"
_CORRELATION_ID: Final = "visit-8c1f"
_TRACEPARENT: Final = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
#: What a decision about another service's event publishes; all others come of a command.
_CAUSED_BY_EVENT: Final = {"billing.session.settled.v1": "calls.call.ended.v1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A record.

    Attributes:
        topic: without the prefix.
    """

    topic: str
    key: str
    headers: Mapping[str, str]
    value: Mapping[str, Any]

    @property
    def structured(self) -> Mapping[str, Any]:
        """A command in structured mode: one value, no headers."""
        attributes = ("specversion", "id", "source", "type", "time", "correlationid")
        return {name: self.headers[f"ce_{name}"] for name in attributes} | {"data": self.value}


def example_of(type_: str) -> Example:
    """The example of a message.

    Raises:
        LookupError: nobody has written one.
    """
    if type_ not in DATA:
        message = f"{type_} has no example: write one into EXAMPLES of shared/contracts/examples/{service_of(type_)}.py."
        raise LookupError(message)
    return _command(COMMANDS[type_]) if type_ in COMMANDS else _event(type_)


def _command(command: type[Command]) -> Example:
    data = DATA[command.type]
    key = data[command.key_field]
    headers = _headers(command.type, _command_id(command.type), _source(command), "2030-01-07T11:59:59.500000Z", key)
    if isinstance(data.get(command.id_field), str):
        headers["ce_subject"] = data[command.id_field]
    headers["traceparent"] = _TRACEPARENT
    return Example(topic=f"{service_of(command.type)}.commands.v1", key=key, headers=headers, value=data)


def _event(type_: str) -> Example:
    service = service_of(type_)
    body = dict(DATA[type_])
    time, version = body.pop("time"), body.pop("version")
    cause = cause_of(EVENTS[type_])
    reference = {"source": _source(cause), "id": _command_id(type_of(cause)), "type": type_of(cause)}
    index = 0 if issubclass(cause, Command) and EVENTS[type_] in {*cause.outcomes, cause.rejection} else 1
    identifier = event_id(service, reference["source"], reference["id"], index)
    decision = {
        "decided_at": time.removesuffix("Z").partition(".")[0] + ".062113Z",
        "index": index,
        "command": reference,
        "topic": f"telemed.{service_of(type_of(cause))}.{'commands' if issubclass(cause, Command) else 'events'}.v1",
        "partition": 3,
        "offset": 1042,
    }
    value = {"type": type_, "id": identifier, "time": time, **body, "version": version, "decision": decision}
    key = body[key_field_of(EVENTS[type_])]
    headers = _headers(type_, identifier, source_of(service), time, key)
    headers["ce_causationid"] = reference["id"]
    subject = body.get(cause.id_field) if issubclass(cause, Command) else body["session_id"]
    if subject is not None:
        headers["ce_subject"] = subject
    headers["traceparent"] = _TRACEPARENT
    return Example(topic=f"{service}.events.v1", key=key, headers=headers, value=value)


def cause_of(event: type[EventData]) -> type[Command | EventData]:
    """A command that comes to this event, or to it among others; or the event that it follows from."""
    if type_of(event) in _CAUSED_BY_EVENT:
        return EVENTS[_CAUSED_BY_EVENT[type_of(event)]]
    refused = DATA.get(type_of(event), {}).get("command")
    if refused is not None:
        return COMMANDS[refused]
    certain = (command for command in COMMANDS.values() if event in command.outcomes)
    possible = (command for command in COMMANDS.values() if event in command.also_causes)
    return next(chain(certain, possible))


def key_field_of(event: type[EventData]) -> str:
    """The field whose value is the key of such an event's record."""
    cause = cause_of(event)
    return cause.key_field if issubclass(cause, Command) else "doctor_id"


def _source(cause: type[Command | EventData]) -> str:
    own = not issubclass(cause, Command) or cause.from_sweep or cause.type == "notify.notification.send.v1"
    if not own:
        return _PUBLISHER
    return source_of("booking" if type_of(cause) == "notify.notification.send.v1" else service_of(type_of(cause)))


def _command_id(type_: str) -> str:
    return type_.split(".", 1)[1].removesuffix(".v1").replace(".", "-").replace("_", "-") + "-1"


def _headers(type_: str, identifier: str, source: str, time: str, key: str) -> dict[str, str]:
    return {
        "content-type": "application/json",
        "ce_specversion": "1.0",
        "ce_id": identifier,
        "ce_source": source,
        "ce_type": type_,
        "ce_time": time,
        "ce_partitionkey": key,
        "ce_correlationid": _CORRELATION_ID,
    }
