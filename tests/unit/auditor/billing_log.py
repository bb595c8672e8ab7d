"""What billing publishes, as the contract says it looks."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from shared.auditor import Record, Rules
from tests.unit.auditor.calls_log import Call, CallsLog, TextSession
from tests.unit.auditor.mesh_log import MORNING, TOPICS, MeshLog, at, header, iso, milliseconds

BILLING = TOPICS["billing"]
MODALITIES = ("text", "voice", "video")
PERIOD = timedelta(minutes=10)
MINIMUM = timedelta(seconds=60)
RATE = 400_000
RULES = Rules(rates={"MWK": dict.fromkeys(MODALITIES, RATE)})
NEXT_YEAR = MORNING + timedelta(days=365)


@dataclass
class Subscription:
    """What the mesh knows of one subscription."""

    subscription_id: str
    patient_id: str
    units: dict[str, int]
    remaining: dict[str, int]
    starts_at: datetime
    ends_at: datetime
    currency: str = "MWK"
    status: str = "active"
    version: int = 1
    cancelled_by: str | None = None
    events: list[Record] = field(default_factory=list)

    def state(self) -> dict[str, Any]:
        return {
            "subscription_id": self.subscription_id,
            "patient_id": self.patient_id,
            "units": self.units,
            "units_remaining": self.remaining,
            "currency": self.currency,
            "starts_at": iso(self.starts_at),
            "ends_at": iso(self.ends_at),
            "status": self.status,
            "created_at": iso(self.starts_at),
            "cancelled_by": self.cancelled_by,
            "cancellation_reason": None,
            "version": self.version,
        }


@dataclass
class Unit:
    """What the mesh knows of one unit that was taken."""

    session_id: str
    unit: int
    doctor_id: str
    patient_id: str
    modality: str
    subscription: Subscription
    due_at: datetime
    is_reversed: bool = False
    events: list[Record] = field(default_factory=list)

    @property
    def deduction_id(self) -> str:
        return f"{self.session_id}:{self.unit}"

    def state(self) -> dict[str, Any]:
        return {
            "deduction_id": self.deduction_id,
            "session_id": self.session_id,
            "unit": self.unit,
            "doctor_id": self.doctor_id,
            "patient_id": self.patient_id,
            "modality": self.modality,
            "subscription_id": self.subscription.subscription_id,
            "status": "reversed" if self.is_reversed else "deducted",
            "due_at": iso(self.due_at),
            "earning": {"amount_minor": RATE, "currency": self.subscription.currency},
            "reason_code": "mistake" if self.is_reversed else None,
            "version": 2 if self.is_reversed else 1,
        }


class BillingLog(MeshLog):
    """The topics of billing, growing; its sessions are those of the calls beside it."""

    service = "billing"
    runs = ("calls", "billing")

    def __init__(self) -> None:
        super().__init__()
        self.balances: dict[tuple[str, str], tuple[int, int]] = {}
        self.taken: defaultdict[str, list[Unit]] = defaultdict(list)
        #: What calls were asked last.
        self.asked: Record | None = None

    @property
    def calls(self) -> CallsLog:
        return self.of(CallsLog)

    def audit(self, **scope: Any) -> Any:
        return super().audit(**{"rules": RULES, **scope})

    # Subscriptions

    def grant(
        self, name: str = "1", *, patient: str = "pat-a", word: str = "activate", currency: str = "MWK", **units: int
    ) -> Subscription:
        counts = dict.fromkeys(MODALITIES, 0) | units
        data = {"subscription_id": f"sub-{name}", "patient_id": patient, "units": counts, "currency": currency, "ends_at": iso(NEXT_YEAR)}
        command = self.command_of(f"billing.subscription.{word}.v1", data | {"actor": {"role": "admin", "id": "admin-1"}})
        held = Subscription(f"sub-{name}", patient, counts, dict(counts), at(command.timestamp_ms), NEXT_YEAR, currency)
        event = self._tell(held, command, {"activate": "activated", "import": "imported"}[word], sign=1)
        if word == "activate":
            self.notify(event, patient, "subscription_activated")
        return held

    def cancel(self, held: Subscription, by: str = "patient") -> Record:
        who = {"patient": held.patient_id}.get(by, "admin-1")
        data = {"subscription_id": held.subscription_id, "patient_id": held.patient_id, "actor": {"role": by, "id": who}}
        command = self.command_of("billing.subscription.cancel.v1", data)
        held.status, held.cancelled_by = "cancelled", by
        held.version += 1
        return self._tell(held, command, "cancelled", sign=-1)

    def expire(self, held: Subscription) -> Record:
        self.now_ms = max(self.now_ms, milliseconds(held.ends_at))
        data = {"subscription_id": held.subscription_id, "patient_id": held.patient_id}
        command = self.command_of("billing.subscription.expire.v1", data)
        held.status = "expired"
        held.version += 1
        event = self._tell(held, command, "expired", sign=-1, time=held.ends_at)
        self.notify(event, held.patient_id, "subscription_expired")
        return event

    def _tell(self, held: Subscription, command: Record, word: str, *, sign: int, time: datetime | None = None) -> Record:
        """The event of a subscription with the first balance that it changes, and one for each further one."""
        moved = {modality: count for modality, count in (held.units if sign > 0 else held.remaining).items() if count}
        held.remaining = dict(held.units) if sign > 0 else dict.fromkeys(MODALITIES, 0)
        changes = [self._move(held.patient_id, modality, sign * count) for modality, count in moved.items()]
        body = held.state() | {"balance": changes[0] if changes else None}
        event = self.event_of(
            f"billing.subscription.{word}.v1", command, body, subject=held.subscription_id, key=held.patient_id, time=time
        )
        for index, change in enumerate(changes[1:], start=1):
            self._changed(held, command, change, index, time)
        held.events.append(event)
        return event

    def _changed(self, held: Subscription, command: Record, change: dict[str, Any], index: int, time: datetime | None = None) -> Record:
        body = {
            "patient_id": held.patient_id,
            "modality": change["modality"],
            "subscription_id": held.subscription_id,
            "balance": change,
            "version": change["sequence"],
        }
        subject = f"{held.patient_id}:{change['modality']}"
        return self.event_of("billing.balance.changed.v1", command, body, subject=subject, key=held.patient_id, index=index, time=time)

    # Units

    def deduct(self, session: Call | TextSession, held: Subscription, *, due_at: datetime | None = None) -> Unit:
        """The next unit of a session, when it falls due."""
        unit = self._unit(session, held, due_at)
        data = {"session_id": unit.session_id, "unit": unit.unit, "doctor_id": unit.doctor_id, "patient_id": unit.patient_id}
        self.now_ms = max(self.now_ms, milliseconds(unit.due_at))
        command = self.command_of("billing.session_unit.deduct.v1", data | {"modality": unit.modality})
        self._take(unit, command)
        return unit

    def reverse(self, unit: Unit, *, actor: str = "admin") -> Record:
        data = {"deduction_id": unit.deduction_id, "doctor_id": unit.doctor_id, "reason_code": "mistake"}
        command = self.command_of("billing.session_unit.reverse.v1", data | {"actor": {"role": actor, "id": "admin-1"}})
        return self._give_back(unit, command)

    def _unit(self, session: Call | TextSession, held: Subscription, due_at: datetime | None) -> Unit:
        began = began_at(session)
        number = len(self.taken[session.session_id]) + 1
        return Unit(
            session.session_id,
            number,
            session.doctor_id,
            session.patient_id,
            modality_of(session),
            held,
            due_at or (began or session.started_at) + number * PERIOD,
        )

    def _take(self, unit: Unit, cause: Record, index: int = 0) -> Record:
        unit.subscription.remaining[unit.modality] -= 1
        self.taken[unit.session_id].append(unit)
        return self._tell_of_unit(unit, cause, "deducted", -1, unit.due_at, index)

    def _give_back(self, unit: Unit, cause: Record, *, time: datetime | None = None, index: int = 0) -> Record:
        unit.is_reversed = True
        event = self._tell_of_unit(unit, cause, "reversed", 1, time, index)
        if unit.subscription.status == "active":
            unit.subscription.remaining[unit.modality] += 1
        else:
            lapse = self._move(unit.patient_id, unit.modality, -1)
            self._changed(unit.subscription, cause, lapse, index + 1, time)
        return event

    def _tell_of_unit(self, unit: Unit, cause: Record, word: str, units: int, time: datetime | None, index: int) -> Record:
        body = unit.state() | {"balance": self._move(unit.patient_id, unit.modality, units)}
        unit.events.append(self.event_of(f"billing.session_unit.{word}.v1", cause, body, subject=unit.deduction_id, time=time, index=index))
        return unit.events[-1]

    # Sessions

    def settle(self, session: Call | TextSession, held: Subscription | None = None) -> Record:
        """What billing makes of the end of a session: what is missing is taken, what is too much is given back."""
        cause = session.events[-1]
        assert session.ended_at is not None
        due, taken, index = units_due(session), self.taken[session.session_id], 0
        while len(taken) < due and held is not None and held.remaining[modality_of(session)]:
            began = began_at(session)
            assert began is not None
            due_at = min(began + (len(taken) + 1) * PERIOD, session.ended_at)
            self._take(self._unit(session, held, due_at), cause, index)
            index += 1
        for unit in taken[due:]:
            if not unit.is_reversed:
                self._give_back(unit, cause, time=session.ended_at, index=index)
                index += 1 if unit.subscription.status == "active" else 2
        standing = [unit for unit in taken if not unit.is_reversed]
        currencies = list(dict.fromkeys(unit.subscription.currency for unit in standing))
        earnings = [
            {"amount_minor": RATE * sum(unit.subscription.currency == currency for unit in standing), "currency": currency}
            for currency in currencies
        ] or [{"amount_minor": 0, "currency": "XXX"}]
        body = self._of(session) | {
            "units_deducted": len(standing),
            "units_refused": max(due - len(taken), 0),
            "earning": earnings[0],
            "further_earnings": earnings[1:],
            "version": 1,
        }
        event = self.event_of("billing.session.settled.v1", cause, body, subject=session.session_id, time=session.ended_at, index=index)
        for recipient in (session.patient_id, session.doctor_id):
            self.notify(event, recipient, "session_settled")
        return event

    def run_low(self, session: Call | TextSession, cause: Record, *, index: int = 1, remaining: int = 2) -> Record:
        return self._note(session, cause, "low", index, {"remaining": remaining, "threshold": 2})

    def exhaust(self, session: Call | TextSession, cause: Record, *, index: int = 1, ask: bool = True) -> Record:
        event = self._note(session, cause, "exhausted", index, {})
        if ask:
            word = "call" if isinstance(session, Call) else "text_session"
            data = {
                f"{'call' if word == 'call' else 'session'}_id": session.session_id,
                "doctor_id": session.doctor_id,
                "actor": {"role": "system", "id": "billing"},
                "reason_code": "insufficient_balance",
            }
            self.asked = self.request_of(f"calls.{word}.end.v1", data, cause=header(cause, "ce_id"))
        return event

    def _note(self, session: Call | TextSession, cause: Record, word: str, index: int, fields: dict[str, Any]) -> Record:
        sequence = self.balances.get((session.patient_id, modality_of(session)), (0, 0))[0]
        subject = f"{session.patient_id}:{modality_of(session)}"
        event = self.event_of(
            f"billing.balance.{word}.v1", cause, self._of(session) | fields | {"version": sequence}, subject=subject, index=index
        )
        self.notify(event, session.patient_id, f"balance_{word}")
        return event

    def _of(self, session: Call | TextSession) -> dict[str, Any]:
        return {
            "session_id": session.session_id,
            "doctor_id": session.doctor_id,
            "patient_id": session.patient_id,
            "modality": modality_of(session),
        }

    def _move(self, patient: str, modality: str, units: int) -> dict[str, Any]:
        sequence, before = self.balances.get((patient, modality), (0, 0))
        self.balances[patient, modality] = (sequence + 1, before + units)
        return {"patient_id": patient, "modality": modality, "sequence": sequence + 1, "before": before, "after": before + units}


def modality_of(session: Call | TextSession) -> str:
    return "video" if isinstance(session, Call) else "text"


def began_at(session: Call | TextSession) -> datetime | None:
    return session.connected_at if isinstance(session, Call) else session.activated_at


def units_due(session: Call | TextSession) -> int:
    """As the rule has it, written once more."""
    began = began_at(session)
    if began is None or session.ended_at is None:
        return 0
    lasted = session.ended_at - began
    whole = lasted // PERIOD
    if session.ended_by == "system":
        return whole if isinstance(session, Call) else max(whole, 1)
    return whole + 1 if isinstance(session, TextSession) or lasted >= MINIMUM else whole


def lasting(log: BillingLog, session: Call | TextSession, duration: timedelta) -> Record:
    """End a session by its patient so long after it began."""
    began = began_at(session)
    assert began is not None
    log.now_ms = milliseconds(began + duration) - 1_000
    return log.calls.end(session)
