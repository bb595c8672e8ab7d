"""Booking again, as plainly as it can be said: one list, every rule a loop over all of it. And random days to compare by."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from hypothesis import strategies as st

from services.booking.domain.appointment import Appointment, Rules
from services.booking.working_set import Appointments, Pending
from shared.codec.decode import Received
from shared.messages.booking import AppointmentStatus, BookAppointment, BookingCommand
from shared.messages.events import Event
from tests.examples import (
    MILLISECOND,
    NOW,
    example_booking,
    example_cancel,
    example_confirm,
    example_decline,
    example_expire,
    example_warning,
    hours,
    minutes,
    patient,
    received,
)

NAIVE_RULES: Final = Rules(pending_expiry=hours(6), expiry_warning=hours(1), max_pending_per_patient=2, max_ahead=timedelta(days=2))
OPEN: Final = ("pending", "confirmed")


@dataclass
class Entry:
    """One appointment in the list."""

    identifier: str
    doctor_id: str
    patient_id: str
    starts_at: datetime
    ends_at: datetime
    expires_at: datetime
    status: str = "pending"
    version: int = 1
    warned: bool = False
    changed_at: datetime = NOW

    def lapsed(self, now: datetime) -> bool:
        return self.status == "pending" and now > self.expires_at

    def holds(self, now: datetime) -> bool:
        return self.status in OPEN and not self.lapsed(now)

    def meets(self, other: "Entry") -> bool:
        return not (self.ends_at <= other.starts_at or other.ends_at <= self.starts_at)


class Naive:
    """The list, and what each command comes to."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def decide(self, command: Received) -> list[str]:
        """The last words of the events' types, or the reason of the refusal; closed ones with their id."""
        content, now = command.content, command.log_time
        if isinstance(content, BookAppointment):
            return self._book(content, now)
        assert isinstance(content, BookingCommand)
        found = [entry for entry in self.entries if entry.identifier == content.appointment_id and entry.doctor_id == content.doctor_id]
        if not found:
            return ["appointment_not_found"]
        entry = found[0]
        if content.actor is not None and content.actor.id not in {entry.doctor_id, entry.patient_id}:
            return ["not_a_party"]
        return [self._change(entry, content.type.split(".")[2], max(now, entry.changed_at))]

    def _book(self, command: BookAppointment, now: datetime) -> list[str]:
        assert command.appointment_id is not None
        asked = Entry(
            command.appointment_id,
            command.doctor_id,
            command.patient_id,
            command.starts_at,
            command.starts_at + minutes(command.duration_minutes),
            min(now + NAIVE_RULES.pending_expiry, command.starts_at),
            changed_at=now,
        )
        refusal = self._why_not(asked, now)
        if refusal is not None:
            return [refusal]
        closed = [e for e in self.entries if e.doctor_id == asked.doctor_id and e.lapsed(now) and e.meets(asked)]
        for entry in closed:
            entry.status, entry.version, entry.changed_at = "cancelled", entry.version + 1, entry.expires_at
        self.entries.append(asked)
        return ["booked", *sorted(f"expired {entry.identifier}" for entry in closed)]

    def _why_not(self, asked: Entry, now: datetime) -> str | None:
        own = [entry for entry in self.entries if entry.patient_id == asked.patient_id]
        of_doctor = [entry for entry in self.entries if entry.doctor_id == asked.doctor_id]
        waiting = [entry for entry in own if entry.status == "pending" and not entry.lapsed(now)]
        in_order = {
            "starts_in_the_past": asked.starts_at < now,
            "too_far_ahead": asked.starts_at > now + NAIVE_RULES.max_ahead,
            "appointment_exists": any(entry.identifier == asked.identifier for entry in self.entries),
            "too_many_pending": len(waiting) >= NAIVE_RULES.max_pending_per_patient,
            "slot_already_booked": any(entry.holds(now) and entry.meets(asked) for entry in of_doctor),
            "patient_already_booked": any(entry.holds(now) and entry.meets(asked) for entry in own),
        }
        return next((reason for reason, holds in in_order.items() if holds), None)

    def _change(self, entry: Entry, verb: str, now: datetime) -> str:
        allowed = OPEN if verb == "cancel" else ("pending",)
        if entry.status not in allowed:
            return "wrong_status"
        if verb == "warn_expiry":
            return self._warn(entry, now)
        if verb == "expire":
            if not entry.lapsed(now):
                return "not_due"
            now = entry.expires_at
        elif entry.lapsed(now):
            return "expired"
        entry.status = "confirmed" if verb == "confirm" else "cancelled"
        entry.version += 1
        entry.changed_at = now
        return {"confirm": "confirmed", "decline": "declined", "cancel": "cancelled", "expire": f"expired {entry.identifier}"}[verb]

    def _warn(self, entry: Entry, now: datetime) -> str:
        if entry.warned:
            return "already_warned"
        if entry.lapsed(now):
            return "expired"
        if now < entry.expires_at - NAIVE_RULES.expiry_warning:
            return "not_due"
        entry.warned = True
        return "expiring"


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

    def decide(self, batch: Sequence[Received]) -> list[list[Event]]:
        """Decide a batch in one working set, and keep what it changed."""
        working_set = Appointments(self.rules, self.rows.values(), self._pending(batch))
        events = [working_set.decide(command) for command in batch]
        for appointment in [*working_set.booked, *working_set.changed]:
            self.rows[appointment.appointment_id] = appointment
        return events

    def _pending(self, batch: Sequence[Received]) -> Mapping[str, Pending]:
        books = [(command.log_time, command.content) for command in batch if isinstance(command.content, BookAppointment)]
        if not books:
            return {}
        first, last = min(time for time, _ in books), max(time for time, _ in books)
        return {book.patient_id: self._pending_of(book.patient_id, first, last) for _, book in books}

    def _pending_of(self, patient_id: str, first: datetime, last: datetime) -> Pending:
        deadlines = [
            row.expires_at
            for row in self.rows.values()
            if row.patient_id == patient_id and row.status is AppointmentStatus.PENDING and row.expires_at is not None
        ]
        return Pending(last, sum(deadline > last for deadline in deadlines), [d for d in deadlines if first <= d <= last])


