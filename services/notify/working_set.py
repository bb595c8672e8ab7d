"""The notifications and preferences that one batch needs, and how they change as its commands are decided. In memory, no IO."""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple, cast

from services.notify.domain import decide
from services.notify.domain.notification import Known, Notification, NotifyEvent, Preferences, Preferred, Refused, Rules, Told
from services.notify.domain.stale import TRUE_WHILE, Entity, EntityKind
from services.notify.wire import entity_of, preferred, told
from shared.codec.decode import Malformed, Received
from shared.messages.events import Event
from shared.messages.fields import EventData
from shared.messages.notify import Channel, NotificationCommand, NotifyCommand, SendNotification
from shared.path.refusals import rejected

EntityKey = tuple[EntityKind, str]


class Requested(NamedTuple):
    """A new notification as it stands after the batch, and the command that asked for it."""

    notification: Notification
    request: Received


def watched(told: SendNotification | Notification) -> EntityKey | None:
    """The entity whose state can make a notification untrue."""
    true_while = TRUE_WHILE.get(told.template)
    return (true_while.kind, told.about.entity_id) if true_while is not None else None


class Notifications:
    """A batch's working set."""

    def __init__(
        self,
        rules: Rules,
        *,
        notifications: Iterable[Notification] = (),
        preferences: Iterable[Preferences] = (),
        addresses: Mapping[str, AbstractSet[Channel]] | None = None,
        entities: Iterable[Entity] = (),
    ) -> None:
        """Make it of what was loaded.

        Args:
            rules: to decide by.
            notifications: those that the batch names and that exist.
            preferences: of the recipients in the batch that have said any.
            addresses: the channels for which an address is known, of the recipients who are to be told something.
            entities: what is known of those that they are to be told about.
        """
        self._rules = rules
        self._by_id = {notification.notification_id: notification for notification in notifications}
        self._preferences = {one.recipient_id: one for one in preferences}
        self._addresses = addresses or {}
        self._entities = {(entity.kind, entity.entity_id): entity for entity in entities}
        self._requests: dict[str, Received] = {}
        self._changed: dict[str, Notification] = {}
        self._preferred: dict[str, Preferences] = {}
        self._heard: dict[EntityKey, Entity] = {}

    def knows(self, entity_id: str) -> bool:
        """Whether that notification exists."""
        return entity_id in self._by_id

    @property
    def requested(self) -> Sequence[Requested]:
        """The new notifications."""
        return [Requested(self._by_id[identifier], request) for identifier, request in self._requests.items()]

    @property
    def changed(self) -> Sequence[Notification]:
        """The older notifications that the batch changed, as they stand after it."""
        return list(self._changed.values())

    @property
    def preferred(self) -> Sequence[Preferences]:
        """The preferences that the batch changed, as they are after it."""
        return list(self._preferred.values())

    @property
    def heard(self) -> Sequence[Entity]:
        """What the batch heard of entities: the newest of each."""
        return list(self._heard.values())

    def decide(self, received: Received) -> list[Event]:
        """Decide one command and take in what happened, the first event is the outcome; or hear one event."""
        content = received.content
        if isinstance(content, EventData):
            # It was heard before the first command of the batch.
            return []
        if isinstance(content, Malformed):
            version = self._version_of_malformed(content)
            return [rejected("notify", content, content.refusal, entity_id=content.entity_id, time=received.log_time, version=version)]
        command = cast("NotifyCommand", content)
        events = decide(self._known(command), command, received.log_time, self._rules)
        for event in events:
            self._take_in(event, received)
        return [self._translate(event, command, received) for event in events]

    def hear(self, event: EventData) -> None:
        """Take in what happened to an entity, unless something newer is known."""
        entity = entity_of(event)
        key = (entity.kind, entity.entity_id)
        if key in self._entities and self._entities[key].version >= entity.version:
            return
        self._entities[key] = entity
        self._heard[key] = entity

    def _known(self, command: NotifyCommand) -> Known:
        preferences = self._preferences.get(command.recipient_id, Preferences(recipient_id=command.recipient_id))
        if not isinstance(command, NotificationCommand):
            return Known(None, preferences)
        notification = self._by_id.get(command.notification_id)
        if not isinstance(command, SendNotification):
            return Known(notification, preferences)
        key = watched(command)
        entity = self._entities.get(key) if key is not None else None
        return Known(notification, preferences, self._addresses.get(command.recipient_id, frozenset()), entity)

    def _take_in(self, event: NotifyEvent, received: Received) -> None:
        match event:
            case Told(notification=notification):
                identifier = notification.notification_id
                if identifier not in self._by_id:
                    self._requests[identifier] = received
                elif identifier not in self._requests:
                    self._changed[identifier] = notification
                self._by_id[identifier] = notification
            case Preferred(preferences=preferences):
                self._preferences[preferences.recipient_id] = preferences
                self._preferred[preferences.recipient_id] = preferences
            case Refused():
                pass

    def _translate(self, event: NotifyEvent, command: NotifyCommand, received: Received) -> Event:
        match event:
            case Told():
                return told(event)
            case Preferred():
                return preferred(event)
            case Refused(refusal):
                entity_id, version = command.entity_id, self._version(command)
                return rejected("notify", command, refusal, entity_id=entity_id, time=received.log_time, version=version)

    def _version(self, command: NotifyCommand) -> int:
        """The entity's current version; 0 if it does not exist, or is another recipient's."""
        known = self._known(command)
        if not isinstance(command, NotificationCommand):
            return known.preferences.version
        notification = known.notification
        return notification.version if notification is not None and notification.recipient_id == command.recipient_id else 0

    def _version_of_malformed(self, content: Malformed) -> int:
        if not issubclass(content.command_type, NotificationCommand):
            preferences = self._preferences.get(content.key)
            return preferences.version if preferences is not None else 0
        notification = self._by_id.get(content.entity_id) if content.entity_id is not None else None
        return notification.version if notification is not None and notification.recipient_id == content.key else 0
