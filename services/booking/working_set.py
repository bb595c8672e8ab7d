"""The appointments and the time off that one batch needs, and how they change as its commands are decided. In memory, no IO."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import cast

from services.booking.domain import decide
from services.booking.domain.appointment import HOLDS_SLOT, Appointment, Rules
from services.booking.domain.decision import BookingEvent, Changed, Known, Moment, Refused, TimeOffChanged
from services.booking.domain.time_off import TimeOff
from services.booking.wire import changed, entity_id_of, time_off_changed
from shared.codec.decode import Malformed, Received
from shared.messages.booking import (
    AppointmentStatus,
    BlockTimeOff,
    BookAppointment,
    BookingCommand,
    ImportAppointment,
    ProposeReschedule,
    TimeOffCommand,
    TimeOffStatus,
    UnblockTimeOff,
)
from shared.messages.events import Event
from shared.messages.fields import Command
from shared.path.refusals import rejected


@dataclass(slots=True)
class Pending:
    """How many of a patient's appointments wait for an answer.

    Attributes:
        last: the log time of the batch's last booking.
        open: how many deadlines lie after that; those that had passed before the first booking are not counted at all.
        deadlines: the deadlines between the two, and of what was booked in this batch: whether they count depends on the command.
    """

    last: datetime
    open: int = 0
    deadlines: list[datetime] = field(default_factory=list)

    def count(self, now: datetime) -> int:
        """How many wait at this moment."""
        return self.open + len([deadline for deadline in self.deadlines if deadline >= now])

    def remove(self, deadline: datetime) -> None:
        """One of them was answered or closed."""
        if deadline in self.deadlines:
            self.deadlines.remove(deadline)
        elif deadline > self.last:
            self.open -= 1


class Appointments:
    """A batch's working set."""

    def __init__(
        self, rules: Rules, loaded: Iterable[Appointment], pending: Mapping[str, Pending], time_off: Iterable[TimeOff] = ()
    ) -> None:
        """Make it of what was loaded.

        Args:
            rules: to decide by.
            loaded: the appointments that the batch names, and the open ones that could stand in its way.
            pending: for each patient who books in this batch.
            time_off: what the batch names of it, and what could stand in its way.
        """
        self._rules = rules
        self._by_id: dict[str, Appointment] = {}
        self._of_doctor: defaultdict[str, dict[str, Appointment]] = defaultdict(dict)
        self._of_patient: defaultdict[str, dict[str, Appointment]] = defaultdict(dict)
        self._pending = dict(pending)
        self._new: dict[str, Appointment] = {}
        #: Older appointments that the batch changed: as they were loaded.
        self._before: dict[str, Appointment] = {}
        self._taken: set[tuple[str, datetime]] = set()
        self._time_off: dict[str, TimeOff] = {}
        self._time_off_of_doctor: defaultdict[str, dict[str, TimeOff]] = defaultdict(dict)
        self._new_time_off: dict[str, TimeOff] = {}
        self._changed_time_off: dict[str, TimeOff] = {}
        for appointment in loaded:
            self._keep(appointment)
        for one in time_off:
            self._keep_time_off(one)

    def knows(self, entity_id: str) -> bool:
        """Whether that appointment exists."""
        return entity_id in self._by_id

    @property
    def new(self) -> Sequence[Appointment]:
        """The new appointments, as they stand after the batch."""
        return list(self._new.values())

    @property
    def moved(self) -> Sequence[Appointment]:
        """The older appointments that hold other times after the batch than before it."""
        return [after for before, after in self._changes() if _times(before) != _times(after)]

    @property
    def changed(self) -> Sequence[Appointment]:
        """The older appointments that the batch changed, those that moved apart, as they stand after it."""
        return [after for before, after in self._changes() if _times(before) == _times(after)]

    @property
    def new_time_off(self) -> Sequence[TimeOff]:
        """The new time off, as it stands after the batch."""
        return list(self._new_time_off.values())

    @property
    def changed_time_off(self) -> Sequence[TimeOff]:
        """The older time off that the batch changed, as it stands after it."""
        return list(self._changed_time_off.values())

    def decide(self, received: Received) -> list[Event]:
        """Decide one command and take in what happened; the first event is the outcome."""
        content = received.content
        if isinstance(content, Malformed):
            version = self._version(content.entity_id, content.key, content.command_type)
            return [rejected("booking", content, content.refusal, entity_id=content.entity_id, time=received.log_time, version=version)]
        command = cast("BookingCommand", content)
        moment = Moment(received.log_time, received.time, received.id, entity_id_of(received, command))
        events = decide(self._known(command, moment), command, moment, self._rules)
        for event in events:
            if isinstance(event, Changed):
                self._take_in(event)
            elif isinstance(event, TimeOffChanged):
                self._take_in_time_off(event)
        return [self._translate(event, command, moment) for event in events]

    def _known(self, command: BookingCommand, moment: Moment) -> Known:
        appointment = self._by_id.get(moment.entity_id)
        match command:
            case BookAppointment() | ImportAppointment():
                patient_id = command.patient_id
            case BlockTimeOff() | UnblockTimeOff():
                return Known(of_doctor=self._of_doctor[command.doctor_id].values(), time_off=self._time_off.get(moment.entity_id))
            case ProposeReschedule() if appointment is not None:
                patient_id = appointment.patient_id
            case _:
                return Known(appointment)
        pending = self._pending.get(patient_id)
        return Known(
            appointment,
            self._of_doctor[command.doctor_id].values(),
            self._of_patient[patient_id].values(),
            pending.count(moment.now) if pending is not None else 0,
            self._taken,
            None,
            self._time_off_of_doctor[command.doctor_id].values(),
        )

    def _take_in(self, event: Changed) -> None:
        after = event.appointment
        identifier = after.appointment_id
        before = self._by_id.get(identifier)
        self._count_pending(before, after)
        self._keep(after)
        if before is None:
            self._taken.add((identifier, after.starts_at))
        if after.proposed_starts_at is not None:
            self._taken.add((identifier, after.proposed_starts_at))
        if before is None or identifier in self._new:
            self._new[identifier] = after
        else:
            self._before.setdefault(identifier, before)

    def _take_in_time_off(self, event: TimeOffChanged) -> None:
        after = event.time_off
        identifier = after.time_off_id
        is_new = identifier not in self._time_off or identifier in self._new_time_off
        (self._new_time_off if is_new else self._changed_time_off)[identifier] = after
        self._keep_time_off(after)

    def _keep(self, appointment: Appointment) -> None:
        identifier = appointment.appointment_id
        self._by_id[identifier] = appointment
        if appointment.status in HOLDS_SLOT:
            self._of_doctor[appointment.doctor_id][identifier] = appointment
            self._of_patient[appointment.patient_id][identifier] = appointment
        else:
            self._of_doctor[appointment.doctor_id].pop(identifier, None)
            self._of_patient[appointment.patient_id].pop(identifier, None)

    def _keep_time_off(self, time_off: TimeOff) -> None:
        identifier = time_off.time_off_id
        self._time_off[identifier] = time_off
        if time_off.status is TimeOffStatus.BLOCKED:
            self._time_off_of_doctor[time_off.doctor_id][identifier] = time_off
        else:
            self._time_off_of_doctor[time_off.doctor_id].pop(identifier, None)

    def _changes(self) -> Iterable[tuple[Appointment, Appointment]]:
        return ((before, self._by_id[identifier]) for identifier, before in self._before.items())

    def _count_pending(self, before: Appointment | None, after: Appointment) -> None:
        pending = self._pending.get(after.patient_id)
        if pending is None:
            # Nobody books for this patient in this batch.
            return
        was_pending = before is not None and before.status is AppointmentStatus.PENDING
        is_pending = after.status is AppointmentStatus.PENDING
        if is_pending and not was_pending and after.expires_at is not None:
            pending.deadlines.append(after.expires_at)
        elif was_pending and not is_pending and before is not None and before.expires_at is not None:
            pending.remove(before.expires_at)

    def _version(self, entity_id: str | None, doctor_id: str, command_type: type[Command]) -> int:
        """The version that a refusal repeats; what another doctor has does not exist for who asks."""
        if entity_id is None:
            return 0
        entity = (self._time_off if issubclass(command_type, TimeOffCommand) else self._by_id).get(entity_id)
        return entity.version if entity is not None and entity.doctor_id == doctor_id else 0

    def _translate(self, event: BookingEvent, command: BookingCommand, moment: Moment) -> Event:
        match event:
            case Changed():
                return changed(event)
            case TimeOffChanged():
                return time_off_changed(event)
            case Refused(refusal):
                return rejected(
                    "booking",
                    command,
                    refusal,
                    entity_id=moment.entity_id,
                    time=moment.now,
                    version=self._version(moment.entity_id, command.doctor_id, type(command)),
                )


def _times(appointment: Appointment) -> tuple[datetime, datetime | None]:
    return appointment.starts_at, appointment.proposed_starts_at
