"""Random histories, decided by billing and by the naive model: the same units, the same money, and every prefix adds up.

What calls tell arrives late, twice and out of order, as it may.
"""

from collections import defaultdict
from datetime import timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from services.billing.domain.ledger import Entry, EntryKind, postings
from services.billing.domain.rules import Rules
from services.billing.domain.session import SessionNews, session_id_of
from shared.codec.decode import Received
from shared.codec.encode import encode_event
from shared.messages.billing import BILLING_EVENTS
from shared.messages.calls import CallEventType, TextSessionEventType
from shared.messages.events import Event, Request
from shared.messages.fields import Command, Modality, Role
from tests.examples import NOW, minutes
from tests.examples_of_billing import (
    RATES,
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
from tests.unit.billing.histories import Shelf, read
from tests.unit.billing.naive import Naive

RULES = Rules(rates=RATES, balance_low_units=1)
PATIENTS = ("patient-1", "patient-2")
DOCTORS = ("doctor-1", "doctor-2")
SESSIONS = ("text-1", "text-2", "call-1", "call-2", "call-3")
SUBSCRIPTIONS = ("first-of-patient-1", "first-of-patient-2", "sub-1", "sub-2")

patients = st.sampled_from(PATIENTS)
doctors = st.sampled_from(DOCTORS)
sessions = st.sampled_from(SESSIONS)
subscriptions = st.sampled_from(SUBSCRIPTIONS)
unit_numbers = st.integers(1, 4)
ends = st.sampled_from([Role.PATIENT, Role.DOCTOR, Role.SYSTEM])
few = st.integers(0, 3)
#: Jumps onto, just before and just after the moments at which something falls due.
jumps = st.sampled_from([seconds(0.001), seconds(59), seconds(60), minutes(9), minutes(10), minutes(10), minutes(20)])


class Ledger(RuleBasedStateMachine):
    """Patients buy, doctors and patients meet, units fall due; and time passes."""

    @initialize(units=st.lists(st.integers(1, 6), min_size=2, max_size=2))
    def begin(self, units: list[int]) -> None:
        self.now = NOW
        self.naive, self.shelf = Naive(RULES), Shelf(RULES)
        self.offset = 0
        #: What calls know, and what of it was not delivered yet.
        self.truth: dict[str, dict[str, Any]] = {}
        self.told: list[SessionNews] = []
        self.events: list[Event] = []
        self.ended: list[str] = []
        for patient_id, count in zip(PATIENTS, units, strict=True):
            self.activate(f"first-of-{patient_id}", patient_id, count, count, 1, later=False)

    # -- subscriptions

    @rule(subscription_id=subscriptions, patient_id=patients, text=few, voice=few, days=st.integers(0, 3), later=st.booleans())
    def activate(self, subscription_id: str, patient_id: str, text: int, voice: int, days: int, *, later: bool) -> None:
        command = example_activation(
            subscription_id=subscription_id,
            patient_id=patient_id,
            units={"text": text, "voice": voice, "video": 1},
            currency="USD" if text > voice else "MWK",
            starts_at=self.now + minutes(5) if later else None,
            # Ends often just when a unit of a session falls due that begins at this moment.
            ends_at=self.now + timedelta(days=days, minutes=10),
        )
        assert self.outcome(command) == self.naive.grant(command, self.now)

    @rule(subscription_id=subscriptions, patient_id=patients)
    def cancel(self, subscription_id: str, patient_id: str) -> None:
        command = example_cancellation(subscription_id=subscription_id, patient_id=patient_id)
        assert self.outcome(command) == self.naive.close(command, self.now)

    @rule(subscription_id=subscriptions, patient_id=patients)
    def expire(self, subscription_id: str, patient_id: str) -> None:
        command = example_expiry(subscription_id=subscription_id, patient_id=patient_id)
        assert self.outcome(command) == self.naive.close(command, self.now)

    # -- sessions, as calls see them

    @rule(session_id=sessions, patient_id=patients, doctor_id=doctors, at_once=st.booleans())
    def start(self, session_id: str, patient_id: str, doctor_id: str, *, at_once: bool) -> None:
        if session_id in self.truth:
            return
        self.truth[session_id] = {"doctor_id": doctor_id, "patient_id": patient_id, "version": 0, "live": True}
        self.tell(session_id, "STARTED")
        if at_once:
            self.begin_to_count(session_id)
            self.deliver_all()

    @rule(session_id=sessions)
    def begin_to_count(self, session_id: str) -> None:
        truth = self.truth.get(session_id)
        if truth is not None and truth["live"] and "began_at" not in truth:
            truth["began_at"] = self.now
            self.tell(session_id, "ACTIVATED" if is_text(session_id) else "CONNECTED")

    @rule(session_id=sessions)
    def lose_or_regain(self, session_id: str) -> None:
        truth = self.truth.get(session_id)
        if truth is None or is_text(session_id) or not truth["live"] or "began_at" not in truth:
            return
        if "lost_at" in truth:
            del truth["lost_at"]
            self.tell(session_id, "RECONNECTED")
        else:
            truth["lost_at"] = self.now
            self.tell(session_id, "RECONNECTING")

    @rule(patient_id=patients, doctor_id=doctors, lasts=jumps, by=ends, late=st.booleans(), data=st.data())
    def meet(self, patient_id: str, doctor_id: str, lasts: timedelta, by: Role, data: st.DataObject, *, late: bool) -> None:
        """A whole session, whose end is heard late."""
        fresh = [session_id for session_id in SESSIONS if session_id not in self.truth]
        if fresh:
            session_id = data.draw(st.sampled_from(fresh))
            self.start(session_id, patient_id, doctor_id, at_once=True)
            self.time_passes(lasts, sweep=True)
            self.end(session_id, by)
            if late:
                self.time_passes(minutes(20), sweep=True)

    @rule(session_id=sessions, by=ends)
    def end(self, session_id: str, by: Role) -> None:
        truth = self.truth.get(session_id)
        if truth is not None and truth["live"]:
            truth |= {"live": False, "ended_at": truth.get("lost_at", self.now), "ended_by": by}
            self.tell(session_id, "ENDED")
            self.ended.append(session_id)

    def tell(self, session_id: str, word: str) -> None:
        truth = self.truth[session_id]
        truth["version"] += 1
        began_at, version = truth.get("began_at"), truth["version"]
        common: dict[str, Any] = {name: truth.get(name) for name in ("doctor_id", "patient_id", "ended_at", "ended_by")}
        if is_text(session_id):
            type_ = TextSessionEventType[word]
            news = text_news(type_, version, session_id=session_id, time=self.now, activated_at=began_at, **common)
        else:
            lost_at = truth.get("lost_at")
            news = call_news(
                CallEventType[word],
                version,
                call_id=session_id,
                time=self.now,
                connected_at=began_at,
                disconnected_at=lost_at,
                **common,
            )
        self.told.append(news)

    @precondition(lambda self: self.told)
    @rule(data=st.data(), keep=st.booleans())
    def deliver(self, data: st.DataObject, *, keep: bool) -> None:
        news = data.draw(st.sampled_from(self.told))
        if not keep:
            self.told.remove(news)
        self.hear(news)

    @rule()
    def deliver_all(self) -> None:
        while self.told:
            self.hear(self.told.pop(0))

    # -- units

    @rule(session_id=sessions, unit=unit_numbers, patient_id=patients)
    def deduct(self, session_id: str, unit: int, patient_id: str) -> None:
        truth = self.truth.get(session_id, {"doctor_id": "doctor-1", "patient_id": patient_id})
        # Mostly the right patient.
        patient_id = patient_id if unit == 4 else truth["patient_id"]
        modality = Modality.TEXT if is_text(session_id) else Modality.VOICE
        command = example_deduct(session_id=session_id, unit=unit, doctor_id=truth["doctor_id"], patient_id=patient_id, modality=modality)
        assert self.outcome(command) == self.naive.deduct(command, self.now)

    @rule()
    def tick(self) -> None:
        """The sweep asks for what falls due."""
        for session in list(self.shelf.sessions.values()):
            tick_at = session.next_tick_at(RULES)
            if tick_at is not None and tick_at <= self.now:
                self.deduct(session.session_id, session.units_taken + 1, session.patient_id)

    @rule(session_id=sessions, unit=unit_numbers)
    def reverse(self, session_id: str, unit: int) -> None:
        doctor_id = self.truth.get(session_id, {"doctor_id": "doctor-1"})["doctor_id"]
        command = example_reversal(deduction_id=f"{session_id}:{unit}", doctor_id=doctor_id)
        assert self.outcome(command) == self.naive.reverse(command)

    @rule(jump=jumps, sweep=st.booleans())
    def time_passes(self, jump: timedelta, *, sweep: bool) -> None:
        self.now += jump
        if sweep:
            self.tick()

    # -- what must be true after each step

    @invariant()
    def balances_and_earnings_are_the_naive_ones(self) -> None:
        for patient_id in PATIENTS:
            for modality in Modality:
                balance = self.shelf.balances.get((patient_id, modality))
                assert (balance.remaining if balance is not None else 0) == self.naive.balance(patient_id, modality)
                held = [held for held in self.shelf.subscriptions.values() if held.patient_id == patient_id]
                assert sum(held.remaining.of(modality) for held in held) == self.naive.balance(patient_id, modality)
        sums: dict[tuple[str, str], int] = defaultdict(int)
        for entry in self.shelf.entries:
            for posting in postings(entry):
                sums[posting.account, posting.commodity] += posting.amount
        for doctor_id in DOCTORS:
            for currency in RATES:
                assert sums[f"doctor:{doctor_id}", currency] == self.naive.earned(doctor_id, currency)

    @invariant()
    def each_entry_balances_and_each_prefix_adds_up(self) -> None:
        last: dict[tuple[str, Modality], Entry] = {}
        for entry in sorted(self.shelf.entries, key=lambda entry: entry.sequence):
            before = last.get((entry.patient_id, entry.modality))
            assert entry.sequence == (before.sequence + 1 if before is not None else 1)
            assert entry.before == (before.after if before is not None else 0)
            assert entry.after >= 0
            assert (entry.after > entry.before) == (entry.kind in {EntryKind.GRANTED, EntryKind.REVERSED})
            last[entry.patient_id, entry.modality] = entry
            totals: dict[str, int] = defaultdict(int)
            for posting in postings(entry):
                totals[posting.commodity] += posting.amount
            assert set(totals.values()) == {0}

    @invariant()
    def units_are_taken_once_and_reversed_once(self) -> None:
        taken = [
            (entry.kind, entry.deduction.session_id, entry.deduction.unit) for entry in self.shelf.entries if entry.deduction is not None
        ]
        assert len(taken) == len(set(taken))

    @invariant()
    def each_change_of_a_balance_is_told_once(self) -> None:
        told = [balance for event in self.events if isinstance(balance := event.body.get("balance"), dict)]
        assert sorted(
            (balance["patient_id"], balance["modality"], balance["sequence"], balance["before"], balance["after"]) for balance in told
        ) == sorted((entry.patient_id, entry.modality, entry.sequence, entry.before, entry.after) for entry in self.shelf.entries)

    def teardown(self) -> None:
        """When all was delivered, every session that is over has cost what its duration says, or nobody could pay."""
        self.deliver_all()
        settlements = {event.subject: event.body for event in self.events if event.type == "billing.session.settled.v1"}
        assert settlements.keys() == set(self.ended)
        for session_id, settled in settlements.items():
            assert (settled["units_deducted"], settled["units_refused"]) == self.naive.settled[str(session_id)]
        told = [event.body["session_id"] for event in self.events if event.type == "billing.balance.exhausted.v1"]
        assert len(told) == len(set(told)), "a patient is told once for each session"

    # -- billing itself

    def outcome(self, command: Command) -> str:
        self.offset += 1
        record = command_record(command, identifier=f"command-{self.offset}", at=self.now, offset=self.offset)
        received = read(record)
        said = self.shelf.decide(received)
        self.check(said, received)
        outcome = said[0]
        assert isinstance(outcome, Event)
        return str(outcome.body.get("reason") or outcome.type.split(".")[2])

    def hear(self, news: SessionNews) -> None:
        received = read(news_record(news))
        session_before = self.shelf.sessions.get(session_id_of(news))
        self.naive.hear(news)
        said = self.shelf.decide(received)
        self.check(said, received)
        if session_before is not None and session_before.over_at is not None:
            assert said == []

    def check(self, said: list[Event | Request], cause: Received) -> None:
        """Every event is what the contract says of its type."""
        for index, event in enumerate(said):
            if isinstance(event, Event):
                message = encode_event(
                    event, cause=cause, index=index, service="billing", topic="events", decided_at="2030-01-01T00:00:00Z"
                )
                assert message.value is not None
                BILLING_EVENTS[event.type].model_validate_json(message.value)
                self.events.append(event)
            else:
                assert event.command.type in {"calls.call.end.v1", "calls.text_session.end.v1"}


def is_text(session_id: str) -> bool:
    return session_id.startswith("text")


TestLedger = Ledger.TestCase
TestLedger.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
