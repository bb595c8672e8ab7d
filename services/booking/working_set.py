"""The appointments that one batch needs, and how they change as its commands are decided. In memory, no IO."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import cast

from services.booking.domain import decide
from services.booking.domain.appointment import HOLDS_SLOT, Appointment, BookingEvent, Changed, Known, Moment, Refused, Rules
from services.booking.wire import appointment_id_of, changed
from shared.codec.decode import Malformed, Received
from shared.messages.booking import AppointmentStatus, BookAppointment, BookingCommand
from shared.messages.events import Event
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

    def __init__(self, rules: Rules, loaded: Iterable[Appointment], pending: Mapping[str, Pending]) -> None:
        """Make it of what was loaded.

        Args:
            rules: to decide by.
            loaded: the appointments that the batch names, and the open ones that could stand in its way.
            pending: for each patient who books in this batch.
        """
        self._rules = rules
        self._by_id: dict[str, Appointment] = {}
        self._of_doctor: defaultdict[str, dict[str, Appointment]] = defaultdict(dict)
        self._of_patient: defaultdict[str, dict[str, Appointment]] = defaultdict(dict)
        self._pending = dict(pending)
        self._booked: dict[str, Appointment] = {}
        self._changed: dict[str, Appointment] = {}
        for appointment in loaded:
            self._keep(appointment)

    def knows(self, entity_id: str) -> bool:
        """Whether that appointment exists."""
        return entity_id in self._by_id

    @property
    def booked(self) -> Sequence[Appointment]:
        """The new appointments, as they stand after the batch."""
        return list(self._booked.values())

    @property
    def changed(self) -> Sequence[Appointment]:
        """The older appointments that the batch changed, as they stand after it."""
        return list(self._changed.values())

    def decide(self, received: Received) -> list[Event]:
        """Decide one command and take in what happened; the first event is the outcome."""
        content = received.content
        if isinstance(content, Malformed):
            version = self._version(content.entity_id, content.key)
            return [rejected("booking", content, content.refusal, entity_id=content.entity_id, time=received.log_time, version=version)]
        command = cast("BookingCommand", content)
        identifier = appointment_id_of(received, command)
        moment = Moment(received.log_time, received.time, received.id, identifier)
        events = decide(self._known(command, moment), command, moment, self._rules)
        for event in events:
            if isinstance(event, Changed):
                self._take_in(event)
        return [self._translate(event, command, moment) for event in events]

    def _known(self, command: BookingCommand, moment: Moment) -> Known:
        appointment = self._by_id.get(moment.appointment_id)
        if not isinstance(command, BookAppointment):
            return Known(appointment)
        pending = self._pending.get(command.patient_id)
        return Known(
            appointment,
            self._of_doctor[command.doctor_id].values(),
            self._of_patient[command.patient_id].values(),
            pending.count(moment.now) if pending is not None else 0,
            self._booked.keys(),
        )

    def _take_in(self, event: Changed) -> None:
        after = event.appointment
        before = self._by_id.get(after.appointment_id)
        self._count_pending(before, after)
        self._keep(after)
        if before is None or after.appointment_id in self._booked:
            self._booked[after.appointment_id] = after
        else:
            self._changed[after.appointment_id] = after

    def _keep(self, appointment: Appointment) -> None:
        identifier = appointment.appointment_id
        self._by_id[identifier] = appointment
        if appointment.status in HOLDS_SLOT:
            self._of_doctor[appointment.doctor_id][identifier] = appointment
            self._of_patient[appointment.patient_id][identifier] = appointment
        else:
            self._of_doctor[appointment.doctor_id].pop(identifier, None)
            self._of_patient[appointment.patient_id].pop(identifier, None)

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

    def _version(self, appointment_id: str | None, doctor_id: str) -> int:
        appointment = self._by_id.get(appointment_id) if appointment_id is not None else None
        return appointment.version if appointment is not None and appointment.doctor_id == doctor_id else 0

    def _translate(self, event: BookingEvent, command: BookingCommand, moment: Moment) -> Event:
        match event:
            case Changed():
                return changed(event)
            case Refused(refusal):
                return rejected(
                    "booking",
                    command,
                    refusal,
                    entity_id=moment.appointment_id,
                    time=moment.now,
                    version=self._version(moment.appointment_id, command.doctor_id),
                )
