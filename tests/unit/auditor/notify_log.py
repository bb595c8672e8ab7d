"""What notify publishes, as the contract says it looks."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from shared.auditor import Record
from tests.unit.auditor.booking_log import BookingLog
from tests.unit.auditor.mesh_log import TOPICS, MeshLog, at, iso

NOTIFY = TOPICS["notify"]
CHANNELS = ("email", "push", "sms", "chat", "in_app")


@dataclass
class Notification:
    """What the mesh knows of one notification."""

    notification_id: str
    recipient_id: str
    template: str
    about: dict[str, Any]
    accepted_at: datetime
    deliveries: dict[str, dict[str, Any]]
    version: int = 1
    read_at: datetime | None = None
    events: list[Record] = field(default_factory=list)
    commands: list[Record] = field(default_factory=list)

    def state(self, channel: str | None, reason: str | None) -> dict[str, Any]:
        return {
            "notification_id": self.notification_id,
            "recipient_id": self.recipient_id,
            "template": self.template,
            "priority": "normal",
            "about": self.about,
            "channel": channel,
            "reason": reason,
            "deliveries": list(self.deliveries.values()),
            "accepted_at": iso(self.accepted_at),
            "read_at": None if self.read_at is None else iso(self.read_at),
            "version": self.version,
        }


class NotifyLog(MeshLog):
    """The topics of notify, growing."""

    service = "notify"
    runs = ("notify",)

    def __init__(self, partitions: int = 8) -> None:
        super().__init__(partitions)
        self.preferred: dict[str, dict[str, Any]] = {}

    def send(
        self,
        name: str = "1",
        *,
        recipient: str = "pat-a",
        template: str = "appointment_cancelled",
        about: str = "apt-1",
        about_version: int | None = None,
        by: tuple[str, ...] = ("email", "in_app"),
        why_not: str | None = None,
    ) -> Notification:
        """A request is taken on, or suppressed, on the channels by which the recipient can be reached."""
        cause = {"entity": "appointment", "entity_id": about, "version": about_version}
        asked = {"notification_id": f"note-{name}", "recipient_id": recipient, "template": template, "params": {}, "priority": "normal"}
        command = self.command_of("notify.notification.send.v1", asked | {"about": cause}, key=recipient)
        unwanted = {channel for channel, wanted in self.preferred.get(recipient, {}).get("channels", {}).items() if not wanted}
        deliveries = {}
        for channel in by:
            reason = "opted_out" if channel in unwanted else why_not
            status = "waiting" if reason is None else "suppressed"
            deliveries[channel] = {"channel": channel, "status": status, "reason": reason, "attempts": 0}
        told = Notification(f"note-{name}", recipient, template, cause, at(command.timestamp_ms), deliveries, commands=[command])
        self.tell(told, command, "accepted" if why_not is None else "suppressed", reason=why_not)
        if why_not is None and "in_app" in by and "in_app" not in unwanted:
            self.end(told, "in_app", command=command, index=1)
        return told

    def booked(self, *, confirmed: bool = False) -> None:
        """Booking has an appointment; who it has told of that is another story."""
        booking = self.of(BookingLog)
        appointment = booking.book("1")
        if confirmed:
            booking.confirm(appointment)
        self.records = [record for record in self.records if record.topic != NOTIFY.commands]

    def end(
        self,
        told: Notification,
        channel: str,
        word: str = "sent",
        *,
        reason: str | None = None,
        command: Record | None = None,
        index: int = 0,
    ) -> Record:
        """It comes to an end on a channel."""
        if command is None:
            recorded = {"channel": channel, "status": word, "reason": reason, "attempts": 1}
            data = {"notification_id": told.notification_id, "recipient_id": told.recipient_id, **recorded}
            command = self.command_of("notify.notification.record_delivery.v1", data, key=told.recipient_id)
        told.version += 1
        told.deliveries[channel] = {"channel": channel, "status": word, "reason": reason, "attempts": 0 if index else 1}
        return self.tell(told, command, word, channel=channel, reason=reason, index=index)

    def read(self, told: Notification, *, by: str | None = None) -> Record:
        """The recipient has read it; again if they had before."""
        actor = {"role": "patient", "id": by or told.recipient_id}
        data = {"notification_id": told.notification_id, "recipient_id": told.recipient_id, "actor": actor}
        command = self.command_of("notify.notification.mark_read.v1", data, key=told.recipient_id)
        if told.read_at is None:
            told.read_at = at(command.timestamp_ms)
            told.version += 1
        return self.tell(told, command, "read", channel="in_app")

    def prefer(self, recipient: str = "pat-a", *, without: tuple[str, ...] = (), quiet: bool = False, by: str | None = None) -> Record:
        """The recipient says how they want to be told."""
        channels = {channel: channel not in without for channel in CHANNELS}
        quiet_hours = {"start": "22:00", "end": "07:00", "timezone": "Africa/Blantyre"} if quiet else None
        wanted = {"recipient_id": recipient, "channels": channels, "quiet_hours": quiet_hours}
        actor = {"role": "patient", "id": by or recipient}
        command = self.command_of("notify.preferences.set.v1", wanted | {"actor": actor}, key=recipient)
        before = self.preferred.get(recipient, {"version": 0})
        raised = 0 if before == wanted | {"version": before["version"]} else 1
        self.preferred[recipient] = wanted | {"version": before["version"] + raised}
        return self.event_of("notify.preferences.changed.v1", command, self.preferred[recipient], subject=recipient)

    def tell(
        self,
        told: Notification,
        command: Record,
        word: str,
        *,
        channel: str | None = None,
        reason: str | None = None,
        index: int = 0,
    ) -> Record:
        fields = told.state(channel, reason)
        event = self.event_of(f"notify.notification.{word}.v1", command, fields, subject=told.notification_id, index=index)
        told.events.append(event)
        return event
