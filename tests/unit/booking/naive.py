"""Booking again, as plainly as it can be said: two lists, every rule a loop over all of one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from services.booking.domain.appointment import Appointment, Rules
from services.booking.domain.time_off import TimeOff
from services.booking.working_set import Appointments, Pending
from shared.codec.decode import Received
from shared.messages.booking import (
    AppointmentCommand,
    AppointmentStatus,
    BlockTimeOff,
    BookAppointment,
    BookingCommand,
    ImportAppointment,
    ProposeReschedule,
    TimeOffCommand,
)
from shared.messages.events import Event
from shared.messages.fields import Actor, Role
from tests.examples import NOW, hours, minutes

NAIVE_RULES: Final = Rules(
    pending_expiry=hours(6),
    expiry_warning=hours(1),
    max_pending_per_patient=2,
    max_ahead=timedelta(days=2),
    no_show_after=minutes(30),
)
WAITING: Final = ("pending", "reschedule_proposed")
OPEN: Final = ("pending", "confirmed", "reschedule_proposed")
#: Verb → the statuses that allow it, and what a person must be to use it.
TABLE: Final[Mapping[str, tuple[tuple[str, ...], str]]] = {
    "confirm": (("pending",), "doctor"),
    "decline": (("pending",), "doctor"),
    "cancel": (OPEN, "patient or doctor"),
    "propose_reschedule": (("pending", "confirmed"), "doctor"),
    "accept_reschedule": (("reschedule_proposed",), "patient"),
    "reject_reschedule": (("reschedule_proposed",), "patient"),
    "withdraw_reschedule": (("reschedule_proposed",), "doctor"),
    "complete": (("confirmed",), "doctor or system"),
    "mark_no_show": (("confirmed",), "doctor or system"),
    "expire": (WAITING, "system"),
    "warn_expiry": (("pending",), "system"),
}
#: Verb → the status that it leads to, and the word of the event.
ENDS: Final = {
    "confirm": ("confirmed", "confirmed"),
    "decline": ("cancelled", "declined"),
    "cancel": ("cancelled", "cancelled"),
    "accept_reschedule": ("confirmed", "rescheduled"),
    "complete": ("completed", "completed"),
    "mark_no_show": ("no_show", "no_show"),
}


@dataclass
class Entry:
    """One appointment in the list."""

    identifier: str
    doctor_id: str
    patient_id: str
    starts_at: datetime
    length: timedelta
    expires_at: datetime
    proposed: datetime | None = None
    before: str = ""
    status: str = "pending"
    version: int = 1
    warned: bool = False
    changed_at: datetime = NOW

    def lapsed(self, now: datetime) -> bool:
        return self.status in WAITING and now > self.expires_at

    def holds(self, now: datetime) -> bool:
        return self.status in OPEN and not self.lapsed(now)

    def starts(self) -> list[datetime]:
        return [self.starts_at] if self.proposed is None else [self.starts_at, self.proposed]

    def meets(self, start: datetime, length: timedelta) -> bool:
        return any(not (own + self.length <= start or start + length <= own) for own in self.starts())


@dataclass
class Off:
    """One time off in the list."""

    identifier: str
    doctor_id: str
    starts_at: datetime
    ends_at: datetime
    status: str = "blocked"
    version: int = 1

    def meets(self, start: datetime, length: timedelta) -> bool:
        return self.status == "blocked" and not (self.ends_at <= start or start + length <= self.starts_at)


class Naive:
    """The lists, and what each command comes to."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.offs: list[Off] = []

    def decide(self, command: Received) -> list[str]:
        """The last words of the events' types, or the reason of the refusal; closed ones with their id."""
        content, now = command.content, command.log_time
        assert isinstance(content, BookingCommand)
        match content:
            case BookAppointment():
                return self._book(content, now)
            case ImportAppointment():
                return self._import(content, now)
            case TimeOffCommand():
                return [self._time_off(content, now)]
            case ProposeReschedule():
                return self._propose(content, now)
            case _:
                return [self._answer(content, now)]

    def _named(self, appointment_id: str, doctor_id: str) -> Entry | None:
        found = [entry for entry in self.entries if (entry.identifier, entry.doctor_id) == (appointment_id, doctor_id)]
        return found[0] if found else None

    def _not_allowed(self, entry: Entry, verb: str, actor: Actor | None) -> str | None:
        statuses, person = TABLE[verb]
        if actor is not None and not self._may(entry, actor.role, actor.id, person):
            return "not_a_party"
        return "wrong_status" if entry.status not in statuses else None

    def _may(self, entry: Entry, role: Role, identifier: str, person: str) -> bool:
        return role in person and identifier == {"patient": entry.patient_id, "doctor": entry.doctor_id}.get(role, identifier)

    def _book(self, command: BookAppointment, now: datetime) -> list[str]:
        length = minutes(command.duration_minutes)
        in_order = {
            "starts_in_the_past": command.starts_at < now,
            "too_far_ahead": command.starts_at > now + NAIVE_RULES.max_ahead,
            "appointment_exists": any(entry.identifier == command.appointment_id for entry in self.entries),
            "too_many_pending": self._waits(command.patient_id, now) >= NAIVE_RULES.max_pending_per_patient,
        }
        deadline = min(now + NAIVE_RULES.pending_expiry, command.starts_at)
        asked = Entry(
            command.appointment_id or "", command.doctor_id, command.patient_id, command.starts_at, length, deadline, changed_at=now
        )
        refusal = next((reason for reason, holds in in_order.items() if holds), None) or self._taken(asked, asked.starts(), now)
        return [refusal] if refusal is not None else self._enter(asked, "booked", now)

    def _import(self, command: ImportAppointment, now: datetime) -> list[str]:
        if any(entry.identifier == command.appointment_id for entry in self.entries):
            return ["appointment_exists"]
        status, start = str(command.status), command.starts_at
        proposed = (command.proposed_starts_at or start) if status == "reschedule_proposed" else None
        deadline = min(start, proposed) if proposed is not None else min(min(command.created_at, now) + NAIVE_RULES.pending_expiry, start)
        asked = Entry(
            command.appointment_id or "",
            command.doctor_id,
            command.patient_id,
            start,
            minutes(command.duration_minutes),
            max(now, deadline),
            proposed,
            "pending",
            status,
            changed_at=now,
        )
        refusal = self._taken(asked, asked.starts(), now) if status in OPEN else None
        return [refusal] if refusal is not None else self._enter(asked, "imported", now)

    def _enter(self, asked: Entry, word: str, now: datetime) -> list[str]:
        closed = self._close_lapsed(asked, asked.starts(), now) if asked.status in OPEN else []
        self.entries.append(asked)
        return [word, *closed]

    def _waits(self, patient_id: str, now: datetime) -> int:
        return sum(entry.patient_id == patient_id and entry.status == "pending" and not entry.lapsed(now) for entry in self.entries)

    def _taken(self, asked: Entry, starts: Sequence[datetime], now: datetime) -> str | None:
        """Why these times cannot be taken for an appointment."""
        for start in starts:
            others = [e for e in self.entries if e is not asked and e.holds(now) and e.meets(start, asked.length)]
            offs = [off for off in self.offs if off.doctor_id == asked.doctor_id and off.meets(start, asked.length)]
            if offs or any(entry.doctor_id == asked.doctor_id for entry in others):
                return "slot_already_booked"
        for start in starts:
            others = [e for e in self.entries if e is not asked and e.holds(now) and e.meets(start, asked.length)]
            if any(entry.patient_id == asked.patient_id for entry in others):
                return "patient_already_booked"
        return None

    def _close_lapsed(self, asked: Entry, starts: Sequence[datetime], now: datetime) -> list[str]:
        closed = [
            entry
            for entry in self.entries
            if entry is not asked
            and entry.doctor_id == asked.doctor_id
            and entry.lapsed(now)
            and any(entry.meets(start, asked.length) for start in starts)
        ]
        return sorted(self._expire(entry, now) for entry in closed)

    def _propose(self, command: ProposeReschedule, now: datetime) -> list[str]:
        entry, start = self._named(command.appointment_id, command.doctor_id), command.starts_at
        now = max(now, entry.changed_at) if entry is not None else now
        if not now <= start <= now + NAIVE_RULES.max_ahead:
            return ["starts_in_the_past" if start < now else "too_far_ahead"]
        if entry is None:
            return ["appointment_not_found"]
        refusal = self._not_allowed(entry, "propose_reschedule", command.actor)
        if refusal is None and (entry.lapsed(now) or entry.starts_at < now):
            refusal = "expired"
        if refusal := refusal or self._taken(entry, [start], now):
            return [refusal]
        closed = self._close_lapsed(entry, [start], now)
        self._become(entry, "reschedule_proposed", now, before=entry.status)
        entry.proposed, entry.expires_at = start, min(entry.starts_at, start)
        return ["reschedule_proposed", *closed]

    def _answer(self, command: AppointmentCommand, now: datetime) -> str:
        entry, verb = self._named(command.entity_id or "", command.doctor_id), command.type.split(".")[2]
        if entry is None:
            return "appointment_not_found"
        now, actor = max(now, entry.changed_at), getattr(command, "actor", None)
        if refusal := self._not_allowed(entry, verb, actor):
            return refusal
        if verb in {"expire", "warn_expiry"}:
            return self._expire(entry, now) if verb == "expire" else self._warn(entry, now)
        if entry.lapsed(now):
            return "expired"
        return "not_due" if self._is_early(entry, verb, actor, now) else self._change(entry, verb, now)

    def _change(self, entry: Entry, verb: str, now: datetime) -> str:
        if verb in {"reject_reschedule", "withdraw_reschedule"}:
            self._become(entry, entry.before, now)
            entry.expires_at, entry.warned = min(now + NAIVE_RULES.pending_expiry, entry.starts_at), False
            return "reschedule_rejected" if verb == "reject_reschedule" else "reschedule_withdrawn"
        if verb == "accept_reschedule":
            assert entry.proposed is not None
            entry.starts_at = entry.proposed
        status, word = ENDS[verb]
        self._become(entry, status, now)
        return word

    def _is_early(self, entry: Entry, verb: str, actor: Actor | None, now: datetime) -> bool:
        if verb not in {"complete", "mark_no_show"}:
            return False
        if actor is not None and actor.role is Role.SYSTEM:
            return verb == "mark_no_show" and now < entry.starts_at + NAIVE_RULES.no_show_after
        return now < entry.starts_at

    def _become(self, entry: Entry, status: str, now: datetime, *, before: str = "") -> None:
        entry.status, entry.before, entry.proposed = status, before, None
        entry.version, entry.changed_at = entry.version + 1, now

    def _expire(self, entry: Entry, now: datetime) -> str:
        if not entry.lapsed(now):
            return "not_due"
        self._become(entry, "cancelled", entry.expires_at)
        return f"expired {entry.identifier}"

    def _warn(self, entry: Entry, now: datetime) -> str:
        if entry.warned:
            return "already_warned"
        if entry.lapsed(now):
            return "expired"
        if now < entry.expires_at - NAIVE_RULES.expiry_warning:
            return "not_due"
        entry.warned = True
        return "expiring"

    def _time_off(self, command: TimeOffCommand, now: datetime) -> str:
        found = [off for off in self.offs if off.identifier == command.time_off_id]
        if isinstance(command, BlockTimeOff):
            if found:
                return "time_off_exists"
            length = command.ends_at - command.starts_at
            if any(e.doctor_id == command.doctor_id and e.holds(now) and e.meets(command.starts_at, length) for e in self.entries):
                return "slot_already_booked"
            self.offs.append(Off(command.time_off_id, command.doctor_id, command.starts_at, command.ends_at))
            return "blocked"
        if not found or found[0].doctor_id != command.doctor_id:
            return "time_off_not_found"
        if found[0].status == "unblocked":
            return "wrong_status"
        found[0].status, found[0].version = "unblocked", 2
        return "unblocked"

    def standing(self) -> dict[str, tuple[str, int]]:
        """Appointment or time off → its status and version."""
        entries = {entry.identifier: (entry.status, entry.version) for entry in self.entries}
        return entries | {off.identifier: (off.status, off.version) for off in self.offs}


