"""What billing knows of a session, and how many of its units have fallen due. All of it follows from log times.

A session is a call or a text session. Its units fall due after each whole period connected or active; the period begun is one
more when somebody ends it. Time in which a call's connection was lost counts only if it came back.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from services.billing.domain.rules import Rules
from shared.messages.calls import CallEvent, CallStatus, TextSessionEvent, TextSessionStatus
from shared.messages.fields import Modality, Role

#: What calls tell of a session.
SessionNews = CallEvent | TextSessionEvent

_OVER: Final = frozenset(
    {
        CallStatus.ENDED,
        CallStatus.FAILED,
        CallStatus.DECLINED,
        CallStatus.CANCELLED,
        TextSessionStatus.ENDED,
        TextSessionStatus.EXPIRED,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One session, as calls has told of it, and what was charged for it.

    Attributes:
        heard_version: of the newest event of it that was heard.
        began_at: when it was first connected or active; ``None`` while, or if, it never was.
        paused_at: when a call's connection was lost that has not come back.
        over_at: when it was over.
        ended_by_system: whether nobody ended it: a time-out did, or that no units were left.
        units_taken: the units 1 to this were deducted, whether or not some were reversed later.
        is_exhausted: whether the patient was told that no unit is left for it.
    """

    session_id: str
    doctor_id: str
    patient_id: str
    modality: Modality
    heard_version: int
    began_at: datetime | None
    paused_at: datetime | None
    over_at: datetime | None
    ended_by_system: bool
    units_taken: int = 0
    is_exhausted: bool = False

    def is_of(self, doctor_id: str, patient_id: str, modality: Modality) -> bool:
        """Whether these are its parties and its modality."""
        return (self.doctor_id, self.patient_id, self.modality) == (doctor_id, patient_id, modality)

    def units_due(self, at: datetime, rules: Rules) -> int:
        """How many units have fallen due by this moment."""
        if self.began_at is None:
            return 0
        if self.over_at is not None:
            return self._units_in_all(self.began_at, self.over_at, rules)
        until = at if self.paused_at is None else min(at, self.paused_at)
        return max((until - self.began_at) // rules.billing_period, 0)

    def due_at(self, unit: int, rules: Rules) -> datetime | None:
        """When a unit falls due; ``None`` when nobody can say yet, because the session has not begun or its connection is lost."""
        if self.began_at is None:
            return None
        moment = self.began_at + unit * rules.billing_period
        if self.over_at is not None:
            # The period begun is due when the session is over.
            return min(moment, self.over_at)
        return moment if self.paused_at is None or moment <= self.paused_at else None

    def next_tick_at(self, rules: Rules) -> datetime | None:
        """When the sweep is to ask for the next unit; ``None``: never, as it stands."""
        if self.over_at is not None or self.is_exhausted:
            return None
        return self.due_at(self.units_taken + 1, rules)

    def _units_in_all(self, began_at: datetime, over_at: datetime, rules: Rules) -> int:
        lasted = max(over_at - began_at, timedelta())
        whole = lasted // rules.billing_period
        if self.modality is Modality.TEXT:
            return max(whole, 1) if self.ended_by_system else whole + 1
        if self.ended_by_system or lasted < rules.call_minimum_billed:
            return whole
        return whole + 1


def session_of(news: SessionNews, before: Session | None) -> Session:
    """The session as calls tell of it, with what was charged before."""
    is_over = news.status in _OVER
    session = Session(
        session_id=session_id_of(news),
        doctor_id=news.doctor_id,
        patient_id=news.patient_id,
        modality=modality_of(news),
        heard_version=news.version,
        began_at=news.connected_at if isinstance(news, CallEvent) else news.activated_at,
        paused_at=news.disconnected_at if news.status is CallStatus.RECONNECTING else None,
        over_at=(news.ended_at or news.time) if is_over else None,
        ended_by_system=is_over and news.ended_by is Role.SYSTEM,
    )
    if before is None:
        return session
    return replace(session, units_taken=before.units_taken, is_exhausted=before.is_exhausted)


def session_id_of(news: SessionNews) -> str:
    """The id that billing knows a call or a text session by."""
    return news.call_id if isinstance(news, CallEvent) else news.session_id


def modality_of(news: SessionNews) -> Modality:
    """How doctor and patient meet."""
    return news.modality if isinstance(news, CallEvent) else Modality.TEXT
