"""What stands in the registry is the published contract: nothing is forgotten, and everything says what it is."""

import inspect
from collections.abc import Iterator
from enum import Enum, StrEnum
from importlib import import_module
from pkgutil import walk_packages
from typing import Any, get_args

import pytest
from pydantic import BaseModel

import shared.messages
from shared.messages.descriptions import description_of
from shared.messages.fields import Command, EventData, Identifier, StateData, service_of, type_of
from shared.messages.refusal import DataReason, RefusalReason, Rejected
from shared.messages.registry import COMMANDS, EVENTS, REGISTRY, STATES

MODULES = [import_module(module.name) for module in walk_packages(shared.messages.__path__, "shared.messages.")]
DESCRIBED = "is published, so it says what it is: a docstring under the field, or under the class"


def subclasses(cls: type[Any]) -> Iterator[type[Any]]:
    for subclass in cls.__subclasses__():
        yield subclass
        yield from subclasses(subclass)


def has_a_type(model: type[Command | EventData]) -> bool:
    """Whether it is a kind of message of its own, and not what several have in common."""
    if issubclass(model, Command):
        return "type" in vars(model)
    return bool(get_args(model.model_fields["type"].annotation))


def ours(cls: type[Any]) -> list[type[Any]]:
    return [subclass for subclass in subclasses(cls) if subclass.__module__.startswith("shared.messages")]


def models_inside(model: type[BaseModel]) -> set[type[BaseModel]]:
    """It, and the models of its fields."""
    found = {model}
    for field in model.model_fields.values():
        for inside in types_in(field.annotation):
            if issubclass(inside, BaseModel):
                found |= models_inside(inside)
    return found


def types_in(annotation: Any) -> set[type[Any]]:
    if isinstance(annotation, type) and not get_args(annotation):
        return {annotation}
    return {inside for argument in get_args(annotation) for inside in types_in(argument)}


MESSAGES: list[type[Command | EventData | StateData]] = [*COMMANDS.values(), *EVENTS.values(), *STATES.values()]
MODELS = sorted({model for message in MESSAGES for model in models_inside(message)}, key=lambda model: model.__qualname__)


@pytest.mark.parametrize(
    "message",
    [message for kind in (Command, EventData) for message in ours(kind) if has_a_type(message)],
)
def test_every_message_is_registered(message: type[Command | EventData]) -> None:
    registered = COMMANDS if issubclass(message, Command) else EVENTS
    assert registered.get(type_of(message)) is message, f"{message.__qualname__} belongs into its service's list, and that into REGISTRY"


@pytest.mark.parametrize("state", ours(StateData))
def test_every_kind_of_state_is_registered(state: type[StateData]) -> None:
    assert STATES.get(type_of(state)) is state


@pytest.mark.parametrize("types", [enum for enum in ours(StrEnum) if enum.__name__.endswith("EventType")])
def test_every_type_of_event_has_a_model(types: type[StrEnum]) -> None:
    assert {str(type_) for type_ in types} - EVENTS.keys() == set()


@pytest.mark.parametrize("messages", REGISTRY, ids=lambda messages: messages.service)
def test_types_name_the_service_the_entity_and_the_version(messages: Any) -> None:
    for type_ in (*messages.commands, *messages.events):
        service, _entity, word, version = type_.split(".")
        assert (service, version) == (messages.service, "v1")
        assert service_of(type_) == service
        assert word.isidentifier()
    for type_, command in messages.commands.items():
        assert type_.split(".")[1] == command.entity
        assert {command.key_field, command.id_field} <= set(command.model_fields) | set(dir(command))


@pytest.mark.parametrize("type_", COMMANDS)
def test_every_command_says_what_it_can_come_to(type_: str) -> None:
    command = COMMANDS[type_]
    assert command.outcomes
    for event in (*command.outcomes, command.rejection, *command.also_causes):
        assert service_of(type_of(event)) == service_of(type_)
    assert issubclass(command.rejection, Rejected)
    assert type_of(command.rejection) == f"{service_of(type_)}.{command.entity}.rejected.v1"


@pytest.mark.parametrize("type_", [type_ for type_ in EVENTS if issubclass(EVENTS[type_], Rejected)])
def test_every_refusal_has_the_reasons_of_the_data_and_of_its_entity_and_room_for_more(type_: str) -> None:
    data, *kinds, unknown = get_args(EVENTS[type_].model_fields["reason"].annotation)
    assert data is DataReason
    assert kinds
    for kind in kinds:
        assert issubclass(kind, RefusalReason)
        assert all(reason.meaning.endswith(".") for reason in kind)
    assert unknown == Identifier


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__qualname__)
def test_every_message_and_every_field_says_what_it_is(model: type[BaseModel]) -> None:
    assert inspect.cleandoc(vars(model).get("__doc__") or ""), f"{model.__qualname__} {DESCRIBED}"
    silent = [name for name in model.model_fields if not description_of(model, name)]
    assert not silent, f"{model.__qualname__}: {silent} {DESCRIBED}"


def test_there_is_something_to_check() -> None:
    assert len(MODULES) > 4
    assert "booking.appointment.book.v1" in COMMANDS
    assert "booking.appointment.booked.v1" in EVENTS
    assert any(issubclass(kind, Enum) for model in MODELS for field in model.model_fields.values() for kind in types_in(field.annotation))
