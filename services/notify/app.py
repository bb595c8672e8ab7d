"""Which topics reach which rules: the map of notify.

notify.commands.v1                  → domain.decide → notify.events.v1           (the consumer, aiokafka)
booking.events.v1, calls.events.v1  → what is known of what people are told about  (the consumer)
deliveries that are due             → channels → notify.commands.v1              (the deliverer, beside the consumer)
"""

from collections.abc import Mapping
from datetime import timedelta
from functools import partial

from services.notify.channels import urls_of
from services.notify.domain.notification import Rules
from services.notify.store import load, record, tables
from services.notify.wire import HEARD_EVENTS
from services.notify.working_set import Notifications
from shared.codec.decode import Malformed, Received
from shared.messages.events import Event
from shared.messages.fields import EventData
from shared.messages.notify import NOTIFY_COMMANDS, NotificationCommand, NotifyEventType
from shared.path.service import Locks, Parties, Service
from shared.settings import Settings


def rules_of(settings: Settings) -> Rules:
    """The settings that notify decides by."""
    return Rules(
        channels=frozenset(urls_of(settings)),
        max_attempts=settings.notify_attempts,
        retry_period=timedelta(seconds=settings.notify_retry_seconds),
    )


def notify(settings: Settings) -> Service[Notifications]:
    """Notify, as the path sees it."""
    return Service(
        name="notify",
        commands=NOTIFY_COMMANDS,
        hears=HEARD_EVENTS,
        decisions=tables.decisions,
        # A command's key says whose notification it is: nothing here lies between two parties.
        named_entity=lambda _: None,
        locks=locks_of,
        parties=load.parties,
        load=partial(load.load, rules=rules_of(settings)),
        record=record.record,
        log_line=log_line,
    )


def locks_of(received: Received, _: Mapping[str, Parties]) -> Locks:
    """What a command must hold: its recipient, and its notification, whoever else it may be said to belong to."""
    content = received.content
    if isinstance(content, Malformed | EventData):
        # What is heard needs none: a version never goes back.
        return Locks(ordered=())
    recipient = f"recipient:{content.partition_key}"
    if isinstance(content, NotificationCommand):
        return Locks(ordered=(recipient, f"notification:{content.notification_id}"))
    return Locks(ordered=(recipient,))


def log_line(event: Event) -> str | None:
    """The words that people look for."""
    match event.type:
        case NotifyEventType.SUPPRESSED:
            return f"Notification suppressed: {event.body['reason']}"
        case NotifyEventType.UNSENT:
            return "Notification unsent"
        case _:
            return None
