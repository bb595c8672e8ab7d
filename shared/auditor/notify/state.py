"""What notify's events say of notifications and of preferences."""

from typing import Any, NamedTuple

from shared.auditor.values import Fields, MalformedError, inside, instant, name, number, objects, optional_instant, text

SUPPRESSED_EVENT = "notify.notification.suppressed.v1"

#: How a notification stands as a whole. The contract has no field for it: the event that began it says so.
ACCEPTED = "accepted"
SUPPRESSED = "suppressed"
#: How preferences stand: nobody takes them back.
SET = "set"

#: The channel that is there for everybody.
IN_APP = "in_app"
#: What is so of a notification on a channel, until it is sent, unsent or suppressed there.
WAITING = "waiting"
SENT = "sent"


class Request(NamedTuple):
    """What was asked for: nothing of it ever changes."""

    recipient_id: str
    template: str
    priority: str
    about_id: str
    """Of what it is about."""
    about_version: int
    """The version that is the cause; 0 if the request did not say."""
    accepted_us: int


class Delivery(NamedTuple):
    """What has become of a notification on one channel."""

    channel: str
    status: str
    reason: str | None


class Notification(NamedTuple):
    """One notification, as one event tells of it."""

    channel: str | None
    """The channel that the event is about; None: all of them."""
    reason: str | None
    """Why nobody is told, or not by this channel."""
    request: Request
    deliveries: tuple[Delivery, ...]
    read_us: int | None

    @property
    def by_channel(self) -> dict[str, Delivery]:
        """The deliveries by their channels."""
        return {delivery.channel: delivery for delivery in self.deliveries}

    def equals(self, other: "Notification") -> bool:
        """Whether nothing is different, whatever the event is about."""
        return (self.request, self.deliveries, self.read_us) == (other.request, other.deliveries, other.read_us)


class Preferences(NamedTuple):
    """How a recipient wants to be told."""

    unwanted: frozenset[str]
    """The channels that they do not want."""
    quiet_hours: tuple[tuple[str, Any], ...] | None


def notification(fields: Fields) -> Notification:
    """The notification in an event.

    Raises:
        MalformedError: a field is missing or has another type.
    """
    deliveries = tuple(
        Delivery(text(delivery, "channel"), text(delivery, "status"), name(delivery.get("reason")))
        for delivery in objects(fields, "deliveries")
    )
    if len({delivery.channel for delivery in deliveries}) < len(deliveries):
        message = "deliveries names a channel twice"
        raise MalformedError(message)
    return Notification(
        channel=name(fields.get("channel")),
        reason=name(fields.get("reason")),
        request=_request(fields),
        deliveries=deliveries,
        read_us=optional_instant(fields, "read_at"),
    )


def _request(fields: Fields) -> Request:
    about = inside(fields, "about")
    return Request(
        recipient_id=text(fields, "recipient_id"),
        template=text(fields, "template"),
        priority=text(fields, "priority"),
        about_id=text(about, "entity_id"),
        about_version=0 if about.get("version") is None else number(about, "version"),
        accepted_us=instant(fields, "accepted_at"),
    )


def preferences(fields: Fields) -> Preferences:
    """The preferences in an event.

    Raises:
        MalformedError: a field is missing or has another type.
    """
    quiet_hours = None if fields.get("quiet_hours") is None else tuple(sorted(inside(fields, "quiet_hours").items()))
    unwanted = frozenset(channel for channel, is_wanted in inside(fields, "channels").items() if is_wanted is not True)
    return Preferences(unwanted, quiet_hours)


def status(fields: Fields) -> str:
    """Whether somebody is told at all."""
    return SUPPRESSED if fields.get("type") == SUPPRESSED_EVENT and fields.get("channel") is None else ACCEPTED
