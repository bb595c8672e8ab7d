"""The vocabulary of billing's tests: a valid example of everything, of which a test states only what it is about."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar, cast

import orjson

from services.billing.app import HEARD
from services.billing.domain.account import Account, Balance
from services.billing.domain.decision import BillingEvent, Decision, Moment, Refused
from services.billing.domain.ledger import Cause, Deduction
from services.billing.domain.rules import Rules
from services.billing.domain.session import Session, SessionNews
from services.billing.domain.subscription import Subscription, UnitCounts
from shared.codec.encode import encode_command
from shared.codec.record import StoredRecord
from shared.messages.billing import (
    ActivateSubscription,
    CancelSubscription,
    DeductSessionUnit,
    ExpireSubscription,
    ImportSubscription,
    ReverseSessionUnit,
    SubscriptionStatus,
    deduction_id_of,
)
from shared.messages.calls import CallEventType, CallStatus, TextSessionEventType, TextSessionStatus
from shared.messages.fields import Actor, Command, Modality, Role
from shared.messages.refusal import Refusal
from tests.examples import DOCTOR, NOW, PATIENT, SOURCE, admin, milliseconds, system

Event = TypeVar("Event", bound=BillingEvent)
AnyCommand = TypeVar("AnyCommand", bound=Command)

RATES: Final = {
    "MWK": {Modality.TEXT: 400_000, Modality.VOICE: 500_000, Modality.VIDEO: 600_000},
    "USD": {Modality.TEXT: 400, Modality.VOICE: 500, Modality.VIDEO: 600},
}
RULES: Final = Rules(rates=RATES)
PERIOD: Final = RULES.billing_period
SESSION: Final = "session-1"
SUBSCRIPTION: Final = "sub-1"
CAUSE: Final = Cause(SOURCE, "command-1", "billing.session_unit.deduct.v1")
COMMANDS_TOPIC: Final = "test.billing.commands.v1"
CALLS_TOPIC: Final = "test.calls.events.v1"


def seconds(count: float) -> timedelta:
    return timedelta(seconds=count)


def example_subscription(
    *,
    subscription_id: str = SUBSCRIPTION,
    patient_id: str = PATIENT,
    remaining: UnitCounts | None = None,
    currency: str = "MWK",
    starts_at: datetime = NOW - timedelta(days=10),
    ends_at: datetime = NOW + timedelta(days=20),
    status: SubscriptionStatus = SubscriptionStatus.ACTIVE,
) -> Subscription:
    """An active subscription of ten days ago, with ten units of each modality."""
    return Subscription(
        subscription_id=subscription_id,
        patient_id=patient_id,
        granted=UnitCounts(10, 10, 10),
        remaining=UnitCounts(10, 10, 10) if remaining is None else remaining,
        currency=currency,
        starts_at=starts_at,
        ends_at=ends_at,
        status=status,
        created_at=starts_at,
        updated_at=starts_at,
        changed_by=Cause(SOURCE, "earlier-command", ActivateSubscription.type),
        version=1 if status is SubscriptionStatus.ACTIVE else 2,
    )


def example_account(*subscriptions: Subscription, patient_id: str = PATIENT, told_low: bool = False) -> Account:
    """An account with these subscriptions, and the balances that they add up to."""
    active = [subscription for subscription in subscriptions if subscription.is_active]
    balances = [
        Balance(
            patient_id=patient_id,
            modality=modality,
            remaining=sum(subscription.remaining.of(modality) for subscription in active),
            sequence=len(active),
            told_low=told_low,
        )
        for modality in Modality
    ]
    return Account.of(patient_id, active, balances)


def units(count: int) -> UnitCounts:
    """So many of each modality."""
    return UnitCounts(count, count, count)


def example_session(
    *,
    session_id: str = SESSION,
    doctor_id: str = DOCTOR,
    patient_id: str = PATIENT,
    modality: Modality = Modality.VOICE,
    heard_version: int = 2,
    began_at: datetime | None = NOW,
    paused_at: datetime | None = None,
    over_at: datetime | None = None,
    ended_by_system: bool = False,
    units_taken: int = 0,
    is_exhausted: bool = False,
) -> Session:
    """A voice call that connected at ``NOW``."""
    return Session(
        session_id=session_id,
        doctor_id=doctor_id,
        patient_id=patient_id,
        modality=modality,
        heard_version=heard_version,
        began_at=began_at,
        paused_at=paused_at,
        over_at=over_at,
        ended_by_system=ended_by_system,
        units_taken=units_taken,
        is_exhausted=is_exhausted,
    )


def example_deduction(*, unit: int = 1, subscription_id: str = SUBSCRIPTION, is_reversed: bool = False, currency: str = "MWK") -> Deduction:
    """A unit of the example's voice call."""
    return Deduction(
        deduction_id=deduction_id_of(SESSION, unit),
        session_id=SESSION,
        unit=unit,
        doctor_id=DOCTOR,
        patient_id=PATIENT,
        modality=Modality.VOICE,
        subscription_id=subscription_id,
        due_at=NOW + unit * PERIOD,
        amount_minor=RATES[currency][Modality.VOICE],
        currency=currency,
        is_reversed=is_reversed,
    )


