"""One example of each message, as it lies in its topic. Together they tell a story."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from shared.codec.encode import encode_state, event_id, source_of
from shared.contracts.examples import billing, booking, calls, notify
from shared.contracts.schemas import MESSAGES, causes_of, key_of, topic_of
from shared.messages.fields import Command, EventData, StateData, parse_time, service_of, type_of
from shared.messages.registry import COMMANDS, EVENTS

#: The data of each command; of each event and state the fields of its value with its ``time`` and ``version``, without its identity and decision.
DATA: Final[Mapping[str, Mapping[str, Any]]] = {**booking.EXAMPLES, **calls.EXAMPLES, **billing.EXAMPLES, **notify.EXAMPLES}

_PUBLISHER: Final = "/platform/web"
_CONVERSATION: Final = {
    "ce_correlationid": "visit-8c1f",
    "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
}
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
    model = MESSAGES[type_]
    if issubclass(model, Command):
        return _command(model)
    return _event(model) if issubclass(model, EventData) else _state(model)


def _command(command: type[Command]) -> Example:
    data = DATA[command.type]
    key = data[command.key_field]
    headers = _headers(command.type, _command_id(command.type), _source(command), "2030-01-07T11:59:59.500000Z", key)
    if isinstance(data.get(command.id_field), str):
        headers["ce_subject"] = data[command.id_field]
    return Example(topic=topic_of(command), key=key, headers=headers | _CONVERSATION, value=data)


def _event(event: type[EventData]) -> Example:
    type_, service = type_of(event), service_of(type_of(event))
    body = dict(DATA[type_])
    time, version = body.pop("time"), body.pop("version")
    cause = _cause_of(event)
    reference = {"source": _source(cause), "id": _command_id(type_of(cause)), "type": type_of(cause)}
    index = 0 if issubclass(cause, Command) and event in {*cause.outcomes, cause.rejection} else 1
    identifier = event_id(service, reference["source"], reference["id"], index)
    decision = {
        "decided_at": time.removesuffix("Z").partition(".")[0] + ".062113Z",
        "index": index,
        "command": reference,
        "topic": f"telemed.{topic_of(cause)}",
        "partition": 3,
        "offset": 1042,
    }
    key = body[key_of(event)]
    headers = _headers(type_, identifier, source_of(service), time, key) | _CONVERSATION | {"ce_causationid": reference["id"]}
    subject = body.get(cause.id_field if issubclass(cause, Command) else "session_id")
    if subject is not None:
        headers["ce_subject"] = subject
    value = {"type": type_, "id": identifier, "time": time, **body, "version": version, "decision": decision}
    return Example(topic=topic_of(event), key=key, headers=headers, value=value)


def _cause_of(event: type[EventData]) -> type[Command | EventData]:
    type_ = type_of(event)
    if type_ in _CAUSED_BY_EVENT:
        return EVENTS[_CAUSED_BY_EVENT[type_]]
    return COMMANDS[DATA[type_]["command"]] if "command" in DATA[type_] else causes_of(event)[0]


def _state(state: type[StateData]) -> Example:
    body = dict(DATA[type_of(state)])
    entity_id = body.pop("ce_subject", None) or body[key_of(state)]
    message = encode_state(
        topic=topic_of(state),
        type_=type_of(state),
        service=service_of(type_of(state)),
        entity_id=entity_id,
        partition_key=body["doctor_id"] if "doctor_id" in body else body["patient_id"],
        version=body.pop("version"),
        time=parse_time(body.pop("time")),
        body=body,
    )
    headers = {name: value.decode() for name, value in message.headers}
    return Example(topic=message.topic, key=(message.key or b"").decode(), headers=headers, value=orjson.loads(message.value or b""))


def _source(cause: type[Command | EventData]) -> str:
    if type_of(cause) == "notify.notification.send.v1":
        return source_of("booking")
    return source_of(service_of(type_of(cause))) if not issubclass(cause, Command) or cause.from_sweep else _PUBLISHER


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
    }