def words_of(events: Sequence[Event]) -> list[str]:
    """What ``Naive.decide`` would have said."""
    words = []
    for event in events:
        word = event.type.split(".")[2]
        if word == "rejected":
            word = str(event.body["reason"])
        elif word == "expired":
            word = f"expired {event.subject}"
        words.append(word)
    return [words[0], *sorted(words[1:])]


class Shelf:
    """A store in memory: what the tables hold, and what a batch loads of it."""

    def __init__(self, rules: Rules = NAIVE_RULES) -> None:
        self.rules = rules
        self.rows: dict[str, Appointment] = {}
        self.time_off: dict[str, TimeOff] = {}

    def decide(self, batch: Sequence[Received]) -> list[list[Event]]:
        """Decide a batch in one working set, and keep what it changed."""
        working_set = Appointments(self.rules, self.rows.values(), self._pending(batch), self.time_off.values())
        events = [working_set.decide(command) for command in batch]
        self.rows |= {row.appointment_id: row for row in (*working_set.new, *working_set.moved, *working_set.changed)}
        self.time_off |= {row.time_off_id: row for row in (*working_set.new_time_off, *working_set.changed_time_off)}
        return events

    def standing(self) -> dict[str, tuple[str, int]]:
        """Appointment or time off → its status and version."""
        rows = {identifier: (str(row.status), row.version) for identifier, row in self.rows.items()}
        return rows | {identifier: (str(off.status), off.version) for identifier, off in self.time_off.items()}

    def _pending(self, batch: Sequence[Received]) -> Mapping[str, Pending]:
        books = [command.content for command in batch if isinstance(command.content, BookAppointment)]
        if not books:
            return {}
        times = [command.log_time for command in batch]
        return {book.patient_id: self._pending_of(book.patient_id, min(times), max(times)) for book in books}

    def _pending_of(self, patient_id: str, first: datetime, last: datetime) -> Pending:
        deadlines = [
            row.expires_at
            for row in self.rows.values()
            if row.patient_id == patient_id and row.status is AppointmentStatus.PENDING and row.expires_at is not None
        ]
        return Pending(last, sum(deadline > last for deadline in deadlines), [d for d in deadlines if first <= d <= last])
