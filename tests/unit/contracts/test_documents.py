"""The published contract: valid, complete, as the models have it, and breaking nothing that was released."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from jsonschema import Draft7Validator, Draft202012Validator

from shared.codec.decode import Received, decode
from shared.codec.events import decode_event
from shared.codec.record import MAX_VALUE_BYTES, StoredRecord
from shared.contracts.__main__ import generated, main, release, released, write
from shared.contracts.compatibility import breaks
from shared.contracts.examples import DATA, example_of
from shared.contracts.schemas import MESSAGES, documents, name_of, topic_of
from shared.messages.fields import Command, EventData, StateData
from shared.messages.registry import COMMANDS, EVENTS, STATES
from shared.topics import TOPICS
from tests.architecture.sources import ROOT

FOLDER = ROOT / "docs" / "contracts"
DOCUMENTS = documents()
NOON = 1_893_456_000_000
MAKE = "is not as the models have it: run `make contracts` and look at what it changes"


@pytest.fixture(scope="module")
def asyncapi() -> dict[str, Any]:
    document: dict[str, Any] = orjson.loads((FOLDER / "asyncapi.json").read_bytes())
    return document


def as_record(type_: str, *, structured: bool = False) -> StoredRecord:
    example = example_of(type_)
    headers = () if structured else tuple((name, value.encode()) for name, value in example.headers.items())
    value = orjson.dumps(example.structured if structured else example.value)
    return StoredRecord(f"telemed.{example.topic}", 0, 0, NOON, example.key.encode(), value, headers)


# Drift


def test_the_committed_files_are_what_the_models_say() -> None:
    for name, text in generated().items():
        path = FOLDER / name
        assert path.is_file(), f"docs/contracts/{name} is missing: run `make contracts`"
        assert path.read_text(encoding="utf-8") == text, f"docs/contracts/{name} {MAKE}"
    strangers = {path.stem for path in (FOLDER / "schemas").iterdir()} - set(MESSAGES)
    assert not strangers, f"nothing has these types any more: {strangers}"


def test_it_is_written_anew_and_without_what_is_gone(tmp_path: Path) -> None:
    (tmp_path / "schemas").mkdir()
    (tmp_path / "schemas" / "booking.appointment.gone.v1.json").write_text("{}")
    (tmp_path / "by-hand.md").write_text("kept")
    write(tmp_path)
    written = {path.relative_to(tmp_path).as_posix(): path.read_text(encoding="utf-8") for path in tmp_path.rglob("*.*") if path.is_file()}
    assert written == generated() | {"by-hand.md": "kept"}


# The AsyncAPI document


def test_it_is_valid_by_the_official_schema(asyncapi: dict[str, Any]) -> None:
    official = orjson.loads((Path(__file__).parent / "asyncapi" / "3.0.0.json").read_bytes())
    problems = [f"{error.json_path}: {error.message[:300]}" for error in Draft7Validator(official).iter_errors(asyncapi)]
    assert not problems


def test_the_official_schema_would_notice(asyncapi: dict[str, Any]) -> None:
    official = Draft7Validator(orjson.loads((Path(__file__).parent / "asyncapi" / "3.0.0.json").read_bytes()))
    for change in (
        {"asyncapi": "2.6.0"},
        {"operations": {"x": {"action": "publish"}}},
        {"channels": {"x": {"bindings": {"kafka": {"partitions": 0}}}}},
    ):
        assert not official.is_valid(asyncapi | change), change


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"]
        for part in node.values():
            yield from references(part)
    elif isinstance(node, list):
        for part in node:
            yield from references(part)


def test_every_reference_leads_somewhere(asyncapi: dict[str, Any]) -> None:
    found = set(references(asyncapi))
    assert len(found) > 200
    for reference in found:
        place: Any = asyncapi
        for name in reference.removeprefix("#/").split("/"):
            place = place[name]
        assert place


def test_every_topic_and_every_message_is_in_it_where_it_lies(asyncapi: dict[str, Any]) -> None:
    channels = asyncapi["channels"]
    assert channels.keys() == {topic.name for topic in TOPICS}
    for topic in TOPICS:
        kafka = channels[topic.name]["bindings"]["kafka"]
        assert channels[topic.name]["address"] == f"telemed.{topic.name}"
        assert kafka["partitions"] == 8
        assert kafka["topicConfiguration"].get("retention.ms") == (
            None if topic.retention is None else topic.retention.total_seconds() * 1000
        )
    for model in MESSAGES.values():
        assert name_of(model) in channels[topic_of(model)]["messages"]
        assert name_of(model) in asyncapi["components"]["messages"]
    assert all(channel["messages"] for channel in channels.values())


def test_every_command_is_an_operation_with_its_outcomes_as_the_reply(asyncapi: dict[str, Any]) -> None:
    operations = {operation["title"]: operation for operation in asyncapi["operations"].values()}
    for type_, command in COMMANDS.items():
        replies = {reference["$ref"].rpartition("/")[2] for reference in operations[type_]["reply"]["messages"]}
        assert replies == {name_of(event) for event in (*command.outcomes, command.rejection)}


def test_every_example_in_it_is_valid_by_its_own_schemas(asyncapi: dict[str, Any]) -> None:
    schemas = {"components": {"schemas": asyncapi["components"]["schemas"]}}
    for message in asyncapi["components"]["messages"].values():
        for example in message.get("examples", ()):
            Draft202012Validator(schemas | message["payload"]).validate(example["payload"])
            if "headers" in message:
                Draft202012Validator(schemas | message["headers"]).validate(example["headers"])


# Schemas and examples


def test_there_is_one_example_of_each_message_and_of_nothing_else() -> None:
    assert DATA.keys() == MESSAGES.keys()


@pytest.mark.parametrize("type_", MESSAGES)
def test_a_schema_is_one_by_its_dialect_and_takes_its_example(type_: str) -> None:
    schema = DOCUMENTS[type_]
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(dict(example_of(type_).value))


@pytest.mark.parametrize("structured", [False, True], ids=["binary", "structured"])
@pytest.mark.parametrize("type_", COMMANDS)
def test_the_codec_reads_every_example_of_a_command(type_: str, structured: bool) -> None:  # noqa: FBT001 - a parameter of the test
    received = decode(as_record(type_, structured=structured), COMMANDS)
    assert isinstance(received, Received), received
    assert isinstance(received.content, Command), received.content
    assert received.type == type_


@pytest.mark.parametrize("type_", EVENTS)
def test_the_codec_reads_every_example_of_an_event(type_: str) -> None:
    received = decode_event(as_record(type_), EVENTS)
    assert isinstance(getattr(received, "content", getattr(received, "data", None)), EVENTS[type_]), received


@pytest.mark.parametrize("type_", STATES)
def test_the_model_reads_every_example_of_a_state(type_: str) -> None:
    assert isinstance(STATES[type_].model_validate_json(orjson.dumps(example_of(type_).value)), StateData)


@pytest.mark.parametrize("type_", COMMANDS)
def test_a_command_with_a_field_that_nobody_declared_breaks_its_schema(type_: str) -> None:
    assert not Draft202012Validator(DOCUMENTS[type_]).is_valid({**example_of(type_).value, "note": "x"})


@pytest.mark.parametrize("type_", [*EVENTS, *STATES])
def test_readers_are_not_told_to_refuse_what_an_event_may_gain(type_: str) -> None:
    def closed_objects(node: Any, path: str = "") -> list[str]:
        if isinstance(node, list):
            return [found for part in node for found in closed_objects(part, path)]
        if not isinstance(node, dict):
            return []
        own = [path] if node.get("additionalProperties") is False and "properties" in node else []
        return own + [found for name, part in node.items() for found in closed_objects(part, f"{path}/{name}")]

    assert closed_objects(DOCUMENTS[type_]) == []


def test_examples_are_no_larger_than_a_value_may_be() -> None:
    assert all(len(orjson.dumps(example_of(type_).value)) < MAX_VALUE_BYTES for type_ in MESSAGES)


def test_events_show_their_identity_first() -> None:
    for type_ in (*EVENTS, *STATES):
        assert list(example_of(type_).value)[:3] == ["type", "id", "time"]
        assert issubclass(MESSAGES[type_], EventData | StateData)


# Releases


def test_nothing_that_was_released_is_broken() -> None:
    before = released(FOLDER)
    assert before, "docs/contracts/released/v1 holds what was released"
    problems = breaks(before, DOCUMENTS)
    assert not problems, "\n".join(["Within v1 the contract only grows. This breaks who relies on it:", *problems])


def test_a_release_is_noted_down_unless_it_breaks_the_one_before(tmp_path: Path) -> None:
    assert release(tmp_path) == []
    assert released(tmp_path) == orjson.loads(orjson.dumps(documents()))
    path = tmp_path / "released" / "v1" / "booking.appointment.booked.v1.json"
    schema = orjson.loads(path.read_bytes())
    schema["properties"]["room"] = {"type": "string"}
    schema["required"].append("room")
    path.write_bytes(orjson.dumps(schema))
    problems = release(tmp_path)
    assert problems == [
        "booking.appointment.booked.v1.room may be missing on one side, and not on the other",
        "booking.appointment.booked.v1.room is gone",
    ]
    assert orjson.loads(path.read_bytes()) == schema, "what is released stays as it is"


def test_another_argument_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["publish"]) == 2
    assert "python -m shared.contracts release" in capsys.readouterr().err
