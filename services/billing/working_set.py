"""The accounts and sessions that one batch needs, and how they change as its messages are decided. In memory, no IO."""

from collections import defaultdict
from collections.abc import Collection, Hashable, Iterable, Sequence
from datetime import datetime
from typing import Generic, TypeVar, cast

from services.billing.domain import decide
from services.billing.domain.account import Account, Balance
from services.billing.domain.decision import (
    BillingEvent,
    Decision,
    Deducted,
    Known,
    Moment,
    Refused,
    Reversed,
    SubscriptionChanged,
    entries_of,
)
from services.billing.domain.ledger import Cause, Deduction, Entry
from services.billing.domain.rules import Rules
from services.billing.domain.session import Session, SessionNews, session_id_of
from services.billing.domain.subscription import Subscription
from services.billing.wire import entity_id_of, messages_of, refused
from shared.codec.decode import Malformed, Received
from shared.messages.billing import (
    BillingCommand,
    CancelSubscription,
    DeductSessionUnit,
    ExpireSubscription,
    ReverseSessionUnit,
)
from shared.messages.calls import CallEvent, TextSessionEvent
from shared.messages.events import Event, Request
from shared.messages.fields import Modality
from shared.path.refusals import rejected

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Shelf(Generic[Key, Value]):
    """States of one kind as they were loaded, and as they stand now."""

    def __init__(self, loaded: dict[Key, Value]) -> None:
        """Fill it."""
        self._loaded = frozenset(loaded)
        self._now = loaded
        self._touched: dict[Key, None] = {}

    def get(self, key: Key) -> Value | None:
        """A state, if there is one."""
        return self._now.get(key)

    def put(self, key: Key, value: Value) -> None:
        """A state as it is from now on."""
        if self._now.get(key) is not value:
            self._now[key] = value
            self._touched[key] = None

    def values(self) -> Collection[Value]:
        """All of them."""
        return self._now.values()

    @property
    def new(self) -> Sequence[Value]:
        """Those that were not loaded."""
        return [self._now[key] for key in self._touched if key not in self._loaded]

    @property
    def changed(self) -> Sequence[Value]:
        """Those that were loaded and are different now."""
        return [self._now[key] for key in self._touched if key in self._loaded]