def example_moment(*, now: datetime = NOW, cause: Cause = CAUSE) -> Moment:
    return Moment(now, cause)


def example_activation(
    *,
    subscription_id: str | None = SUBSCRIPTION,
    patient_id: str = PATIENT,
    units: Mapping[str, int] | None = None,
    currency: str = "MWK",
    starts_at: datetime | None = None,
    ends_at: datetime = NOW + timedelta(days=30),
    actor: Actor | None = None,
) -> ActivateSubscription:
    """A payment gives ten units of each modality for thirty days."""
    return _as_published(ActivateSubscription, _grant(subscription_id, patient_id, units, currency, starts_at, ends_at, actor))


def example_import(
    *,
    subscription_id: str | None = SUBSCRIPTION,
    patient_id: str = PATIENT,
    units: Mapping[str, int] | None = None,
    starts_at: datetime | None = NOW - timedelta(days=10),
    ends_at: datetime = NOW + timedelta(days=20),
    actor: Actor | None = None,
) -> ImportSubscription:
    return _as_published(ImportSubscription, _grant(subscription_id, patient_id, units, "MWK", starts_at, ends_at, actor))


def _grant(
    subscription_id: str | None,
    patient_id: str,
    units: Mapping[str, int] | None,
    currency: str,
    starts_at: datetime | None,
    ends_at: datetime,
    actor: Actor | None,
) -> dict[str, object]:
    return {
        "subscription_id": subscription_id,
        "patient_id": patient_id,
        "units": units or {"text": 10, "voice": 10, "video": 10},
        "currency": currency,
        "starts_at": starts_at,
        "ends_at": ends_at,
        "actor": actor or system(),
    }


def example_cancellation(
    *, subscription_id: str = SUBSCRIPTION, patient_id: str = PATIENT, actor: Actor | None = None, reason_code: str | None = None
) -> CancelSubscription:
    body = {"subscription_id": subscription_id, "patient_id": patient_id, "actor": actor or admin(), "reason_code": reason_code}
    return _as_published(CancelSubscription, body)


def example_expiry(*, subscription_id: str = SUBSCRIPTION, patient_id: str = PATIENT, actor: Actor | None = None) -> ExpireSubscription:
    return _as_published(ExpireSubscription, {"subscription_id": subscription_id, "patient_id": patient_id, "actor": actor})


def example_deduct(
    *,
    session_id: str = SESSION,
    unit: int = 1,
    doctor_id: str = DOCTOR,
    patient_id: str = PATIENT,
    modality: Modality = Modality.VOICE,
    actor: Actor | None = None,
) -> DeductSessionUnit:
    body = {
        "session_id": session_id,
        "unit": unit,
        "doctor_id": doctor_id,
        "patient_id": patient_id,
        "modality": modality,
        "actor": actor,
    }
    return _as_published(DeductSessionUnit, body)


def example_reversal(
    *, deduction_id: str = f"{SESSION}:1", doctor_id: str = DOCTOR, actor: Actor | None = None, reason_code: str = "complaint"
) -> ReverseSessionUnit:
    body = {"deduction_id": deduction_id, "doctor_id": doctor_id, "actor": actor or admin(), "reason_code": reason_code}
    return _as_published(ReverseSessionUnit, body)


_CALL_STATUS: Final = {
    CallEventType.STARTED: CallStatus.CONNECTING,
    CallEventType.CONNECTED: CallStatus.CONNECTED,
    CallEventType.RECONNECTED: CallStatus.CONNECTED,
}
_TEXT_STATUS: Final = {TextSessionEventType.STARTED: TextSessionStatus.WAITING, TextSessionEventType.ACTIVATED: TextSessionStatus.ACTIVE}


