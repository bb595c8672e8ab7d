"""The whole truth about units, earnings and balances: states, rules, and what each message comes to. No IO.

A command is decided from what is known, at its log time, by its rules in order: the first that forbids it names the
refusal. The order is that of the reasons in :mod:`shared.messages.billing`. What calls tell of a session is heard: it is never
refused, and what follows from it depends on nothing but the newest of it and on the patient's account.
"""

from typing import assert_never

from services.billing.domain.decision import Decision, Known, Moment
from services.billing.domain.deduct import deduct, reverse
from services.billing.domain.rules import Rules
from services.billing.domain.session import SessionNews
from services.billing.domain.settle import hear
from services.billing.domain.subscribe import cancel, expire, grant
from shared.messages.billing import (
    ActivateSubscription,
    BillingCommand,
    CancelSubscription,
    DeductSessionUnit,
    ExpireSubscription,
    ImportSubscription,
    ReverseSessionUnit,
)
from shared.messages.calls import CallEvent, TextSessionEvent


def decide(known: Known, content: BillingCommand | SessionNews, entity_id: str, moment: Moment, rules: Rules) -> Decision:
    """Decide one command, or hear one event.

    Args:
        known: all that matters.
        content: the command, or the event.
        entity_id: what it is about; a subscription that it would make has its id from here.
        moment: when, and which message.
        rules: to decide by.
    """
    # Nothing happens to a subscription before what happened to it last, whatever the brokers' clocks say.
    if known.subscription is not None and known.subscription.updated_at > moment.now:
        moment = moment._replace(now=known.subscription.updated_at)
    match content:
        case DeductSessionUnit():
            return deduct(known, content, moment, rules)
        case CallEvent() | TextSessionEvent():
            return hear(known, content, moment, rules)
        case ActivateSubscription() | ImportSubscription():
            return grant(known, entity_id, content, moment, rules)
        case CancelSubscription():
            return cancel(known, content, moment, rules)
        case ExpireSubscription():
            return expire(known, content, moment, rules)
        case ReverseSessionUnit():
            return reverse(known, content, moment)
        case _:
            assert_never(content)
