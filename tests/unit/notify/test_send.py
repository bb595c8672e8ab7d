"""What becomes of a request: accepted on some channels, or suppressed, and why."""

from datetime import datetime

import pytest

from services.notify.domain import decide
from services.notify.domain.notification import NotifyEvent, Refused, Rules, Told
from shared.messages.notify import Channel, NotifyEventType, Priority, Template
from tests.examples import NOW, hours
from tests.examples_of_notify import ALL, EMAIL, QUIET, RULES, appointment, example_notification, example_send, known, preferences

C = Channel
EVERYTHING = frozenset(Channel)
NIGHT = NOW + hours(9)
MORNING = NOW + hours(17)


def told(events: tuple[NotifyEvent, ...]) -> list[Told]:
    assert all(isinstance(event, Told) for event in events), events
    return [event for event in events if isinstance(event, Told)]


def states(event: Told) -> dict[str, tuple[str, str | None]]:
    return {channel: (delivery.status, delivery.reason) for channel, delivery in event.notification.deliveries.items()}


def test_the_inbox_is_told_at_once_and_the_other_channels_wait_for_their_providers() -> None:
    accepted, sent = told(decide(known(addresses=frozenset({C.EMAIL, C.SMS})), example_send(), NOW, RULES))
    assert (accepted.type, accepted.channel, accepted.notification.version) == (NotifyEventType.ACCEPTED, None, 1)
    assert states(accepted) == {"email": ("waiting", None), "sms": ("waiting", None), "in_app": ("waiting", None)}
    assert (sent.type, sent.channel, sent.notification.version) == (NotifyEventType.SENT, C.IN_APP, 2)
    assert states(sent) == {"email": ("waiting", None), "sms": ("waiting", None), "in_app": ("sent", None)}
    assert (accepted.notification.inbox_at, sent.notification.inbox_at) == (None, NOW)


def test_a_channel_without_a_provider_or_without_an_address_is_none() -> None:
    rules = Rules(channels=frozenset({C.SMS, C.PUSH}))
    [accepted, _] = told(decide(known(addresses=frozenset({C.EMAIL, C.SMS})), example_send(), NOW, rules))
    assert states(accepted) == {"sms": ("waiting", None), "in_app": ("waiting", None)}


def test_a_channel_that_is_not_wanted_is_not_used() -> None:
    [accepted, _] = told(decide(known(preferences=preferences(unwanted=EMAIL)), example_send(), NOW, RULES))
    assert states(accepted) == {"email": ("suppressed", "opted_out"), "in_app": ("waiting", None)}
    [accepted] = told(decide(known(preferences=preferences(unwanted=frozenset({C.IN_APP}))), example_send(), NOW, RULES))
    assert states(accepted) == {"email": ("waiting", None), "in_app": ("suppressed", "opted_out")}
    assert accepted.notification.inbox_at is None


@pytest.mark.parametrize(
    "unwanted, addresses, status, reason",
    [
        (EVERYTHING, ALL, "confirmed", "opted_out"),
        (EVERYTHING, ALL, "cancelled", "opted_out"),
        (EVERYTHING, frozenset(), "cancelled", "opted_out"),
        (frozenset(), ALL, "cancelled", "stale"),
        (frozenset({C.IN_APP}), frozenset(), "cancelled", "stale"),
        (frozenset({C.IN_APP}), frozenset(), "confirmed", "no_channel"),
        (EVERYTHING - EMAIL, frozenset({C.SMS}), "confirmed", "no_channel"),
        (frozenset(), frozenset(), "confirmed", None),
        (EVERYTHING - EMAIL, EMAIL, "confirmed", None),
    ],
)
def test_why_somebody_is_not_told_in_order_of_precedence(
    unwanted: frozenset[Channel], addresses: frozenset[Channel], status: str, reason: str | None
) -> None:
    there_is = known(preferences=preferences(unwanted=unwanted), addresses=addresses, entity=appointment(status))
    first, *more = told(decide(there_is, example_send(), NOW, RULES))
    assert first.reason == reason
    assert first.type == (NotifyEventType.ACCEPTED if reason is None else NotifyEventType.SUPPRESSED)
    if reason is not None:
        assert not more
        assert {delivery.status for delivery in first.notification.deliveries.values()} == {"suppressed"}


@pytest.mark.parametrize(
    "priority, now, due",
    [
        (Priority.NORMAL, NOW, NOW),
        (Priority.NORMAL, NIGHT, MORNING),
        (Priority.CRITICAL, NIGHT, NIGHT),
    ],
)
def test_normal_notifications_wait_for_the_end_of_quiet_hours_and_the_inbox_never_does(
    priority: Priority, now: datetime, due: datetime
) -> None:
    there_is = known(preferences=preferences(quiet_hours=QUIET))
    accepted, sent = told(decide(there_is, example_send(priority=priority), now, RULES))
    assert accepted.notification.deliveries[C.EMAIL].due_at == due
    assert sent.notification.inbox_at == now


def test_one_cause_is_one_notification() -> None:
    [refused] = decide(known(notification=example_notification()), example_send(), NOW, RULES)
    assert isinstance(refused, Refused)
    assert (refused.refusal.reason, refused.refusal.status_code) == ("notification_exists", 409)


def test_a_template_that_is_never_stale_is_told_whatever_has_happened() -> None:
    there_is = known(entity=appointment("completed", 9))
    assert len(decide(there_is, example_send(template=Template.APPOINTMENT_CANCELLED, version=1), NOW, RULES)) == 2
