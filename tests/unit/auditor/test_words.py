"""The auditor has words of its own, and they are the contract's: what the messages say and what it knows differ in nothing."""

from enum import EnumType
from typing import get_args

import pytest

from services.notify.domain.stale import TRUE_WHILE as NOTIFYS_OWN
from shared.auditor.notify.words import TRUE_WHILE
from shared.auditor.services import SERVICES
from shared.auditor.words import ServiceWords
from shared.messages.fields import EventData, type_of
from shared.messages.notify import Priority, Template
from shared.messages.refusal import DataReason, RefusalReason, Rejected, StatusCode
from shared.messages.registry import REGISTRY, ServiceMessages

MESSAGES = {messages.service: messages for messages in REGISTRY}
PAIRS = [pytest.param(service.words, MESSAGES[name], id=name) for name, service in SERVICES.items()]


@pytest.mark.parametrize("words, messages", PAIRS)
def test_every_command_is_known_with_all_that_it_can_lead_to(words: ServiceWords, messages: ServiceMessages) -> None:
    assert words.commands.keys() == messages.commands.keys()
    for type_, command in messages.commands.items():
        known = words.commands[type_]
        assert known.outcomes == {type_of(event) for event in command.outcomes}, type_
        assert known.further == {type_of(event) for event in command.also_causes}, type_
        assert words.rejected(command.entity) == type_of(command.rejection), type_
        entity = words.entities[command.entity]
        assert (entity.id_field, entity.key_field) == (command.id_field, command.key_field), type_
        # The model has it as a class variable; the auditor names its sweeps.
        assert type_ not in words.sweeps or command.from_sweep


@pytest.mark.parametrize("words, messages", PAIRS)
def test_every_event_is_known(words: ServiceWords, messages: ServiceMessages) -> None:
    refusals = {type_ for type_, event in messages.events.items() if issubclass(event, Rejected)}
    assert words.events.keys() == messages.events.keys() - refusals
    assert all(words.is_rejected(type_) for type_ in refusals)
    for type_, known in words.events.items():
        fields = messages.events[type_].model_fields
        entity = words.entities[type_.split(".")[1]]
        named = {known.key_field or entity.key_field, *entity.ids} | ({entity.id_field} if entity.id_of is None else set())
        assert named <= fields.keys(), type_
        assert entity.deadline_field is None or entity.deadline_field in fields, type_


@pytest.mark.parametrize("words, messages", PAIRS)
def test_the_refusals_with_422_that_come_from_a_rule_are_known(words: ServiceWords, messages: ServiceMessages) -> None:
    reasons = {
        reason for event in messages.events.values() for reason in reasons_of(event) if reason.status_code is StatusCode.UNPROCESSABLE
    }
    assert words.rules_with_422 == reasons


def reasons_of(event: type[EventData]) -> list[RefusalReason]:
    """The reasons of a refusal, what is wrong with the data apart."""
    if not issubclass(event, Rejected):
        return []
    reasons: list[RefusalReason] = []
    for kind in get_args(event.model_fields["reason"].annotation):
        if isinstance(kind, EnumType) and kind is not DataReason:
            reasons += kind
    return reasons


def test_what_people_are_told_is_what_notify_knows() -> None:
    notices = [notice for service in SERVICES.values() for words in service.words.events.values() for notice in words.notices]
    assert {notice.template for notice in notices} <= set(Template)
    assert {notice.priority for notice in notices} <= set(Priority)


def test_what_makes_a_notification_untrue_is_what_notify_knows() -> None:
    known = {template: (true_while.entity, true_while.statuses) for template, true_while in TRUE_WHILE.items()}
    assert known == {template: (true_while.kind, true_while.statuses) for template, true_while in NOTIFYS_OWN.items()}


def test_who_hears_another_stands_before_it() -> None:
    names = list(SERVICES)
    for name, service in SERVICES.items():
        assert all(names.index(name) < names.index(heard) for heard in service.words.hears)
