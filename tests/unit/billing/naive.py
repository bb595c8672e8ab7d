"""Billing again, as plainly as it can be said: every unit is a coin of its own, every rule a loop over all of them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from services.billing.domain.rules import Rules
from services.billing.domain.session import SessionNews
from shared.messages.billing import CancelSubscription, DeductSessionUnit, ExpireSubscription, GrantSubscription, ReverseSessionUnit
from shared.messages.calls import CallEvent, TextSessionEvent
from shared.messages.fields import Modality


@dataclass(eq=False)
class Coin:
    """One unit of one subscription: free, spent on a unit of a session, or lapsed."""

    modality: Modality
    state: str = "free"


@dataclass(eq=False)
class Purse:
    """One subscription."""

    identifier: str
    patient_id: str
    currency: str
    starts_at: datetime
    ends_at: datetime
    number: int
    coins: list[Coin]
    active: bool = True

    def free(self, modality: Modality) -> list[Coin]:
        return [coin for coin in self.coins if coin.modality is modality and coin.state == "free"]


@dataclass(eq=False)
class Payment:
    """A unit that was paid."""

    purse: Purse
    coin: Coin
    doctor_id: str
    amount: int
    reversed: bool = False


@dataclass(eq=False)
class Meeting:
    """One session, as far as it was told."""

    news: SessionNews
    payments: list[Payment] = field(default_factory=list)
    told: bool = False

    @property
    def modality(self) -> Modality:
        return self.news.modality if isinstance(self.news, CallEvent) else Modality.TEXT

    @property
    def began_at(self) -> datetime | None:
        return self.news.connected_at if isinstance(self.news, CallEvent) else self.news.activated_at

    @property
    def over(self) -> bool:
        return self.news.ended_at is not None


class Naive:
    """All the coins, and what each message does to them."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.purses: list[Purse] = []
        self.meetings: dict[str, Meeting] = {}
        self.settled: dict[str, tuple[int, int]] = {}

    # -- what the books say

    def balance(self, patient_id: str, modality: Modality) -> int:
        return sum(len(purse.free(modality)) for purse in self.purses if purse.patient_id == patient_id)

    def earned(self, doctor_id: str, currency: str) -> int:
        return sum(
            payment.amount
            for meeting in self.meetings.values()
            for payment in meeting.payments
            if payment.doctor_id == doctor_id and payment.purse.currency == currency and not payment.reversed
        )

    # -- what messages do

    def grant(self, command: GrantSubscription, now: datetime) -> str:
        assert command.subscription_id is not None
        if command.ends_at <= now:
            return "ends_before_it_starts" if command.starts_at is None else "ends_in_the_past"
        if any(purse.identifier == command.subscription_id for purse in self.purses):
            return "subscription_exists"
        coins = [Coin(modality) for modality in Modality for _ in range(getattr(command.units, modality))]
        starts_at = command.starts_at or now
        number = len(self.purses)
        self.purses.append(Purse(command.subscription_id, command.patient_id, command.currency, starts_at, command.ends_at, number, coins))
        return "activated"

    def close(self, command: CancelSubscription | ExpireSubscription, now: datetime) -> str:
        found = [p for p in self.purses if (p.identifier, p.patient_id) == (command.subscription_id, command.patient_id)]
        if not found:
            return "subscription_not_found"
        [purse] = found
        cancelling = isinstance(command, CancelSubscription)
        if not purse.active or (cancelling and now >= purse.ends_at):
            return "wrong_status"
        if not cancelling and now < purse.ends_at:
            return "not_due"
        at = now if cancelling else purse.ends_at
        begun = [meeting for meeting in self.meetings.values() if not meeting.over and meeting.news.patient_id == purse.patient_id]
        for meeting in sorted((m for m in begun if m.began_at is not None), key=lambda m: (m.began_at, _id(m.news))):
            self._pay_up_to(meeting, self._due(meeting, at), at)
        purse.active = False
        for coin in purse.coins:
            if coin.state == "free":
                coin.state = "lapsed"
        return "cancelled" if cancelling else "expired"

    def deduct(self, command: DeductSessionUnit, now: datetime) -> str:
        meeting = self.meetings.get(command.session_id)
        if meeting is None or meeting.news.patient_id != command.patient_id:
            return "session_not_found"
        if len(meeting.payments) >= command.unit:
            return "already_deducted"
        if self._due(meeting, now) < command.unit:
            return "not_due"
        if not meeting.over:
            self._pay_up_to(meeting, command.unit, now)
        return "deducted" if len(meeting.payments) >= command.unit else "insufficient_balance"

    def reverse(self, command: ReverseSessionUnit) -> str:
        session_id, _, unit = command.deduction_id.rpartition(":")
        meeting = self.meetings.get(session_id)
        if meeting is None or len(meeting.payments) < int(unit):
            return "deduction_not_found"
        payment = meeting.payments[int(unit) - 1]
        if payment.reversed:
            return "already_reversed"
        _give_back(payment)
        return "reversed"

    def hear(self, news: SessionNews) -> None:
        before = self.meetings.get(_id(news))
        if before is not None and (before.over or before.news.version >= news.version):
            return
        meeting = Meeting(news, before.payments, before.told) if before is not None else Meeting(news)
        self.meetings[_id(news)] = meeting
        if not meeting.over:
            if before is None and not list(self._payers(meeting, news.time, news.time)):
                meeting.told = True
            return
        due = self._due(meeting, news.time)
        self._pay_up_to(meeting, due, news.time)
        for payment in meeting.payments[due:]:
            if not payment.reversed:
                _give_back(payment)
        standing = len([payment for payment in meeting.payments if not payment.reversed])
        self.settled[_id(news)] = (standing, max(due - len(meeting.payments), 0))

    # -- the rules

    def _due(self, meeting: Meeting, now: datetime) -> int:
        news = meeting.news
        if meeting.began_at is None:
            return 0
        until = now
        if isinstance(news, CallEvent) and news.disconnected_at is not None:
            until = min(until, news.disconnected_at)
        if news.ended_at is not None:
            until = news.ended_at
        whole = 0
        while meeting.began_at + (whole + 1) * self.rules.billing_period <= until:
            whole += 1
        if news.ended_at is None:
            return whole
        is_text = isinstance(news, TextSessionEvent)
        if news.ended_by in {"patient", "doctor", "admin"}:
            return whole + 1 if is_text or until - meeting.began_at >= self.rules.call_minimum_billed else whole
        return max(whole, 1) if is_text else whole

    def _pay_up_to(self, meeting: Meeting, due: int, now: datetime) -> None:
        assert due == 0 or meeting.began_at is not None
        while len(meeting.payments) < due:
            assert meeting.began_at is not None
            due_at = meeting.began_at + (len(meeting.payments) + 1) * self.rules.billing_period
            if meeting.news.ended_at is not None:
                due_at = min(due_at, meeting.news.ended_at)
            payers = list(self._payers(meeting, due_at, now))
            if not payers:
                break
            purse = payers[0]
            coin = purse.free(meeting.modality)[0]
            coin.state = "spent"
            amount = self.rules.rates[purse.currency][meeting.modality]
            meeting.payments.append(Payment(purse, coin, meeting.news.doctor_id, amount))

    def _payers(self, meeting: Meeting, due_at: datetime, now: datetime) -> Iterator[Purse]:
        for purse in sorted(self.purses, key=lambda purse: (purse.starts_at, purse.number)):
            in_time = purse.starts_at <= now and due_at < purse.ends_at
            if purse.active and in_time and purse.patient_id == meeting.news.patient_id and purse.free(meeting.modality):
                yield purse


def _give_back(payment: Payment) -> None:
    payment.reversed = True
    payment.coin.state = "free" if payment.purse.active else "lapsed"


def _id(news: SessionNews) -> str:
    return news.call_id if isinstance(news, CallEvent) else news.session_id
