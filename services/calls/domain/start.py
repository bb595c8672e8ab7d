"""Starting a call or a text session."""

from collections.abc import Callable, Sequence
from typing import Final

from services.calls.domain.occupied import doctor_is_in_another, lapsed_in_the_way, patient_is_in_another
from services.calls.domain.session import Call, CallsEvent, Changed, Known, Moment, Refused, Rules, TextSession, named, refuse
from shared.messages.booking import AppointmentStatus
from shared.messages.calls import CallEventType, SessionReason, StartCall, StartTextSession, TextSessionEventType
from shared.messages.fields import Modality, Role
from shared.messages.refusal import Refusal

Start = StartCall | StartTextSession


def start_call(known: Known, command: StartCall, moment: Moment, rules: Rules) -> tuple[CallsEvent, ...]:
    """Ring the other party, unless a rule forbids it."""
    refusal = _first_refusal(known, command, moment, rules) or doctor_is_in_another(known, moment) or patient_is_in_another(known, moment)
    if refusal is not None:
        return (Refused(refusal),)
    call = Call(
        session_id=moment.session_id,
        appointment_id=command.appointment_id,
        doctor_id=command.doctor_id,
        patient_id=command.patient_id,
        modality=command.modality,
        started_by=command.actor.role,
        started_at=moment.now,
        updated_at=moment.now,
        deadline_at=moment.now + rules.connect_timeout,
        **moment.cause._asdict(),
    )
    return (Changed(CallEventType.STARTED, call, moment.now), *lapsed_in_the_way(known, moment))


def start_text_session(known: Known, command: StartTextSession, moment: Moment, rules: Rules) -> tuple[CallsEvent, ...]:
    """Wait for the doctor to answer, unless a rule forbids it. The doctor is not occupied before."""
    refusal = _first_refusal(known, command, moment, rules) or patient_is_in_another(known, moment)
    if refusal is not None:
        return (Refused(refusal),)
    session = TextSession(
        session_id=moment.session_id,
        appointment_id=command.appointment_id,
        doctor_id=command.doctor_id,
        patient_id=command.patient_id,
        started_by=command.actor.role,
        started_at=moment.now,
        updated_at=moment.now,
        deadline_at=moment.now + rules.response_timeout,
        **moment.cause._asdict(),
    )
    return (Changed(TextSessionEventType.STARTED, session, moment.now),)


def depends_on_news(known: Known, command: Start, moment: Moment, rules: Rules) -> bool:
    """Whether the appointment, as far as it is known here, forbids it: what booking said since then may allow it."""
    return command.appointment_id is not None and any(
        rule(known, command, moment, rules) is not None
        for rule in (_names_a_known_appointment, _has_a_confirmed_appointment, _comes_at_the_time)
    )


def _first_refusal(known: Known, command: Start, moment: Moment, rules: Rules) -> Refusal | None:
    return next((refusal for rule in START_RULES if (refusal := rule(known, command, moment, rules)) is not None), None)


def _names_a_known_appointment(known: Known, command: Start, _moment: Moment, _rules: Rules) -> Refusal | None:
    if command.appointment_id is None:
        return None
    if known.appointment is None or known.appointment.doctor_id != command.doctor_id:
        return refuse(SessionReason.APPOINTMENT_NOT_FOUND, "The doctor has no appointment with this id.")
    return None


def _is_asked_by_a_party(known: Known, command: Start, _moment: Moment, _rules: Rules) -> Refusal | None:
    actor = command.actor
    if (actor.role, actor.id) not in {(Role.PATIENT, command.patient_id), (Role.DOCTOR, command.doctor_id)}:
        return refuse(SessionReason.NOT_A_PARTY, "Only the patient or the doctor can start a call or a text session with each other.")
    if known.appointment is not None and known.appointment.patient_id != command.patient_id:
        return refuse(SessionReason.NOT_A_PARTY, "The appointment is another patient's.")
    return None


def _has_a_new_id(known: Known, command: Start, moment: Moment, _rules: Rules) -> Refusal | None:
    session = known.session
    if session is None:
        return None
    if session.is_live and not session.is_lapsed(moment.now):
        return refuse(SessionReason.ALREADY_STARTED, "A call or text session with this id is going on.", named(session))
    reason = SessionReason.CALL_EXISTS if isinstance(command, StartCall) else SessionReason.SESSION_EXISTS
    return refuse(reason, "This id was used before.")


def _has_a_confirmed_appointment(known: Known, _command: Start, _moment: Moment, _rules: Rules) -> Refusal | None:
    appointment = known.appointment
    if appointment is None or appointment.status is AppointmentStatus.CONFIRMED:
        return None
    status = appointment.status.replace("_", " ")
    return refuse(
        SessionReason.APPOINTMENT_NOT_CONFIRMED,
        f"The appointment is {status}.",
        {"appointment_id": appointment.appointment_id, "status": appointment.status},
    )


def _meets_as_agreed(known: Known, command: Start, _moment: Moment, _rules: Rules) -> Refusal | None:
    appointment = known.appointment
    modality = command.modality if isinstance(command, StartCall) else Modality.TEXT
    if appointment is None or appointment.modality is modality:
        return None
    return refuse(
        SessionReason.WRONG_MODALITY,
        f"The appointment is for {appointment.modality}.",
        {"appointment_id": appointment.appointment_id, "modality": appointment.modality},
    )


def _comes_at_the_time(known: Known, _command: Start, moment: Moment, rules: Rules) -> Refusal | None:
    appointment = known.appointment
    if appointment is None:
        return None
    if appointment.starts_at - rules.window_before <= moment.now <= appointment.ends_at + rules.window_before:
        return None
    return refuse(
        SessionReason.OUTSIDE_SESSION_WINDOW,
        "It is too early or too late for the appointment.",
        {"appointment_id": appointment.appointment_id, "starts_at": appointment.starts_at, "ends_at": appointment.ends_at},
    )


#: The rules of every ``start``, in order of precedence; then come those about who is in another call or text session.
START_RULES: Final[Sequence[Callable[[Known, Start, Moment, Rules], Refusal | None]]] = (
    _names_a_known_appointment,
    _is_asked_by_a_party,
    _has_a_new_id,
    _has_a_confirmed_appointment,
    _meets_as_agreed,
    _comes_at_the_time,
)
