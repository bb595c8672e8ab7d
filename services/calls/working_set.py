"""The calls and text sessions that one batch needs, and how they change as its commands are decided. In memory, no IO."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import cast

from services.calls.domain import decide
from services.calls.domain.appointment import Appointment, heard
from services.calls.domain.attendance import attended, completion
from services.calls.domain.session import Call, CallsEvent, Cause, Changed, Known, Moment, Refused, Rules, Session
from services.calls.domain.start import depends_on_news
from services.calls.wire import changed, session_id_of
from shared.codec.decode import Malformed, Received
from shared.messages.booking import AppointmentEvent
from shared.messages.calls import CallsCommand, StartCall, StartTextSession
from shared.messages.events import Event, Request
from shared.path.refusals import rejected


class Sessions:
    """A batch's working set."""

    def __init__(self, rules: Rules, loaded: Iterable[Session], appointments: Iterable[Appointment]) -> None:
        """Make it of what was loaded.

        Args:
            rules: to decide by.
            loaded: the calls and text sessions that the batch names, and the live ones that could stand in its way.
            appointments: those that the batch, or one of these, is about.
        """
        self._rules = rules
        self._by_id: dict[str, Session] = {}
        self._of_doctor: defaultdict[str, dict[str, Session]] = defaultdict(dict)
        self._of_patient: defaultdict[str, dict[str, Session]] = defaultdict(dict)
        self._started: dict[str, Session] = {}
        self._changed: dict[str, Session] = {}
        for session in loaded:
            self._keep(session)
        self._appointments = {appointment.appointment_id: appointment for appointment in appointments}
        self._known_appointments = frozenset(self._appointments)
        self._touched_appointments: dict[str, Appointment] = {}

    def knows(self, entity_id: str) -> bool:
        """Whether that call or text session exists."""
        return entity_id in self._by_id

    @property
    def started(self) -> Sequence[Session]:
        """The new ones, as they stand after the batch."""
        return list(self._started.values())

    @property
    def changed(self) -> Sequence[Session]:
        """The older ones that the batch changed, as they stand after it."""
        return list(self._changed.values())

    @property
    def new_appointments(self) -> Sequence[Appointment]:
        """The appointments that were heard of for the first time, as they stand after the batch."""
        return [one for one in self._touched_appointments.values() if one.appointment_id not in self._known_appointments]

    @property
    def changed_appointments(self) -> Sequence[Appointment]:
        """The appointments known before that the batch changed, as they stand after it."""
        return [one for one in self._touched_appointments.values() if one.appointment_id in self._known_appointments]

    def decide(self, received: Received) -> list[Event | Request]:
        """Decide one command, or hear one event, and take in what happened; of a command the first is the outcome."""
        content = received.content
        if isinstance(content, Malformed):
            version = self._version(content.entity_id, content.key, content.command_type.entity)
            return [rejected("calls", content, content.refusal, entity_id=content.entity_id, time=received.log_time, version=version)]
        if isinstance(content, AppointmentEvent):
            self._hear(content)
            return []
        command = cast("CallsCommand", content)
        moment = _moment(received, command)
        events = decide(self._known(command, moment), command, moment, self._rules)
        changes = [event for event in events if isinstance(event, Changed)]
        for change in changes:
            self._take_in(change.session)
        completions = [Request(request) for change in changes if (request := completion(change)) is not None]
        return [*(self._translate(event, command, moment) for event in events), *completions]

    def depends_on_news(self, received: Received) -> bool:
        """Whether what booking said of an appointment since it was last heard may change what a command comes to."""
        command = received.content
        if not isinstance(command, StartCall | StartTextSession):
            return False
        moment = _moment(received, command)
        return depends_on_news(self._known(command, moment), command, moment, self._rules)

    def _known(self, command: CallsCommand, moment: Moment) -> Known:
        session = self._by_id.get(moment.session_id)
        if isinstance(command, StartCall | StartTextSession):
            appointment = self._appointments.get(command.appointment_id) if command.appointment_id is not None else None
            of_patient = self._of_patient[command.patient_id].values()
            return Known(session, self._of_doctor[command.doctor_id].values(), of_patient, appointment)
        return Known(session, self._of_doctor[command.doctor_id].values())

    def _hear(self, event: AppointmentEvent) -> None:
        appointment = heard(self._appointments.get(event.appointment_id), event)
        if appointment is not None:
            self._keep_appointment(appointment)

    def _take_in(self, session: Session) -> None:
        before = self._by_id.get(session.session_id)
        self._keep(session)
        if before is None or session.session_id in self._started:
            self._started[session.session_id] = session
        else:
            self._changed[session.session_id] = session
        appointment = self._appointments.get(session.appointment_id) if session.appointment_id is not None else None
        if appointment is not None and (after := attended(appointment, session)) is not appointment:
            self._keep_appointment(after)

    def _keep(self, session: Session) -> None:
        identifier = session.session_id
        self._by_id[identifier] = session
        if session.is_live:
            self._of_doctor[session.doctor_id][identifier] = session
            self._of_patient[session.patient_id][identifier] = session
        else:
            self._of_doctor[session.doctor_id].pop(identifier, None)
            self._of_patient[session.patient_id].pop(identifier, None)

    def _keep_appointment(self, appointment: Appointment) -> None:
        self._appointments[appointment.appointment_id] = appointment
        self._touched_appointments[appointment.appointment_id] = appointment

    def _version(self, session_id: str | None, doctor_id: str, entity: str) -> int:
        session = self._by_id.get(session_id) if session_id is not None else None
        if session is None or session.doctor_id != doctor_id or isinstance(session, Call) != (entity == "call"):
            return 0
        return session.version

    def _translate(self, event: CallsEvent, command: CallsCommand, moment: Moment) -> Event:
        match event:
            case Changed():
                return changed(event)
            case Refused(refusal):
                version = self._version(moment.session_id, command.doctor_id, command.entity)
                return rejected("calls", command, refusal, entity_id=moment.session_id, time=moment.now, version=version)


def _moment(received: Received, command: CallsCommand) -> Moment:
    return Moment(received.log_time, Cause(received.source, received.id, received.type), session_id_of(received, command))
