"""What calls' events say of calls and of text sessions."""

from typing import NamedTuple

from shared.auditor.values import Fields, instant, name, number, optional_instant, seconds_us


class Common(NamedTuple):
    """What a call and a text session have in common, and what never changes of it."""

    appointment_id: str | None
    started_by: str | None
    started_us: int
    modality: str | None


class Over(NamedTuple):
    """How it was over; nothing of it is there while it goes on."""

    ended_us: int | None
    ended_by: str | None
    reason: str | None


class Call(NamedTuple):
    """One call, as one event tells of it."""

    common: Common
    over: Over
    connected_us: int | None
    disconnected_us: int | None
    is_connected: bool
    connected_for_us: int
    failure_reason: str | None
    sessions_used: int | None

    @property
    def took_place(self) -> bool:
        """Whether the two met in it."""
        return self.connected_us is not None


class TextSession(NamedTuple):
    """One text session, as one event tells of it."""

    common: Common
    over: Over
    activated_us: int | None
    last_activity_us: int | None
    patient_count: int
    doctor_count: int
    active_for_us: int
    sessions_used: int | None

    @property
    def took_place(self) -> bool:
        """Whether the two met in it."""
        return self.activated_us is not None


def call(fields: Fields) -> Call:
    """The call in an event.

    Raises:
        MalformedError: a field is missing or has another type.
    """
    return Call(
        common=_common(fields),
        over=_over(fields),
        connected_us=optional_instant(fields, "connected_at"),
        disconnected_us=optional_instant(fields, "disconnected_at"),
        is_connected=fields.get("is_connected") is True,
        connected_for_us=seconds_us(fields, "connected_seconds"),
        failure_reason=name(fields.get("failure_reason")),
        sessions_used=None if fields.get("sessions_used") is None else number(fields, "sessions_used"),
    )


def text_session(fields: Fields) -> TextSession:
    """The text session in an event.

    Raises:
        MalformedError: a field is missing or has another type.
    """
    return TextSession(
        common=_common(fields),
        over=_over(fields),
        activated_us=optional_instant(fields, "activated_at"),
        last_activity_us=optional_instant(fields, "last_activity_at"),
        patient_count=number(fields, "patient_activity_count"),
        doctor_count=number(fields, "doctor_activity_count"),
        active_for_us=seconds_us(fields, "active_seconds"),
        sessions_used=None if fields.get("sessions_used") is None else number(fields, "sessions_used"),
    )


def _common(fields: Fields) -> Common:
    return Common(
        name(fields.get("appointment_id")), name(fields.get("started_by")), instant(fields, "started_at"), name(fields.get("modality"))
    )


def _over(fields: Fields) -> Over:
    return Over(optional_instant(fields, "ended_at"), name(fields.get("ended_by")), name(fields.get("reason")))
