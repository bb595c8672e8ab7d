"""What a batch needs: the appointments and time off that it names, and what could stand in the way of what it asks for."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple, cast

from sqlalchemy import Integer, Text, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY

from services.booking.domain.appointment import Appointment, Rules
from services.booking.store import show
from services.booking.store.rows import appointment_of, time_off_of
from services.booking.store.tables import HOLDS_SLOT, LONGEST, TIME
from services.booking.wire import entity_id_of
from services.booking.working_set import Appointments, Pending
from shared.codec.decode import Malformed, Received
from shared.database import Connection, fetch, joined
from shared.messages.booking import (
    BlockTimeOff,
    BookAppointment,
    BookingCommand,
    ImportAppointment,
    ProposeReschedule,
    RejectReschedule,
    TimeOffCommand,
    UnblockTimeOff,
    WithdrawReschedule,
)
from shared.path.service import Parties

_PARTIES: Final = text(
    "SELECT appointment_id, doctor_id, patient_id FROM appointments WHERE appointment_id = ANY (:ids)",
).bindparams(bindparam("ids", type_=ARRAY(Text)))


async def parties(connection: Connection, appointment_ids: Collection[str]) -> Mapping[str, Parties]:
    """Doctor and patient of those of the appointments that exist."""
    rows = await fetch(connection, _PARTIES, {"ids": list(appointment_ids)})
    return {appointment_id: Parties(doctor_id, patient_id) for appointment_id, doctor_id, patient_id in rows}


#: The times that a batch asks for, column by column.
_ASKED: Final = "string_to_array(:ids, chr(10)), string_to_array(:doctors, chr(10)), string_to_array(:patients, chr(10)), :starts, :ends"
_ASKED_TYPES: Final = (
    bindparam("ids", type_=Text),
    bindparam("doctors", type_=Text),
    bindparam("patients", type_=Text),
    bindparam("starts", type_=ARRAY(TIME)),
    bindparam("ends", type_=ARRAY(TIME)),
)
_PROPOSED_ENDS_AT: Final = "proposed_starts_at + (ends_at - starts_at)"
_IS_OFF: Final = "doctor_id = asked.doctor AND status = 'blocked' AND ends_at > asked.starts_at AND starts_at < asked.ends_at"
#: What the indexes of a party's open appointments are sorted by.
_OPEN_SORTED_BY: Final = {"doctor": "doctor_id, starts_at", "patient": "patient_id, status, starts_at"}

# Plans are made once, often while the tables are empty and every index looks as good as the next. The order in each subquery
# ties it to the one index that stays right when they are full. Time off has but one index that can be asked for a doctor.


def _open_around(party: str) -> str:
    """A party's open appointments that reach into the time asked for, by the party's own index."""
    return f"""
        SELECT * FROM appointments
        WHERE {party}_id = asked.{party} AND {HOLDS_SLOT}
          AND starts_at > asked.starts_at - {LONGEST} AND starts_at < asked.ends_at AND ends_at > asked.starts_at
        ORDER BY {_OPEN_SORTED_BY[party]} OFFSET 0
    """


def _proposed_around(party: str) -> str:
    """The same for the times that are held beside theirs."""
    return f"""
        SELECT * FROM appointments
        WHERE {party}_id = asked.{party} AND proposed_starts_at > asked.starts_at - {LONGEST}
          AND proposed_starts_at < asked.ends_at AND {_PROPOSED_ENDS_AT} > asked.starts_at
        ORDER BY {party}_id, proposed_starts_at OFFSET 0
    """


# One look for each booking: whether its id is new, whether an appointment or time off is in the doctor's or the patient's way;
# how many of the patient's pending ones surely count; and the deadlines of those that expire while the batch's commands were
# appended, for whether they count depends on the command. A doctor's open appointments never overlap each other, and neither do
# the times proposed beside them: only the last that starts before the end of the time asked for can reach into it. A patient's
# may, when one of them has lapsed. Bookings that nothing is in the way of, by patients far from their limit, give no row. An id is
# not asked for by EXISTS: on an empty table PostgreSQL would plan to read all ids that there are, for each batch.
_LOOK_AHEAD: Final = text(
    f"""
    SELECT asked.place, found.in_the_way, found.is_off, waiting.pending, waiting.deadlines
    FROM unnest({_ASKED}) WITH ORDINALITY AS asked (id, doctor, patient, starts_at, ends_at, place)
    CROSS JOIN LATERAL (
        SELECT (SELECT true FROM appointments WHERE appointment_id = asked.id) IS NOT NULL OR coalesce(asked.starts_at < (
            SELECT ends_at FROM appointments
            WHERE doctor_id = asked.doctor AND {HOLDS_SLOT} AND starts_at < asked.ends_at
            ORDER BY doctor_id DESC, starts_at DESC
            LIMIT 1
        ), false) OR coalesce(asked.starts_at < (
            SELECT {_PROPOSED_ENDS_AT} FROM appointments
            WHERE doctor_id = asked.doctor AND proposed_starts_at < asked.ends_at
            ORDER BY doctor_id DESC, proposed_starts_at DESC
            LIMIT 1
        ), false) OR EXISTS ({_open_around("patient")}) OR EXISTS ({_proposed_around("patient")}) AS in_the_way,
        EXISTS (SELECT FROM time_off WHERE {_IS_OFF}) AS is_off
        OFFSET 0
    ) AS found
    CROSS JOIN LATERAL (
        SELECT count(*) FILTER (WHERE expires_at > :last) AS pending,
               array_agg(expires_at) FILTER (WHERE expires_at BETWEEN :first AND :last) AS deadlines
        FROM (
            SELECT expires_at FROM appointments
            WHERE patient_id = asked.patient AND status = 'pending'
            ORDER BY {_OPEN_SORTED_BY["patient"]} OFFSET 0
        ) AS of_patient
    ) AS waiting
    WHERE found.in_the_way OR found.is_off OR waiting.pending + coalesce(cardinality(waiting.deadlines), 0) >= :near_limit
    """,
).bindparams(
    *_ASKED_TYPES,
    bindparam("first", type_=TIME),
    bindparam("last", type_=TIME),
    bindparam("near_limit", type_=Integer),
)

_IN_THE_WAY: Final = text(
    f"""
    SELECT held.*
    FROM unnest({_ASKED}) AS asked (id, doctor, patient, starts_at, ends_at)
    CROSS JOIN LATERAL (
        (SELECT * FROM appointments WHERE appointment_id = asked.id)
        UNION ALL ({_open_around("doctor")})
        UNION ALL ({_proposed_around("doctor")})
        UNION ALL ({_open_around("patient")})
        UNION ALL ({_proposed_around("patient")})
    ) AS held
    """,
).bindparams(*_ASKED_TYPES)

_TIME_OFF: Final = text(
    f"""
    SELECT * FROM time_off WHERE time_off_id = ANY (string_to_array(:named, chr(10)))
    UNION ALL
    SELECT off.*
    FROM unnest({_ASKED}) AS asked (id, doctor, patient, starts_at, ends_at)
    CROSS JOIN LATERAL (SELECT * FROM time_off WHERE {_IS_OFF} OFFSET 0) AS off
    """,
).bindparams(*_ASKED_TYPES, bindparam("named", type_=Text))


class _Asked(NamedTuple):
    """A time that is asked for. A time off asks in the name of no appointment and no patient: no id is empty."""

    appointment_id: str
    doctor_id: str
    patient_id: str
    starts_at: datetime
    ends_at: datetime


class _Needs:
    """What the commands of a batch name and ask for."""

    def __init__(self, batch: Sequence[Received]) -> None:
        """Look at each command once."""
        self.named: set[str] = set()
        self.named_time_off: set[str] = set()
        self.bookings: list[_Asked] = []
        #: Asked for by others than bookings.
        self.asked: list[_Asked] = []
        self.proposals: list[ProposeReschedule] = []
        #: How many commands beside the bookings may leave a patient with one more that waits.
        self.other_pending = 0
        for received in batch:
            self._look_at(received, cast("BookingCommand | Malformed", received.content))

    def _look_at(self, received: Received, content: BookingCommand | Malformed) -> None:
        if isinstance(content, BookAppointment):
            self.bookings.append(_asked(received, content, content.starts_at))
            return
        match content:
            case ImportAppointment():
                self.asked += [_asked(received, content, start) for start in {content.starts_at, content.proposed_starts_at} if start]
                self.other_pending += 1
            case BlockTimeOff():
                self.asked.append(_Asked("", content.doctor_id, "", content.starts_at, content.ends_at))
                self.named_time_off.add(content.time_off_id)
            case UnblockTimeOff():
                self.named_time_off.add(content.time_off_id)
            case RejectReschedule() | WithdrawReschedule():
                self.named.add(content.appointment_id)
                self.other_pending += 1
            case ProposeReschedule():
                self.named.add(content.appointment_id)
                self.proposals.append(content)
            case Malformed():
                # For the version that its refusal repeats.
                if content.entity_id is not None:
                    names = self.named_time_off if issubclass(content.command_type, TimeOffCommand) else self.named
                    names.add(content.entity_id)
            case _:
                self.named.add(content.appointment_id)

    def proposed(self, named: Iterable[Appointment]) -> list[_Asked]:
        """The times that proposals ask for, given the appointments that the batch names and finds."""
        if not self.proposals:
            return []
        found = [_Asked(one.appointment_id, one.doctor_id, one.patient_id, one.starts_at, one.ends_at) for one in named]
        # What is proposed may be booked or imported in the same batch; whether it is depends on the commands between.
        made: defaultdict[str, list[_Asked]] = defaultdict(list)
        for one in (*found, *self.bookings, *self.asked):
            made[one.appointment_id].append(one)
        return [
            one._replace(starts_at=proposal.starts_at, ends_at=proposal.starts_at + (one.ends_at - one.starts_at))
            for proposal in self.proposals
            for one in made[proposal.appointment_id]
        ]


def _asked(received: Received, command: BookAppointment | ImportAppointment, starts_at: datetime) -> _Asked:
    ends_at = starts_at + (command.ends_at - command.starts_at)
    return _Asked(entity_id_of(received, command), command.doctor_id, command.patient_id, starts_at, ends_at)


async def load(connection: Connection, batch: Sequence[Received], rules: Rules) -> Appointments:
    """What these commands need: what they name, and what could stand in the way of what they ask for."""
    needs = _Needs(batch)
    loaded = await show.appointments(connection, needs.named) if needs.named else []
    others = needs.asked + needs.proposed(loaded)
    held, off, pending = await _look_ahead(connection, batch, needs, rules.max_pending_per_patient)
    if held or others:
        loaded += [appointment_of(row) for row in await fetch(connection, _IN_THE_WAY, _columns(held + others))]
    time_off = []
    if off or others or needs.named_time_off:
        parameters = {**_columns(off + others), "named": joined(needs.named_time_off)}
        time_off = [time_off_of(row) for row in await fetch(connection, _TIME_OFF, parameters)]
    return Appointments(rules, loaded, pending, time_off)


async def _look_ahead(
    connection: Connection, batch: Sequence[Received], needs: _Needs, limit: int
) -> tuple[list[_Asked], list[_Asked], dict[str, Pending]]:
    """The bookings that an appointment, or time off, is in the way of; and what each patient waits for who could reach the limit."""
    bookings = needs.bookings
    if not bookings:
        return [], [], {}
    times = [received.log_time for received in batch]
    first, last = min(times), max(times)
    most_of_one_patient = max(Counter(one.patient_id for one in bookings).values()) + needs.other_pending
    bounds = {"first": first, "last": last, "near_limit": limit - most_of_one_patient}
    held: list[_Asked] = []
    off: list[_Asked] = []
    # Whoever is not near the limit cannot reach it in this batch, whatever they wait for already.
    pending = {one.patient_id: Pending(last) for one in bookings}
    for place, is_held, is_off, opened, deadlines in await fetch(connection, _LOOK_AHEAD, _columns(bookings) | bounds):
        one = bookings[place - 1]
        pending[one.patient_id] = Pending(last, opened, deadlines or [])
        if is_held:
            held.append(one)
        if is_off:
            off.append(one)
    return held, off, pending


def _columns(asked: Sequence[_Asked]) -> dict[str, object]:
    return {
        "ids": joined(one.appointment_id for one in asked),
        "doctors": joined(one.doctor_id for one in asked),
        "patients": joined(one.patient_id for one in asked),
        "starts": [one.starts_at for one in asked],
        "ends": [one.ends_at for one in asked],
    }
