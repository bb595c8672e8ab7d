"""From events to notification requests: a pure map, no state, no transaction.

The ids are derived from the causing event, so copies of an event make copies of the same request.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import cast

from shared.codec.dead_letters import dead_letter_of
from shared.codec.decode import Received, Unreadable
from shared.codec.encode import encode_command, source_of
from shared.codec.events import decode_event
from shared.codec.record import OutgoingMessage, Record
from shared.messages.fields import EventData
from shared.messages.notify import About, ParameterValue, Priority, SendNotification, Template
from shared.metrics import count_notification_requests
from shared.path.dead_letters import write_off
from shared.path.pipeline import Handled
from shared.state_topic import StateTopics


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One thing to tell one person.

    Attributes:
        recipient_id: who.
        template: what.
        params: the ids, times and amounts in the text.
        about: the entity.
        priority: whether it passes quiet hours.
    """

    recipient_id: str
    template: Template
    params: Mapping[str, ParameterValue]
    about: About
    priority: Priority = Priority.NORMAL


def notification_id(event_id: str, recipient_id: str, template: Template) -> str:
    """One cause, one recipient, one template: one notification, however often it is asked for."""
    return "ntf_" + blake2b(f"{event_id}\n{recipient_id}\n{template}".encode(), digest_size=16).hexdigest()


class NoticesHandler:
    """Turns a batch of events into notification requests."""

    def __init__(
        self,
        service: str,
        *,
        events: Mapping[str, type[EventData]],
        notices_of: Callable[[EventData], Sequence[Notice]],
        seen: Callable[[EventData], None],
        topic: str,
        states: StateTopics,
        consumer_group: str,
    ) -> None:
        """Make it.

        Args:
            service: whose events these are.
            events: the types that matter here.
            notices_of: the map.
            seen: is told of every event; a sweep learns of new deadlines so.
            topic: notify's commands topic.
            states: what else follows from an event: the state of what it is about.
            consumer_group: whose dead letters these are.
        """
        self._service = service
        self._events = events
        self._notices_of = notices_of
        self._seen = seen
        self._topic = topic
        self._states = states
        self._consumer_group = consumer_group

    @property
    def carries(self) -> bool:
        """It leaves nothing for the next batch."""
        return False

    @property
    def pause_seconds(self) -> float:
        """It leaves nothing."""
        return 0.0

    async def handle(self, records: Sequence[Record]) -> Handled:
        """The requests that these events cause, and dead letters for what cannot be read."""
        events: list[EventData] = []
        messages: list[OutgoingMessage] = []
        templates: list[Template] = []
        for record in records:
            decoded = decode_event(record, self._events)
            if isinstance(decoded, Unreadable):
                letter = dead_letter_of(decoded)
                assert letter is not None
                messages.append(write_off(letter, service=self._service, group=self._consumer_group))
            elif isinstance(decoded, Received):
                event = cast("EventData", decoded.content)
                events.append(event)
                self._seen(event)
                notices = self._notices_of(event)
                templates += [notice.template for notice in notices]
                messages += [self._request(decoded, event, notice) for notice in notices]
        count_notification_requests(self._service, templates)
        positions = {(record.topic, record.partition): record.offset + 1 for record in records}
        return Handled(messages, positions, remaining=self._states.after(events))

    def _request(self, received: Received, event: EventData, notice: Notice) -> OutgoingMessage:
        identifier = notification_id(event.id, notice.recipient_id, notice.template)
        command = SendNotification(
            notification_id=identifier,
            recipient_id=notice.recipient_id,
            template=notice.template,
            params=dict(notice.params),
            priority=notice.priority,
            # Notify may not have heard of this very event yet.
            about=notice.about.model_copy(update={"version": event.version}),
        )
        context = {"correlationid": received.correlation_id, "causationid": event.id}
        if received.traceparent is not None:
            context["traceparent"] = received.traceparent
        return encode_command(
            command,
            topic=self._topic,
            source=source_of(self._service),
            identifier=identifier,
            # The cause's own time: every copy of the request is the same to the byte.
            time=event.time,
            context=context,
        )
