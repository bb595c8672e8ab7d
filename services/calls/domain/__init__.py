"""The whole truth about calls and text sessions: states, rules, and what each command comes to. No IO.

A command is decided from what is known, at its log time, by its rules in order: the first that forbids it names the
refusal. The order is that of :class:`~shared.messages.calls.SessionReason`.
"""

from typing import assert_never

from services.calls.domain import call, text_session
from services.calls.domain.session import CallsEvent, Known, Moment, Rules
from services.calls.domain.start import start_call, start_text_session
from shared.messages.calls import (
    AnyCallCommand,
    AnyTextSessionCommand,
    CallsCommand,
    CancelCall,
    ConnectCall,
    DeclineCall,
    DisconnectCall,
    EndCall,
    EndTextSession,
    ReconnectCall,
    RecordActivity,
    StartCall,
    StartTextSession,
    TimeOutCall,
    TimeOutTextSession,
)


def decide(known: Known, command: CallsCommand, moment: Moment, rules: Rules) -> tuple[CallsEvent, ...]:
    """Decide one command.

    Returns:
        The outcome first; then what else it caused.
    """
    # Nothing happens to a call or a text session before what happened to it last, whatever the brokers' clocks say.
    if known.session is not None and known.session.updated_at > moment.now:
        moment = moment._replace(now=known.session.updated_at)
    match command:
        case StartTextSession() | RecordActivity() | EndTextSession() | TimeOutTextSession():
            return _decide_text_session(known, command, moment, rules)
        case _:
            return _decide_call(known, command, moment, rules)


def _decide_call(known: Known, command: AnyCallCommand, moment: Moment, rules: Rules) -> tuple[CallsEvent, ...]:  # noqa: PLR0911 - one each
    match command:
        case StartCall():
            return start_call(known, command, moment, rules)
        case ConnectCall():
            return call.connect(known, command, moment)
        case DeclineCall():
            return call.decline(known, command, moment)
        case CancelCall():
            return call.cancel(known, command, moment)
        case DisconnectCall():
            return call.disconnect(known, command, moment, rules)
        case ReconnectCall():
            return call.reconnect(known, command, moment)
        case EndCall():
            return call.end(known, command, moment)
        case TimeOutCall():
            return call.time_out(known, command, moment)
        case _:
            assert_never(command)


def _decide_text_session(known: Known, command: AnyTextSessionCommand, moment: Moment, rules: Rules) -> tuple[CallsEvent, ...]:
    match command:
        case StartTextSession():
            return start_text_session(known, command, moment, rules)
        case RecordActivity():
            return text_session.record_activity(known, command, moment, rules)
        case EndTextSession():
            return text_session.end(known, command, moment)
        case TimeOutTextSession():
            return text_session.time_out(known, command, moment)
        case _:
            assert_never(command)