class Accounts:
    """A batch's working set.

    Attributes:
        subscriptions: by id.
        balances: by patient and modality.
        sessions: by id.
        entries: what the batch enters into the ledger, in order.
    """

    def __init__(
        self,
        rules: Rules,
        *,
        patients: Iterable[str] = (),
        subscriptions: Iterable[Subscription] = (),
        balances: Iterable[Balance] = (),
        sessions: Iterable[Session] = (),
        deductions: Iterable[Deduction] = (),
    ) -> None:
        """Make it of what was loaded.

        Args:
            rules: to decide by.
            patients: whose accounts the batch needs.
            subscriptions: their active ones, and those that the batch names.
            balances: theirs.
            sessions: those that the batch names, and those not over of patients one of whose subscriptions is to end.
            deductions: those that the batch names, and all of the sessions that are over in it.
        """
        self._rules = rules
        self.subscriptions: Shelf[str, Subscription] = Shelf({held.subscription_id: held for held in subscriptions})
        self.balances: Shelf[tuple[str, Modality], Balance] = Shelf({(held.patient_id, held.modality): held for held in balances})
        self.sessions: Shelf[str, Session] = Shelf({session.session_id: session for session in sessions})
        self.entries: list[Entry] = []
        self._accounts = self._put_together(patients)
        self._deductions: dict[str, Deduction] = {}
        self._units_of: defaultdict[str, dict[int, str]] = defaultdict(dict)
        for deduction in deductions:
            self._keep(deduction)

    def knows(self, entity_id: str) -> bool:
        """Whether that deduction exists."""
        return entity_id in self._deductions

    def has_heard_of(self, session_id: str) -> bool:
        """Whether calls have told of that session."""
        return self.sessions.get(session_id) is not None

    def decide(self, received: Received) -> list[Event | Request]:
        """Decide one command or hear one event, and take in what happened."""
        content = received.content
        if isinstance(content, Malformed):
            return [self._rejected(content, received)]
        if isinstance(content, CallEvent | TextSessionEvent):
            entity_id, now, known = session_id_of(content), content.time, self._known_of_session(content)
            return self._decide(known, content, entity_id, now, received)
        command = cast("BillingCommand", content)
        entity_id = entity_id_of(received, command)
        return self._decide(self._known(command, entity_id), command, entity_id, received.log_time, received)

    def _decide(
        self, known: Known, content: BillingCommand | SessionNews, entity_id: str, now: datetime, received: Received
    ) -> list[Event | Request]:
        moment = Moment(now, Cause(received.source, received.id, received.type))
        decision = decide(known, content, entity_id, moment, self._rules)
        self._take_in(decision)
        messages: list[Event | Request] = []
        for event in decision.events:
            if isinstance(event, Refused):
                messages.append(refused(event, cast("BillingCommand", content), received, entity_id))
            else:
                messages += messages_of(event)
        return messages

    def _known(self, command: BillingCommand, entity_id: str) -> Known:
        match command:
            case DeductSessionUnit():
                session = self.sessions.get(command.session_id)
                return Known(self._account(command.patient_id), session, deduction=self._deductions.get(entity_id))
            case ReverseSessionUnit():
                deduction = self._deductions.get(entity_id)
                # Of an unknown deduction nobody is the patient, and the command is refused.
                return Known(self._account(deduction.patient_id if deduction is not None else ""), deduction=deduction)
            case CancelSubscription() | ExpireSubscription():
                live = self._live_sessions(command.patient_id)
                return Known(self._account(command.patient_id), subscription=self.subscriptions.get(entity_id), live=live)
            case _:
                return Known(self._account(command.patient_id), subscription=self.subscriptions.get(entity_id))

    def _known_of_session(self, news: SessionNews) -> Known:
        session_id = session_id_of(news)
        units = self._units_of.get(session_id, {})
        deductions = [self._deductions[units[unit]] for unit in sorted(units)]
        return Known(self._account(news.patient_id), self.sessions.get(session_id), deductions)

    def _live_sessions(self, patient_id: str) -> Sequence[Session]:
        begun = [
            (session.began_at, session.session_id, session)
            for session in self.sessions.values()
            if session.patient_id == patient_id and session.over_at is None and session.began_at is not None
        ]
        return [session for _, _, session in sorted(begun, key=lambda entry: entry[:2])]

    def _account(self, patient_id: str) -> Account:
        return self._accounts.setdefault(patient_id, Account.of(patient_id, (), ()))

    def _put_together(self, patients: Iterable[str]) -> dict[str, Account]:
        subscriptions: defaultdict[str, list[Subscription]] = defaultdict(list)
        balances: defaultdict[str, list[Balance]] = defaultdict(list)
        for subscription in self.subscriptions.values():
            if subscription.is_active:
                subscriptions[subscription.patient_id].append(subscription)
        for balance in self.balances.values():
            balances[balance.patient_id].append(balance)
        return {patient: Account.of(patient, subscriptions.get(patient, ()), balances.get(patient, ())) for patient in patients}

    def _take_in(self, decision: Decision) -> None:
        account = decision.account
        if account is not self._accounts[account.patient_id]:
            self._accounts[account.patient_id] = account
            for subscription in account.subscriptions:
                self.subscriptions.put(subscription.subscription_id, subscription)
            for modality, balance in account.balances.items():
                self.balances.put((account.patient_id, modality), balance)
        for event in decision.events:
            self._take_in_event(event)
        for session in decision.sessions:
            self.sessions.put(session.session_id, session)

    def _take_in_event(self, event: BillingEvent) -> None:
        self.entries += entries_of(event)
        match event:
            case SubscriptionChanged(subscription=subscription):
                self.subscriptions.put(subscription.subscription_id, subscription)
            case Deducted(deduction=deduction) | Reversed(deduction=deduction):
                self._keep(deduction)
            case _:
                pass

    def _keep(self, deduction: Deduction) -> None:
        self._deductions[deduction.deduction_id] = deduction
        self._units_of[deduction.session_id][deduction.unit] = deduction.deduction_id

    def _rejected(self, content: Malformed, received: Received) -> Event:
        version = self._version(content)
        return rejected("billing", content, content.refusal, entity_id=content.entity_id, time=received.log_time, version=version)

    def _version(self, content: Malformed) -> int:
        """Of what the refused command is about, if it belongs to whom the command says."""
        entity_id = content.entity_id or ""
        subscription, deduction = self.subscriptions.get(entity_id), self._deductions.get(entity_id)
        if subscription is not None and subscription.patient_id == content.key:
            return subscription.version
        if deduction is not None and deduction.doctor_id == content.key:
            return deduction.version
        return 0
