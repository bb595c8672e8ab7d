"""Deducting a unit that is due, and reversing one that was deducted."""

from typing import Final

from services.billing.domain.charge import charge, give_back
from services.billing.domain.decision import Decision, Known, Moment, refuse
from services.billing.domain.rules import Rules
from services.billing.domain.session import Session
from shared.messages.billing import DeductSessionUnit, ReverseSessionUnit, SessionUnitReason, deduction_id_of
from shared.messages.fields import Role

#: Who may give a unit back: it takes a doctor's earning away.
_MAY_REVERSE: Final = frozenset({Role.ADMIN, Role.SYSTEM})


def deduct(known: Known, command: DeductSessionUnit, moment: Moment, rules: Rules) -> Decision:
    """Take a unit that is due, and before it those that fell due earlier and are missing."""
    session = known.session
    if session is None or not session.is_of(command.doctor_id, command.patient_id, command.modality):
        return refuse(known, SessionUnitReason.SESSION_NOT_FOUND, "The doctor and the patient have no such session.")
    if command.unit <= session.units_taken:
        return _already_deducted(known, command)
    if command.unit > session.units_due(moment.now, rules):
        return _not_due(known, session, command.unit, rules)
    if session.over_at is not None:
        # When it was settled, this unit was not covered: what was over then stays over.
        return refuse(known, SessionUnitReason.INSUFFICIENT_BALANCE, "The session was settled without this unit: no unit was left.")
    charged = charge(known.account, session, command.unit, moment, rules)
    if charged.session.units_taken < command.unit:
        refused = refuse(known, SessionUnitReason.INSUFFICIENT_BALANCE, f"No unit is left for a {session.modality} session.")
        events = (*refused.events, *charged.deducted, *charged.warnings)
    else:
        *earlier, asked_for = charged.deducted
        events = (asked_for, *earlier, *charged.warnings)
    return Decision(events, charged.account, (charged.session,))


def reverse(known: Known, command: ReverseSessionUnit, moment: Moment) -> Decision:
    """Give a unit back, once, and take its earning back."""
    deduction = known.deduction
    if deduction is None or deduction.doctor_id != command.doctor_id:
        return refuse(known, SessionUnitReason.DEDUCTION_NOT_FOUND, "The doctor has no such deduction.")
    version = deduction.version
    if command.actor.role not in _MAY_REVERSE:
        return refuse(known, SessionUnitReason.NOT_A_PARTY, "Only an administrator or the system can reverse a unit.", version=version)
    if deduction.is_reversed:
        return refuse(known, SessionUnitReason.ALREADY_REVERSED, "The unit was given back before.", version=version)
    account, events = give_back(known.account, deduction, command.reason_code, moment.now, moment)
    return Decision(events, account)


def _already_deducted(known: Known, command: DeductSessionUnit) -> Decision:
    deduction_id = deduction_id_of(command.session_id, command.unit)
    return refuse(
        known,
        SessionUnitReason.ALREADY_DEDUCTED,
        f"Unit {command.unit} of the session was deducted before.",
        version=known.deduction.version if known.deduction is not None else 1,
        deduction_id=deduction_id,
    )


def _not_due(known: Known, session: Session, unit: int, rules: Rules) -> Decision:
    if session.over_at is not None:
        message = f"The session ended before unit {unit} was due."
        return refuse(known, SessionUnitReason.NOT_DUE, message, ended_at=session.over_at, units_due=session.units_taken)
    due_at = session.due_at(unit, rules)
    message = f"Unit {unit} of the session is not due yet."
    if due_at is None:
        return refuse(known, SessionUnitReason.NOT_DUE, message)
    return refuse(known, SessionUnitReason.NOT_DUE, message, due_at=due_at)
