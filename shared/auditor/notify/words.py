"""The words of notify: notifications and preferences."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from shared.auditor.facts import Event
from shared.auditor.notify import state
from shared.auditor.words import Change, CommandWords, EntityWords, EventWords, ServiceWords, types

NOTIFICATION: Final = "notification"
PREFERENCES: Final = "preferences"

ACCEPTED: Final = "notify.notification.accepted.v1"
SUPPRESSED: Final = state.SUPPRESSED_EVENT
SENT: Final = "notify.notification.sent.v1"
UNSENT: Final = "notify.notification.unsent.v1"
READ: Final = "notify.notification.read.v1"
PREFERENCES_CHANGED: Final = "notify.preferences.changed.v1"

OPTED_OUT: Final = "opted_out"
STALE: Final = "stale"
NO_CHANNEL: Final = "no_channel"

_NEW: Final[frozenset[str | None]] = frozenset({None})
_TAKEN_ON: Final[frozenset[str | None]] = frozenset({state.ACCEPTED})


class TrueWhile(NamedTuple):
    """A notification is true while what it is about has one of these statuses."""

    service: str
    entity: str
    statuses: frozenset[str]


_PENDING: Final = TrueWhile("booking", "appointment", frozenset({"pending"}))
_CONFIRMED: Final = TrueWhile("booking", "appointment", frozenset({"confirmed"}))
_PROPOSED: Final = TrueWhile("booking", "appointment", frozenset({"reschedule_proposed"}))
_OPEN: Final = TrueWhile("booking", "appointment", frozenset({"pending", "confirmed", "reschedule_proposed"}))

#: By template; those that are not named are true for ever.
TRUE_WHILE: Final[Mapping[str, TrueWhile]] = {
    "appointment_requested": _PENDING,
    "appointment_booked": _PENDING,
    "appointment_confirmed": _CONFIRMED,
    "rescheduled": _CONFIRMED,
    "reschedule_proposed": _PROPOSED,
    "reschedule_rejected": _OPEN,
    "reschedule_withdrawn": _OPEN,
    "appointment_expiring": _PENDING,
    "call_incoming": TrueWhile("calls", "call", frozenset({"connecting"})),
    "session_started": TrueWhile("calls", "text_session", frozenset({"waiting"})),
}


def _notification(*words: str) -> frozenset[str]:
    return types("notify", "notification", *words)


def _is_read_already(before: Event, event: Event) -> bool:
    return before.state.read_us is not None and bool(event.state.equals(before.state))


def _is_preferred_already(before: Event, event: Event) -> bool:
    return bool(event.state == before.state)


WORDS: Final = ServiceWords(
    name="notify",
    entities={
        NOTIFICATION: EntityWords(id_field="notification_id", key_field="recipient_id", read=state.notification, status_of=state.status),
        PREFERENCES: EntityWords(id_field="recipient_id", key_field="recipient_id", read=state.preferences, status_of=lambda _: state.SET),
    },
    commands={
        "notify.notification.send.v1": CommandWords(outcomes=_notification("accepted", "suppressed"), further=_notification("sent")),
        "notify.notification.record_delivery.v1": CommandWords(outcomes=_notification("sent", "unsent", "suppressed")),
        "notify.notification.mark_read.v1": CommandWords(outcomes=_notification("read")),
        "notify.preferences.set.v1": CommandWords(outcomes=frozenset({PREFERENCES_CHANGED})),
    },
    events={
        ACCEPTED: EventWords(change=Change(_NEW, state.ACCEPTED)),
        # Nobody is told at all, or not by one channel.
        SUPPRESSED: EventWords(change=Change(_NEW | _TAKEN_ON, None)),
        SENT: EventWords(change=Change(_TAKEN_ON, state.ACCEPTED)),
        UNSENT: EventWords(change=Change(_TAKEN_ON, state.ACCEPTED)),
        # Once read, and once preferred, it stays as it is, however often it is said.
        READ: EventWords(change=Change(_TAKEN_ON, state.ACCEPTED), says_again=_is_read_already),
        PREFERENCES_CHANGED: EventWords(change=Change(_NEW | {state.SET}, state.SET), says_again=_is_preferred_already),
    },
    hears=frozenset({"booking", "calls"}),
    has_processor=False,
)
