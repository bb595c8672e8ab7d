"""What billing makes of the news of a session: it begins, pauses, goes on, and is settled when it is over."""

from services.billing.domain.charge import charge, exhaust, give_back
from services.billing.domain.decision import BillingEvent, Decision, Known, Moment, Settled
from services.billing.domain.rules import Rules
from services.billing.domain.session import Session, SessionNews, modality_of, session_of

#: Why a unit is given back that was charged beyond a session's duration, such as while nobody knew yet that it was over.
NOT_LASTED = "session_ended_before"


def hear(known: Known, news: SessionNews, moment: Moment, rules: Rules) -> Decision:
    """Take in what calls tell of a session. What is older than what is known, or comes again, changes nothing."""
    before = known.session
    if before is not None and not _is_newer(news, before):
        return Decision((), known.account)
    session = session_of(news, before)
    if session.over_at is not None:
        return _settle(known, session, moment, rules)
    if before is None and known.account.available(session.modality, moment.now, moment.now) == 0:
        session, events = exhaust(known.account, session, moment.now)
        return Decision(events, known.account, (session,))
    return Decision((), known.account, (session,))


def _is_newer(news: SessionNews, before: Session) -> bool:
    """Whether it says more than is known; what is over is over, and an id that was used before belongs to whom it belonged to."""
    same = before.is_of(news.doctor_id, news.patient_id, modality_of(news))
    return same and before.over_at is None and news.version > before.heard_version


def _settle(known: Known, session: Session, moment: Moment, rules: Rules) -> Decision:
    """Charge what is missing of a session that is over, and give back what is too much: its duration alone says."""
    assert session.over_at is not None
    due = session.units_due(session.over_at, rules)
    charged = charge(known.account, session, due, moment, rules)
    account = charged.account
    events: list[BillingEvent] = [*charged.deducted]
    standing = []
    for deduction in (*known.deductions, *(deducted.deduction for deducted in charged.deducted)):
        if deduction.is_reversed:
            continue
        if deduction.unit <= due:
            standing.append(deduction)
        else:
            account, given_back = give_back(account, deduction, NOT_LASTED, session.over_at, moment)
            events += given_back
    refused = max(due - charged.session.units_taken, 0)
    events += [*charged.warnings, Settled(charged.session, standing, refused)]
    return Decision(events, account, (charged.session,))
