"""What calls publishes, as the contract says it looks."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar

from shared.auditor import Record
from tests.unit.auditor.mesh_log import TOPICS, MeshLog, at, header, iso, milliseconds

CALLS = TOPICS["calls"]
CONNECT_TIMEOUT = timedelta(seconds=90)
RECONNECT_TIMEOUT = timedelta(seconds=60)
RESPONSE_TIMEOUT = timedelta(seconds=300)
INACTIVITY_TIMEOUT = timedelta(seconds=1200)


@dataclass
class Session:
    """What the mesh knows of one call or text session."""

    session_id: str
    doctor_id: str
    patient_id: str
    status: str
    started_at: datetime
    deadline_at: datetime | None
    started_by: str = "patient"
    appointment_id: str | None = None
    version: int = 1
    ended_at: datetime | None = None
    ended_by: str | None = None
    reason: str | None = None
    events: list[Record] = field(default_factory=list)
    commands: list[Record] = field(default_factory=list)

    def common(self) -> dict[str, Any]:
        return {
            "appointment_id": self.appointment_id,
            "doctor_id": self.doctor_id,
            "patient_id": self.patient_id,
            "started_by": self.started_by,
            "started_at": iso(self.started_at),
            "deadline_at": moment(self.deadline_at),
            "ended_at": moment(self.ended_at),
            "ended_by": self.ended_by,
            "reason": self.reason,
        }


@dataclass
class Call(Session):
    """A call."""

    entity: ClassVar = "call"
    connected_at: datetime | None = None
    disconnected_at: datetime | None = None
    failure_reason: str | None = None

    def state(self, now: datetime) -> dict[str, Any]:
        connected = timedelta() if self.connected_at is None else (self.ended_at or self.disconnected_at or now) - self.connected_at
        return {
            "call_id": self.session_id,
            **self.common(),
            "modality": "video",
            "status": self.status,
            "connected_at": moment(self.connected_at),
            "disconnected_at": moment(self.disconnected_at),
            "failure_reason": self.failure_reason,
            "is_connected": self.status == "connected",
            "connected_seconds": connected.total_seconds(),
            "version": self.version,
        }


@dataclass
class TextSession(Session):
    """A text session."""

    entity: ClassVar = "text_session"
    activated_at: datetime | None = None
    last_activity_at: datetime | None = None
    patient_activity_count: int = 0
    doctor_activity_count: int = 0

    def state(self, now: datetime) -> dict[str, Any]:
        active = timedelta() if self.activated_at is None else (self.ended_at or now) - self.activated_at
        return {
            "session_id": self.session_id,
            **self.common(),
            "status": self.status,
            "activated_at": moment(self.activated_at),
            "last_activity_at": moment(self.last_activity_at),
            "patient_activity_count": self.patient_activity_count,
            "doctor_activity_count": self.doctor_activity_count,
            "active_seconds": active.total_seconds(),
            "version": self.version,
        }


def moment(time: datetime | None) -> str | None:
    return None if time is None else iso(time)


class CallsLog(MeshLog):
    """The topics of calls, growing."""

    service = "calls"
    runs = ("calls",)

    # Calls

    def ring(
        self, name: str = "1", *, doctor: str = "doc-a", patient: str = "pat-a", by: str = "patient", appointment: str | None = None
    ) -> Call:
        command = self._start("call", {"call_id": f"call-{name}", "modality": "video"}, doctor, patient, by, appointment)
        now = at(command.timestamp_ms)
        call = Call(f"call-{name}", doctor, patient, "connecting", now, now + CONNECT_TIMEOUT, by, appointment)
        event = self.tell(call, command, "started")
        self.notify(event, patient if by == "doctor" else doctor, "call_incoming", "critical")
        return call

    def connect(self, call: Call, by: str = "doctor") -> Record:
        return self._change(call, "connect", "connected", by, status="connected", connected_at="now", deadline_at=None)

    def lose(self, call: Call) -> Record:
        deadline = at(self.now_ms + 1_000) + RECONNECT_TIMEOUT
        return self._change(call, "disconnect", "reconnecting", status="reconnecting", disconnected_at="now", deadline_at=deadline)

    def regain(self, call: Call) -> Record:
        return self._change(call, "reconnect", "reconnected", status="connected", disconnected_at=None, deadline_at=None)

    def decline(self, call: Call, by: str = "doctor") -> Record:
        return self._over(call, "decline", "declined", by, tell=("pat-a",), template="call_declined", status="declined", reason="declined")

    def take_back(self, call: Call, by: str = "patient") -> Record:
        return self._over(call, "cancel", "cancelled", by, tell=("doc-a",), template="call_missed", status="cancelled", reason="cancelled")

    def end(
        self, session: Call | TextSession, by: str = "patient", reason: str = "ended_by_party", *, command: Record | None = None
    ) -> Record:
        ended_at: Any = (session.disconnected_at if isinstance(session, Call) else None) or "now"
        tell = (session.doctor_id, session.patient_id)
        return self._over(
            session,
            "end",
            "ended",
            by,
            tell=tell,
            template="session_ended",
            command=command,
            status="ended",
            reason=reason,
            ended_at=ended_at,
        )

    # Text sessions

    def open(
        self, name: str = "1", *, doctor: str = "doc-a", patient: str = "pat-a", by: str = "patient", appointment: str | None = None
    ) -> TextSession:
        command = self._start("text_session", {"session_id": f"txt-{name}"}, doctor, patient, by, appointment)
        now = at(command.timestamp_ms)
        session = TextSession(f"txt-{name}", doctor, patient, "waiting", now, now + RESPONSE_TIMEOUT, by, appointment)
        self.notify(self.tell(session, command, "started"), doctor, "session_started")
        return session

    def write(self, session: TextSession, by: str = "doctor") -> Record:
        now = at(self.now_ms + 1_000)
        counts = {f"{by}_activity_count": getattr(session, f"{by}_activity_count") + 1}
        later: dict[str, Any] = {} if session.status == "waiting" else {"deadline_at": now + INACTIVITY_TIMEOUT}
        event = self._change(session, "record_activity", "activity_recorded", by, last_activity_at="now", **counts, **later)
        if session.status == "waiting" and by == "doctor":
            session.status, session.activated_at, session.deadline_at = "active", now, now + INACTIVITY_TIMEOUT
            session.version += 1
            self.tell(session, session.commands[-1], "activated", index=1)
        return event

    # Time

    def time_out(self, session: Call | TextSession, *, late_ms: int = 0) -> Record:
        """The sweep comes so long after the deadline."""
        assert session.deadline_at is not None
        self.now_ms = max(self.now_ms, milliseconds(session.deadline_at) + late_ms - 999)
        command = self.command_of(f"calls.{session.entity}.time_out.v1", self._named(session, None))
        return self.lapse(session, command)

    def lapse(self, session: Call | TextSession, command: Record, index: int = 0) -> Record:
        """What a passed deadline leads to, told with a command."""
        deadline = session.deadline_at
        free = session.status in {"connecting", "waiting"}
        word = {"connecting": "failed", "waiting": "expired"}.get(session.status, "ended")
        reasons = {"connecting": "connect_timeout", "reconnecting": "reconnect_timeout", "waiting": "no_answer", "active": "inactivity"}
        session.ended_at, session.ended_by, session.reason = deadline, "system", reasons[session.status]
        if isinstance(session, Call):
            session.ended_at = session.disconnected_at or deadline
            session.failure_reason = "Connection timeout after 90 seconds" if free else None
        session.status, session.deadline_at = word, None
        session.version += 1
        event = self.tell(session, command, word, time=deadline, index=index, **({"sessions_used": 0} if free else {}))
        if free:
            self.notify(event, session.patient_id, f"{'call' if isinstance(session, Call) else 'session'}_{word}", "critical")
        else:
            for recipient in (session.doctor_id, session.patient_id):
                self.notify(event, recipient, "session_ended")
        self._complete(session, event)
        return event

    # How all of it is published

    def tell(
        self, session: Call | TextSession, command: Record, word: str, *, time: datetime | None = None, index: int = 0, **more: Any
    ) -> Record:
        fields = session.state(time or at(command.timestamp_ms)) | more
        event = self.event_of(f"calls.{session.entity}.{word}.v1", command, fields, subject=session.session_id, time=time, index=index)
        session.events.append(event)
        if command not in session.commands:
            session.commands.append(command)
        return event

    def _start(self, entity: str, data: dict[str, Any], doctor: str, patient: str, by: str, appointment: str | None) -> Record:
        who = {"role": by, "id": doctor if by == "doctor" else patient}
        named = {} if appointment is None else {"appointment_id": appointment}
        return self.command_of(f"calls.{entity}.start.v1", data | named | {"doctor_id": doctor, "patient_id": patient, "actor": who})

    def _named(self, session: Call | TextSession, by: str | None) -> dict[str, Any]:
        who = {"doctor": session.doctor_id, "patient": session.patient_id}
        actor = {} if by is None else {"actor": {"role": by, "id": who.get(by, "caremesh")}}
        return {f"{'call' if isinstance(session, Call) else 'session'}_id": session.session_id, "doctor_id": session.doctor_id, **actor}

    def _change(
        self,
        session: Call | TextSession,
        command_word: str,
        event_word: str,
        by: str = "patient",
        *,
        command: Record | None = None,
        **state: Any,
    ) -> Record:
        """A change of state: ``now`` stands for the time of its command."""
        command = command or self.command_of(f"calls.{session.entity}.{command_word}.v1", self._named(session, by))
        session.version += 1
        for name, value in state.items():
            setattr(session, name, at(command.timestamp_ms) if value == "now" else value)
        return self.tell(session, command, event_word)

    def _over(
        self,
        session: Call | TextSession,
        command_word: str,
        event_word: str,
        by: str,
        *,
        tell: tuple[str, ...],
        template: str,
        ended_at: Any = "now",
        command: Record | None = None,
        **state: Any,
    ) -> Record:
        event = self._change(
            session, command_word, event_word, by, command=command, ended_at=ended_at, ended_by=by, deadline_at=None, **state
        )
        for recipient in tell:
            self.notify(event, recipient, template)
        self._complete(session, event)
        return event

    def _complete(self, session: Call | TextSession, event: Record) -> None:
        """Booking is asked to complete the appointment, if the two met."""
        took_place = session.connected_at if isinstance(session, Call) else session.activated_at
        if session.appointment_id is None or took_place is None:
            return
        actor = {"role": "system", "id": "caremesh-calls"}
        data = {"appointment_id": session.appointment_id, "doctor_id": session.doctor_id, "actor": actor}
        cause = header(session.commands[-1] if session.commands else event, "ce_id")
        self.request_of("booking.appointment.complete.v1", data, cause=cause)
