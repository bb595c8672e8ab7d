"""What a call and a text session are, what a decision may know, and what it can say."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from services.calls.domain.appointment import Appointment
from shared.messages.calls import CallEventType, CallStatus, SessionReason, TextSessionEventType, TextSessionStatus
from shared.messages.fields import Modality, Role
from shared.messages.refusal import Refusal

LIVE_CALL: Final = frozenset({CallStatus.CONNECTING, CallStatus.CONNECTED, CallStatus.RECONNECTING})
LIVE_TEXT_SESSION: Final = frozenset({TextSessionStatus.WAITING, TextSessionStatus.ACTIVE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The settings that decisions depend on."""

    connect_timeout: timedelta = timedelta(seconds=90)
    reconnect_timeout: timedelta = timedelta(seconds=60)
    response_timeout: timedelta = timedelta(seconds=300)
    inactivity_timeout: timedelta = timedelta(seconds=1200)
    text_sessions_per_doctor: int = 1
    window_before: timedelta = timedelta(seconds=900)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Common:
    """What a call and a text session have in common.

    Attributes:
        session_id: unique among calls and text sessions together.
        appointment_id: what it is for; ``None`` for an instant one.
        started_by: the patient or the doctor; the other is the one called.
        started_at: the log time of its ``start``.
        updated_at: the business time of its last change; nothing happens to it before.
        deadline_at: when it is over by itself unless something happens; ``None``: never.
        ended_at: when it was over.
        ended_by: who ended it.
        reason: why it is over.
        changed_by_source: with ``changed_by_id`` the identity of the command that made its status what it is.
        changed_by_id: with ``changed_by_source`` that command's identity.
        changed_by_type: that command's type.
        version: 1, 2, 3 …, raised by each change of state.
    """

    session_id: str
    appointment_id: str | None = None
    doctor_id: str
    patient_id: str
    started_by: Role
    started_at: datetime
    updated_at: datetime
    deadline_at: datetime | None = None
    ended_at: datetime | None = None
    ended_by: Role | None = None
    reason: str | None = None
    changed_by_source: str
    changed_by_id: str
    changed_by_type: str
    version: int = 1

    def is_lapsed(self, now: datetime) -> bool:
        """Whether its deadline has passed: it is over, although nobody swept yet."""
        return self.deadline_at is not None and now > self.deadline_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(_Common):
    """One call as it stands.

    Attributes:
        modality: voice or video.
        connected_at: when media first flowed; written once.
        disconnected_at: when the connection was lost that has not come back.
        failure_reason: why it never connected, for people.
    """

    modality: Modality
    status: CallStatus = CallStatus.CONNECTING
    connected_at: datetime | None = None
    disconnected_at: datetime | None = None
    failure_reason: str | None = None

    @property
    def is_live(self) -> bool:
        """Whether it goes on, deadlines apart."""
        return self.status in LIVE_CALL

    @property
    def occupies_doctor(self) -> bool:
        """Whether its doctor can be in no other."""
        return self.is_live

    @property
    def took_place(self) -> bool:
        """Whether the two ever met in it."""
        return self.connected_at is not None

    def connected_until(self, now: datetime) -> timedelta:
        """For how long it has been connected, at this moment; what was lost and has not come back does not count."""
        if self.connected_at is None:
            return timedelta()
        return (self.ended_at or self.disconnected_at or now) - self.connected_at


@dataclass(frozen=True, slots=True, kw_only=True)
class TextSession(_Common):
    """One text session as it stands.

    Attributes:
        activated_at: when the doctor first wrote.
        last_activity_at: when either side last wrote.
    """

    status: TextSessionStatus = TextSessionStatus.WAITING
    activated_at: datetime | None = None
    last_activity_at: datetime | None = None
    patient_activity_count: int = 0
    doctor_activity_count: int = 0

    @property
    def modality(self) -> Modality:
        """Text, what else."""
        return Modality.TEXT

    @property
    def is_live(self) -> bool:
        """Whether it goes on, deadlines apart."""
        return self.status in LIVE_TEXT_SESSION

    @property
    def occupies_doctor(self) -> bool:
        """Whether it takes one of its doctor's places: one that waits does not."""
        return self.status is TextSessionStatus.ACTIVE

    @property
    def took_place(self) -> bool:
        """Whether the two ever met in it."""
        return self.activated_at is not None

    def active_until(self, now: datetime) -> timedelta:
        """For how long it has been active, at this moment."""
        if self.activated_at is None:
            return timedelta()
        return (self.ended_at or now) - self.activated_at


Session = Call | TextSession


class Known(NamedTuple):
    """What a decision may depend on.

    Attributes:
        session: the one that the command names, if it exists.
        of_doctor: at least what occupies the doctor, when the command could take a place of the doctor's.
        of_patient: at least what occupies the patient, with any doctor, when the command is a ``start``.
        appointment: the one that a ``start`` names, if it was heard of.
    """

    session: Session | None = None
    of_doctor: Collection[Session] = ()
    of_patient: Collection[Session] = ()
    appointment: Appointment | None = None


class Cause(NamedTuple):
    """The command that makes a status what it is, under the names by which a call or a text session remembers it."""

    changed_by_source: str
    changed_by_id: str
    changed_by_type: str


class Moment(NamedTuple):
    """When a command is decided, and which one it is.

    Attributes:
        now: its log time.
        cause: the command.
        session_id: the one that it names, or the derived one.
    """

    now: datetime
    cause: Cause
    session_id: str


class Changed(NamedTuple):
    """Something happened: the call or text session is now as it says."""

    type: CallEventType | TextSessionEventType
    session: Session
    at: datetime


class Refused(NamedTuple):
    """Nothing happened, and why."""

    refusal: Refusal


CallsEvent = Changed | Refused


def refuse(reason: SessionReason, message: str, conflict: Mapping[str, object] | None = None) -> Refusal:
    """A refusal, with what stands in the way; never whose it is."""
    return Refusal(reason.status_code, reason, message, conflict)


def named(session: Session) -> dict[str, object]:
    """A call or text session by its id and status, for a conflict."""
    id_field = "call_id" if isinstance(session, Call) else "session_id"
    return {id_field: session.session_id, "status": session.status}
