"""Random histories of several patients and doctors: grants, sessions, ticks and reversals, with news that come late and twice."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random
from typing import Any

from services.billing.app import HEARD
from services.billing.domain.account import Balance
from services.billing.domain.ledger import Deduction, Entry
from services.billing.domain.rules import Rules
from services.billing.domain.session import Session
from services.billing.domain.subscription import Subscription
from services.billing.working_set import Accounts
from shared.codec.decode import Received, decode
from shared.codec.events import decode_event
from shared.codec.record import Record, StoredRecord
from shared.messages.billing import BILLING_COMMANDS
from shared.messages.calls import CallEventType, TextSessionEventType
from shared.messages.events import Event, Request
from shared.messages.fields import Modality, Role
from tests.examples import NOW, minutes
from tests.examples_of_billing import (
    CALLS_TOPIC,
    call_news,
    command_record,
    example_activation,
    example_cancellation,
    example_deduct,
    example_expiry,
    example_reversal,
    news_record,
    seconds,
    text_news,
)

PATIENTS = ("patient-1", "patient-2", "patient-3")


class Shelf:
    """Keeps what a store would, and hands out what a message needs."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.subscriptions: dict[str, Subscription] = {}
        self.balances: dict[tuple[str, Modality], Balance] = {}
        self.sessions: dict[str, Session] = {}
        self.deductions: dict[str, Deduction] = {}
        self.entries: list[Entry] = []

    def decide(self, received: Received) -> list[Event | Request]:
        state = Accounts(
            self.rules,
            patients=PATIENTS,
            subscriptions=self.subscriptions.values(),
            balances=self.balances.values(),
            sessions=self.sessions.values(),
            deductions=self.deductions.values(),
        )
        said = state.decide(received)
        self.subscriptions |= {held.subscription_id: held for held in (*state.subscriptions.new, *state.subscriptions.changed)}
        self.balances |= {(held.patient_id, held.modality): held for held in (*state.balances.new, *state.balances.changed)}
        self.sessions |= {session.session_id: session for session in (*state.sessions.new, *state.sessions.changed)}
        self.entries += state.entries
        for entry in state.entries:
            if entry.deduction is not None:
                self.deductions[entry.deduction.deduction_id] = entry.deduction
        return said


def read(record: Record) -> Received:
    """A record as billing reads it."""
    decoded = decode_event(record, HEARD) if record.topic == CALLS_TOPIC else decode(record, BILLING_COMMANDS)
    assert isinstance(decoded, Received), decoded
    return decoded


def history(seed: int, length: int = 150) -> list[StoredRecord]:
    """What billing reads, in order; each topic's offsets ascend."""
    random, now = Random(seed), NOW
    records = [
        command_record(
            example_activation(subscription_id=f"first-{patient_id}", patient_id=patient_id, units={"text": 8, "voice": 8}),
            identifier=f"first-{patient_id}",
        )
        for patient_id in PATIENTS
    ]
    sessions: list[dict[str, Any]] = []
    for step in range(length):
        now += random.choice([seconds(0.001), seconds(59), minutes(3), minutes(10)])
        records += _step(random, sessions, now, step)
        # News come twice, and late.
        if random.random() < 0.2:
            news = [record for record in records if record.topic == CALLS_TOPIC]
            records += random.sample(news, min(2, len(news)))
    offsets = {CALLS_TOPIC: 0, "commands": 0}
    numbered = []
    for record in records:
        topic = record.topic if record.topic == CALLS_TOPIC else "commands"
        numbered.append(
            StoredRecord(record.topic, 0, offsets[topic], record.timestamp, record.key, record.value, record.headers),
        )
        offsets[topic] += 1
    return numbered


def _step(random: Random, sessions: list[dict[str, Any]], now: datetime, step: int) -> Iterator[StoredRecord]:
    patient_id = random.choice(PATIENTS)
    identifier = f"command-{step}"
    match random.choice(["grant", "start", "start", "end", "end", "tick", "tick", "tick", "reverse", "cancel", "expire"]):
        case "grant":
            granted = {"text": random.randint(0, 3), "voice": random.randint(1, 3)}
            ends_at = now + random.choice([minutes(10), minutes(60), timedelta(days=9)])
            command = example_activation(
                subscription_id=f"sub-{random.randint(0, 12)}", patient_id=patient_id, units=granted, ends_at=ends_at
            )
            yield command_record(command, identifier=identifier, at=now)
        case "start":
            session: dict[str, Any] = {"id": f"session-{step}", "text": random.random() < 0.5, "began_at": now, "patient_id": patient_id}
            session["doctor_id"] = f"doctor-{random.randint(1, 4)}"
            sessions.append(session)
            yield news_record(_begun(session))
        case "end" if sessions:
            session = sessions.pop(random.randrange(len(sessions)))
            yield news_record(_ended(session, now, random.choice([Role.PATIENT, Role.DOCTOR, Role.SYSTEM])))
        case "tick" if sessions:
            session = random.choice(sessions)
            modality = Modality.TEXT if session["text"] else Modality.VOICE
            unit = random.randint(1, 1 + (now - session["began_at"]) // minutes(10))
            deduct = example_deduct(
                session_id=session["id"], unit=unit, doctor_id=session["doctor_id"], patient_id=session["patient_id"], modality=modality
            )
            yield command_record(deduct, identifier=identifier, at=now)
        case "reverse" if sessions:
            session = random.choice(sessions)
            reversal = example_reversal(deduction_id=f"{session['id']}:1", doctor_id=session["doctor_id"])
            yield command_record(reversal, identifier=identifier, at=now)
        case "cancel":
            cancellation = example_cancellation(subscription_id=f"sub-{random.randint(0, 12)}", patient_id=patient_id)
            yield command_record(cancellation, identifier=identifier, at=now)
        case "expire":
            expiry = example_expiry(subscription_id=f"sub-{random.randint(0, 12)}", patient_id=patient_id)
            yield command_record(expiry, identifier=identifier, at=now)


def _begun(session: dict[str, Any]) -> Any:
    began_at, parties = session["began_at"], {"doctor_id": session["doctor_id"], "patient_id": session["patient_id"]}
    if session["text"]:
        return text_news(TextSessionEventType.ACTIVATED, 2, session_id=session["id"], time=began_at, activated_at=began_at, **parties)
    return call_news(CallEventType.CONNECTED, 2, call_id=session["id"], time=began_at, connected_at=began_at, **parties)


def _ended(session: dict[str, Any], now: datetime, by: Role) -> Any:
    began_at, parties = session["began_at"], {"doctor_id": session["doctor_id"], "patient_id": session["patient_id"]}
    if session["text"]:
        return text_news(
            TextSessionEventType.ENDED, 3, session_id=session["id"], activated_at=began_at, ended_at=now, ended_by=by, **parties
        )
    return call_news(CallEventType.ENDED, 3, call_id=session["id"], connected_at=began_at, ended_at=now, ended_by=by, **parties)