@dataclass(frozen=True, kw_only=True)
class Step:
    """One command in the making; what it is about depends on the steps before."""

    verb: str
    doctor: int
    patient: int
    quarters_ahead: int
    shift: int
    duration_minutes: int
    target: int
    is_lost: bool
    pause: timedelta


_STEPS: Final = st.builds(
    Step,
    verb=st.sampled_from([*["book"] * 5, "confirm", "decline", "cancel", "expire", "expire", "warn_expiry"]),
    doctor=st.integers(0, 1),
    patient=st.integers(0, 2),
    # Starts and deadlines that meet exactly, and by a millisecond not.
    quarters_ahead=st.sampled_from([0, 1, 2, 3, 4, 5, 6, 8, 20, 24, 26, 28]),
    shift=st.sampled_from([0, 0, 0, 0, 1, -1]),
    duration_minutes=st.sampled_from([15, 30, 60, 480]),
    target=st.integers(0, 5),
    is_lost=st.sampled_from([*[False] * 9, True]),
    pause=st.sampled_from([*[timedelta()] * 5, MILLISECOND, minutes(15), minutes(30), hours(6), hours(6) + MILLISECOND]),
)


def _at_their_times(steps: Iterable[Step], *, back: timedelta = timedelta()) -> list[Received]:
    now = NOW
    commands: list[Received] = []
    booked: list[BookAppointment] = []
    for index, step in enumerate(steps):
        now += step.pause
        command: BookingCommand
        if step.verb == "book" or not booked:
            command = _booking(step, now, booked)
            booked.append(command)
        else:
            command = _answer(step, booked[-1 - step.target % len(booked)])
        commands.append(received(command, identifier=f"command-{index}", at=now - back * (index % 2), offset=index))
    return commands


def _booking(step: Step, now: datetime, booked: Sequence[BookAppointment]) -> BookAppointment:
    used = booked and step.is_lost
    quarter = NOW + (now - NOW) // minutes(15) * minutes(15)
    return example_booking(
        appointment_id=booked[0].appointment_id if used else f"apt-{len(booked)}",
        doctor_id=f"doctor-{step.doctor}",
        patient_id=f"patient-{step.patient}",
        starts_at=quarter + minutes(15 * step.quarters_ahead) + step.shift * MILLISECOND,
        duration_minutes=step.duration_minutes,
    )


def _answer(step: Step, booking: BookAppointment) -> BookingCommand:
    assert booking.appointment_id is not None
    doctor_id = "doctor-9" if step.is_lost else booking.doctor_id
    examples: dict[str, Callable[..., BookingCommand]] = {
        "confirm": example_confirm,
        "decline": example_decline,
        "expire": example_expire,
        "warn_expiry": example_warning,
    }
    if step.verb == "cancel":
        return example_cancel(appointment_id=booking.appointment_id, doctor_id=doctor_id, actor=patient(booking.patient_id))
    return examples[step.verb](appointment_id=booking.appointment_id, doctor_id=doctor_id)


#: What happens on a day: commands in log order.
days = st.lists(_STEPS, min_size=8, max_size=30).map(_at_their_times)
#: The same, from two partitions whose records do not come in the order of time.
days_of_two_partitions = st.builds(
    lambda steps, back: _at_their_times(steps, back=back),
    st.lists(_STEPS, min_size=8, max_size=30),
    st.sampled_from([timedelta(), timedelta(), MILLISECOND, hours(1), hours(6)]),
)
#: How many records each poll hands over.
cuts = st.lists(st.sampled_from([1, 2, 5, 30]), min_size=1, max_size=5)