def call_news(
    type_: CallEventType,
    version: int,
    *,
    call_id: str = SESSION,
    doctor_id: str = DOCTOR,
    patient_id: str = PATIENT,
    modality: Modality = Modality.VOICE,
    time: datetime = NOW,
    connected_at: datetime | None = None,
    disconnected_at: datetime | None = None,
    ended_at: datetime | None = None,
    ended_by: Role | None = None,
) -> SessionNews:
    """What calls tell of a call."""
    word = type_.split(".")[2]
    body = {
        "call_id": call_id,
        "modality": modality,
        "status": _CALL_STATUS.get(type_) or CallStatus(word),
        "connected_at": connected_at,
        "disconnected_at": disconnected_at,
        "failure_reason": "Connection timeout after 90 seconds" if type_ is CallEventType.FAILED else None,
        "is_connected": type_ in {CallEventType.CONNECTED, CallEventType.RECONNECTED},
        "connected_seconds": (ended_at - connected_at).total_seconds() if ended_at is not None and connected_at is not None else 0.0,
        "sessions_used": 0,
    }
    return _news(type_, version, body, doctor_id=doctor_id, patient_id=patient_id, time=time, ended_at=ended_at, ended_by=ended_by)


def text_news(
    type_: TextSessionEventType,
    version: int,
    *,
    session_id: str = SESSION,
    doctor_id: str = DOCTOR,
    patient_id: str = PATIENT,
    time: datetime = NOW,
    activated_at: datetime | None = None,
    ended_at: datetime | None = None,
    ended_by: Role | None = None,
) -> SessionNews:
    """What calls tell of a text session."""
    body = {
        "session_id": session_id,
        "status": _TEXT_STATUS.get(type_) or TextSessionStatus(type_.split(".")[2]),
        "activated_at": activated_at,
        "last_activity_at": activated_at,
        "patient_activity_count": 0,
        "doctor_activity_count": 1 if activated_at is not None else 0,
        "active_seconds": (ended_at - activated_at).total_seconds() if ended_at is not None and activated_at is not None else 0.0,
        "sessions_used": 0,
    }
    return _news(type_, version, body, doctor_id=doctor_id, patient_id=patient_id, time=time, ended_at=ended_at, ended_by=ended_by)


def _news(
    type_: str,
    version: int,
    body: Mapping[str, object],
    *,
    doctor_id: str,
    patient_id: str,
    time: datetime,
    ended_at: datetime | None,
    ended_by: Role | None,
) -> SessionNews:
    session_id = cast("str", body.get("call_id") or body.get("session_id"))
    value = {
        "type": type_,
        "id": f"{session_id}-{version}",
        "time": ended_at or time,
        "appointment_id": None,
        "doctor_id": doctor_id,
        "patient_id": patient_id,
        "started_by": Role.PATIENT,
        "started_at": NOW,
        "deadline_at": None,
        "ended_at": ended_at,
        "ended_by": ended_by,
        "reason": None,
        "version": version,
        "decision": {
            "decided_at": NOW,
            "index": 0,
            "command": {"source": "/tests", "id": f"of-{session_id}-{version}", "type": "calls.call.start.v1"},
            "topic": "test.calls.commands.v1",
            "partition": 0,
            "offset": version,
        },
    }
    return cast("SessionNews", HEARD[type_].model_validate_json(orjson.dumps({**value, **body}, option=orjson.OPT_UTC_Z)))


def news_record(news: SessionNews, *, partition: int = 0, offset: int = 0, topic: str = CALLS_TOPIC) -> StoredRecord:
    """News as they lie in the topic of calls."""
    value = orjson.dumps(news.model_dump(), option=orjson.OPT_UTC_Z)
    headers = [("ce_source", b"/caremesh/calls"), ("ce_id", news.id.encode()), ("ce_type", news.type.encode())]
    return StoredRecord(topic, partition, offset, milliseconds(news.time), news.doctor_id.encode(), value, headers)


def command_record(
    command: Command, *, identifier: str = "command-1", source: str = SOURCE, at: datetime = NOW, partition: int = 0, offset: int = 0
) -> StoredRecord:
    """A command as it lies in billing's topic."""
    message = encode_command(command, topic=COMMANDS_TOPIC, source=source, identifier=identifier)
    return StoredRecord(COMMANDS_TOPIC, partition, offset, milliseconds(at), message.key, message.value, message.headers)


def events_of(decision: Decision, kind: type[Event]) -> list[Event]:
    """What happened of one kind."""
    return [event for event in decision.events if isinstance(event, kind)]


def the_refusal(decision: Decision) -> Refusal:
    """Why nothing happened."""
    [event] = decision.events
    assert isinstance(event, Refused), event
    return event.refusal


def names_of(events: Sequence[Any]) -> list[str]:
    """What happened, in order."""
    return [type(event).__name__ for event in events]


def _as_published(command: type[AnyCommand], body: Mapping[str, object]) -> AnyCommand:
    present = {name: value.model_dump() if isinstance(value, Actor) else value for name, value in body.items() if value is not None}
    return command.model_validate_json(orjson.dumps(present, option=orjson.OPT_UTC_Z))
