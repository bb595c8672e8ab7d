"""What booking publishes, as the contract says it looks."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from shared.auditor import Record
from tests.unit.auditor.mesh_log import MORNING, TOPICS, MeshLog, at, iso, milliseconds

BOOKING = TOPICS["booking"]
#: When the first appointment of a story starts.
SLOT = MORNING + timedelta(days=2, hours=1)
LIMIT = timedelta(hours=24)
HALF_AN_HOUR = timedelta(minutes=30)
DAY_MS = 86_400_000


@dataclass
class Appointment:
    """What the mesh knows of one appointment."""

    appointment_id: str
    doctor_id: str
    patient_id: str
    starts_at: datetime
    version: int
    status: str
    expires_at: datetime | None
    proposed_starts_at: datetime | None = None
    status_before_proposal: str | None = None
    cancelled_by: str | None = None
    absent: str | None = None
    events: list[Record] = field(default_factory=list)
    commands: list[Record] = field(default_factory=list)


@dataclass
class TimeOff:
    """What the mesh knows of one time off."""

    time_off_id: str
    doctor_id: str
    starts_at: datetime
    ends_at: datetime
    version: int = 1
    status: str = "blocked"
    events: list[Record] = field(default_factory=list)


class BookingLog(MeshLog):
    """The topics of booking, growing."""

    service = "booking"
    runs = ("booking",)

    def command(self, word: str, data: dict[str, Any], *, entity: str = "appointment", **how: Any) -> Record:
        return self.command_of(f"booking.{entity}.{word}.v1", data, **how)

    def event(self, word: str, command: Record, fields: dict[str, Any], **how: Any) -> Record:
        return self.event_of(f"booking.appointment.{word}.v1", command, fields, subject=fields.get("appointment_id"), **how)

    def book(
        self, name: str = "1", *, doctor: str = "doc-a", patient: str = "pat-a", starts_at: datetime = SLOT, **how: Any
    ) -> Appointment:
        appointment = Appointment(f"apt-{name}", doctor, patient, starts_at, 1, "pending", None)
        command = self.command("book", asked(appointment), **how)
        appointment.expires_at = min(at(command.timestamp_ms) + LIMIT, starts_at)
        event = self._tell_of(appointment, command, "booked")
        self.notify(event, doctor, "appointment_requested")
        self.notify(event, patient, "appointment_booked")
        return appointment

    def take_in(
        self,
        name: str = "1",
        *,
        doctor: str = "doc-a",
        patient: str = "pat-a",
        starts_at: datetime = SLOT,
        status: str = "confirmed",
        proposed_starts_at: datetime | None = None,
    ) -> Appointment:
        appointment = Appointment(f"apt-{name}", doctor, patient, starts_at, 1, status, None, proposed_starts_at)
        admin = {"role": "admin", "id": "admin-1"}
        command = self.command("import", asked(appointment) | {"status": status, "created_at": iso(MORNING), "actor": admin})
        now = at(command.timestamp_ms)
        if status == "pending":
            appointment.expires_at = max(now, min(MORNING + LIMIT, starts_at))
        elif status == "reschedule_proposed":
            appointment.status_before_proposal = "pending"
            appointment.proposed_starts_at = proposed_starts_at or starts_at
            appointment.expires_at = max(now, min(starts_at, appointment.proposed_starts_at))
        self._tell_of(appointment, command, "imported")
        return appointment

    def change(
        self,
        appointment: Appointment,
        command_word: str,
        event_word: str,
        *,
        by: str | None = "doctor",
        tell: tuple[str, ...] = (),
        template: str | None = None,
        asked: dict[str, Any] | None = None,
        **state: Any,
    ) -> Record:
        """A change of state: what is not given of the state is settled by it."""
        command = self.command(command_word, self._named(appointment, by) | (asked or {}))
        appointment.version += 1
        settled = {"expires_at": None, "proposed_starts_at": None, "status_before_proposal": None}
        for name, value in (settled | state).items():
            setattr(appointment, name, value)
        event = self._tell_of(appointment, command, event_word)
        for recipient in tell:
            self.notify(event, recipient, template or f"appointment_{event_word}", "critical" if event_word == "expired" else "normal")
        return event

    def _tell_of(self, appointment: Appointment, command: Record, word: str) -> Record:
        event = self.event(word, command, state(appointment))
        appointment.commands.append(command)
        appointment.events.append(event)
        return event

    def _named(self, appointment: Appointment, by: str | None) -> dict[str, Any]:
        who = {"doctor": appointment.doctor_id, "patient": appointment.patient_id}
        actor = {} if by is None else {"actor": {"role": by, "id": who.get(by, "somebody")}}
        return {"appointment_id": appointment.appointment_id, "doctor_id": appointment.doctor_id, **actor}

    def confirm(self, appointment: Appointment, *, by: str = "doctor") -> Record:
        return self.change(appointment, "confirm", "confirmed", by=by, tell=(appointment.patient_id,), status="confirmed")

    def decline(self, appointment: Appointment) -> Record:
        return self.change(appointment, "decline", "declined", tell=(appointment.patient_id,), status="cancelled", cancelled_by="doctor")

    def cancel(self, appointment: Appointment, by: str = "patient") -> Record:
        parties = {"doctor": appointment.doctor_id, "patient": appointment.patient_id}
        tell = tuple(party for role, party in parties.items() if role != by)
        return self.change(appointment, "cancel", "cancelled", by=by, tell=tell, status="cancelled", cancelled_by=by)

    def expire(self, appointment: Appointment) -> Record:
        assert appointment.expires_at is not None
        self.now_ms = max(self.now_ms, milliseconds(appointment.expires_at))
        return self.change(
            appointment, "expire", "expired", by=None, tell=(appointment.patient_id,), status="cancelled", cancelled_by="system"
        )

    def warn_of_expiry(self, appointment: Appointment) -> Record:
        command = self.command("warn_expiry", self._named(appointment, None))
        event = self.event("expiring", command, state(appointment))
        for recipient in (appointment.doctor_id, appointment.patient_id):
            self.notify(event, recipient, "appointment_expiring")
        return event

    def propose(self, appointment: Appointment, starts_at: datetime) -> Record:
        return self.change(
            appointment,
            "propose_reschedule",
            "reschedule_proposed",
            tell=(appointment.patient_id,),
            template="reschedule_proposed",
            asked={"starts_at": iso(starts_at)},
            status="reschedule_proposed",
            status_before_proposal=appointment.status,
            proposed_starts_at=starts_at,
            expires_at=min(appointment.starts_at, starts_at),
        )

    def accept(self, appointment: Appointment) -> Record:
        return self.change(
            appointment,
            "accept_reschedule",
            "rescheduled",
            by="patient",
            tell=(appointment.patient_id,),
            template="rescheduled",
            status="confirmed",
            starts_at=appointment.proposed_starts_at,
        )

    def reject(self, appointment: Appointment) -> Record:
        return self._restore(appointment, "reject_reschedule", "reschedule_rejected", by="patient", tell=appointment.doctor_id)

    def withdraw(self, appointment: Appointment) -> Record:
        return self._restore(appointment, "withdraw_reschedule", "reschedule_withdrawn", by="doctor", tell=appointment.patient_id)

    def _restore(self, appointment: Appointment, command_word: str, event_word: str, *, by: str, tell: str) -> Record:
        before = appointment.status_before_proposal
        deadline = min(at(self.now_ms + 1_000) + LIMIT, appointment.starts_at) if before == "pending" else None
        return self.change(
            appointment, command_word, event_word, by=by, tell=(tell,), template=event_word, status=before, expires_at=deadline
        )

    def complete(self, appointment: Appointment, by: str = "doctor") -> Record:
        return self.change(appointment, "complete", "completed", by=by, status="completed")

    def miss(self, appointment: Appointment, by: str = "system") -> Record:
        tell = (appointment.doctor_id, appointment.patient_id)
        return self.change(
            appointment, "mark_no_show", "no_show", by=by, tell=tell, asked={"absent": "patient"}, status="no_show", absent="patient"
        )

    def block(
        self,
        name: str = "1",
        *,
        doctor: str = "doc-a",
        starts_at: datetime = SLOT,
        ends_at: datetime = SLOT + HALF_AN_HOUR,
        by: str = "doctor",
    ) -> TimeOff:
        off = TimeOff(f"off-{name}", doctor, starts_at, ends_at)
        command = self.command("block", time_off(off) | {"actor": {"role": by, "id": doctor}}, entity="time_off")
        off.events.append(self.event_of("booking.time_off.blocked.v1", command, time_off_state(off), subject=off.time_off_id))
        return off

    def unblock(self, off: TimeOff) -> Record:
        data = {"time_off_id": off.time_off_id, "doctor_id": off.doctor_id, "actor": {"role": "admin", "id": "admin-1"}}
        command = self.command("unblock", data, entity="time_off")
        off.version, off.status = off.version + 1, "unblocked"
        off.events.append(self.event_of("booking.time_off.unblocked.v1", command, time_off_state(off), subject=off.time_off_id))
        return off.events[-1]

    def refused_book(
        self, winner: Appointment | TimeOff, reason: str = "slot_already_booked", patient: str = "pat-late", **fields: Any
    ) -> Record:
        data = {"doctor_id": winner.doctor_id, "patient_id": patient, "starts_at": iso(winner.starts_at), "modality": "video"}
        command = self.command("book", data)
        return self.refuse(
            command, reason, appointment_id=f"apt-late-{self._serial}", patient_id=patient, **{"conflict": conflict(winner), **fields}
        )


def conflict(holder: Appointment | TimeOff, **fields: Any) -> dict[str, Any]:
    name = {"time_off_id": holder.time_off_id} if isinstance(holder, TimeOff) else {"appointment_id": holder.appointment_id}
    return {**name, "starts_at": iso(holder.starts_at), "ends_at": iso(holder.starts_at + HALF_AN_HOUR), **fields}


def asked(appointment: Appointment) -> dict[str, Any]:
    return {
        "appointment_id": appointment.appointment_id,
        "doctor_id": appointment.doctor_id,
        "patient_id": appointment.patient_id,
        "starts_at": iso(appointment.starts_at),
        "modality": "video",
        "actor": {"role": "patient", "id": appointment.patient_id},
    }


def state(appointment: Appointment) -> dict[str, Any]:
    def moment(time: datetime | None) -> str | None:
        return None if time is None else iso(time)

    return {
        "appointment_id": appointment.appointment_id,
        "doctor_id": appointment.doctor_id,
        "patient_id": appointment.patient_id,
        "starts_at": iso(appointment.starts_at),
        "duration_minutes": 30,
        "modality": "video",
        "user_timezone": "UTC",
        "status": appointment.status,
        "expires_at": moment(appointment.expires_at),
        "created_at": iso(MORNING),
        "cancelled_by": appointment.cancelled_by,
        "cancellation_reason": None,
        "proposed_starts_at": moment(appointment.proposed_starts_at),
        "status_before_proposal": appointment.status_before_proposal,
        "absent": appointment.absent,
        "version": appointment.version,
    }


def time_off(off: TimeOff) -> dict[str, Any]:
    return {"time_off_id": off.time_off_id, "doctor_id": off.doctor_id, "starts_at": iso(off.starts_at), "ends_at": iso(off.ends_at)}


def time_off_state(off: TimeOff) -> dict[str, Any]:
    return time_off(off) | {"status": off.status, "created_at": iso(MORNING), "version": off.version}
