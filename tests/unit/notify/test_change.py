"""What happens to a notification after it was accepted, and to preferences."""

from datetime import timedelta

import pytest

from services.notify.domain import decide
from services.notify.domain.notification import NotifyEvent, Preferred, Refused, Told
from shared.messages.fields import Actor, Role
from shared.messages.notify import Channel, DeliveryStatus, NotifyEventType
from tests.examples import NOW, admin, doctor, hours, patient, system
from tests.examples_of_notify import (
    EMAIL,
    QUIET,
    RECIPIENT,
    RULES,
    example_mark_read,
    example_notification,
    example_preferences,
    example_record_delivery,
    known,
    preferences,
)

LATER = NOW + hours(1)


def only(events: tuple[NotifyEvent, ...]) -> NotifyEvent:
    [event] = events
    return event


def reason(events: tuple[NotifyEvent, ...]) -> tuple[str, int]:
    refused = only(events)
    assert isinstance(refused, Refused), refused
    return refused.refusal.reason, refused.refusal.status_code


@pytest.mark.parametrize(
    "status, why, type_",
    [
        (DeliveryStatus.SENT, None, NotifyEventType.SENT),
        (DeliveryStatus.UNSENT, "failed", NotifyEventType.UNSENT),
        (DeliveryStatus.UNSENT, "timed_out", NotifyEventType.UNSENT),
        (DeliveryStatus.UNSENT, "refused", NotifyEventType.UNSENT),
        (DeliveryStatus.SUPPRESSED, "stale", NotifyEventType.SUPPRESSED),
        (DeliveryStatus.SUPPRESSED, "no_channel", NotifyEventType.SUPPRESSED),
    ],
)
def test_what_became_of_a_delivery_is_told_with_its_channel(status: DeliveryStatus, why: str | None, type_: str) -> None:
    command = example_record_delivery(status=status, reason=why, attempts=3)
    event = only(decide(known(notification=example_notification()), command, LATER, RULES))
    assert isinstance(event, Told)
    assert (event.type, event.channel, event.reason, event.notification.version) == (type_, Channel.EMAIL, why, 3)
    delivery = event.notification.deliveries[Channel.EMAIL]
    assert (delivery.status, delivery.reason, delivery.attempts) == (status, why, 3)
    assert event.notification.deliveries[Channel.IN_APP].status is DeliveryStatus.SENT


@pytest.mark.parametrize("status", [status for status in DeliveryStatus if status is not DeliveryStatus.WAITING])
def test_it_is_told_once(status: DeliveryStatus) -> None:
    notification = example_notification(statuses={Channel.EMAIL: status})
    assert reason(decide(known(notification=notification), example_record_delivery(), LATER, RULES)) == ("not_waiting", 409)


def test_a_channel_that_was_never_in_question_has_nothing_to_tell() -> None:
    command = example_record_delivery(channel=Channel.SMS)
    assert reason(decide(known(notification=example_notification()), command, LATER, RULES)) == ("not_waiting", 409)


def test_a_notification_that_is_unknown_or_anothers_is_not_found() -> None:
    assert reason(decide(known(), example_record_delivery(), LATER, RULES)) == ("notification_not_found", 404)
    of_another = example_mark_read(recipient_id="another")
    assert reason(decide(known(notification=example_notification()), of_another, LATER, RULES)) == ("notification_not_found", 404)


def test_the_recipient_reads_it_once() -> None:
    read = only(decide(known(notification=example_notification()), example_mark_read(), LATER, RULES))
    assert isinstance(read, Told)
    assert (read.type, read.notification.read_at, read.notification.version) == (NotifyEventType.READ, LATER, 3)
    again = only(decide(known(notification=read.notification), example_mark_read(), LATER + hours(1), RULES))
    assert isinstance(again, Told)
    assert (again.notification.read_at, again.notification.version) == (LATER, 3)


def test_what_is_not_in_the_inbox_is_not_read() -> None:
    notification = example_notification(inbox_at=None)
    assert reason(decide(known(notification=notification), example_mark_read(), LATER, RULES)) == ("not_in_inbox", 409)


@pytest.mark.parametrize(
    "actor, allowed",
    [
        (patient(RECIPIENT), True),
        (doctor(RECIPIENT), True),
        (admin(), True),
        (system(), True),
        (patient("another"), False),
        (doctor("another"), False),
    ],
)
def test_only_the_recipient_or_an_administrator_may(actor: Actor, *, allowed: bool) -> None:
    for command in (example_mark_read(actor=actor), example_preferences(actor=actor)):
        event = only(decide(known(notification=example_notification()), command, LATER, RULES))
        if allowed:
            assert not isinstance(event, Refused)
        else:
            assert isinstance(event, Refused)
            assert (event.refusal.reason, event.refusal.status_code) == ("not_a_party", 403)


def test_preferences_are_what_the_last_command_says() -> None:
    first = only(decide(known(), example_preferences(unwanted=EMAIL, quiet_hours=QUIET), NOW, RULES))
    assert isinstance(first, Preferred)
    assert (first.preferences.unwanted, first.preferences.version, first.preferences.updated_at) == (EMAIL, 1, NOW)
    second = only(decide(known(preferences=first.preferences), example_preferences(), LATER, RULES))
    assert isinstance(second, Preferred)
    assert (second.preferences.unwanted, second.preferences.quiet_hours, second.preferences.version) == (frozenset(), None, 2)


def test_the_same_preferences_again_are_no_new_version() -> None:
    before = preferences(unwanted=EMAIL, quiet_hours=QUIET, version=4)
    again = only(decide(known(preferences=before), example_preferences(unwanted=EMAIL, quiet_hours=QUIET), LATER, RULES))
    assert isinstance(again, Preferred)
    assert again.preferences == before


def test_saying_that_everything_is_wanted_is_said_for_the_first_time_too() -> None:
    first = only(decide(known(), example_preferences(), NOW, RULES))
    assert isinstance(first, Preferred)
    assert first.preferences.version == 1


def test_nothing_happens_before_what_happened_last() -> None:
    earlier = NOW - timedelta(seconds=5)
    read = only(decide(known(notification=example_notification()), example_mark_read(), earlier, RULES))
    assert isinstance(read, Told)
    assert (read.at, read.notification.read_at) == (NOW, NOW)


def test_a_patient_with_the_id_of_a_role_is_still_only_themselves() -> None:
    imposter = Actor(role=Role.PATIENT, id="admin-1")
    assert reason(decide(known(), example_preferences(actor=imposter), NOW, RULES)) == ("not_a_party", 403)
