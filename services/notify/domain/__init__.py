"""The whole truth about who is told what: states, rules, and what each command comes to. No IO.

A command is decided from what is known, at its log time; the first rule that forbids it names the refusal, in the order of
:class:`~shared.messages.notify.NotificationReason`. What is to happen with a delivery that is due is in ``attempt``.
"""

from datetime import datetime
from typing import assert_never

from services.notify.domain.change import mark_read, record_delivery, set_preferences
from services.notify.domain.notification import Known, NotifyEvent, Rules
from services.notify.domain.request import send
from shared.messages.notify import MarkRead, NotifyCommand, RecordDelivery, SendNotification, SetPreferences


def decide(known: Known, command: NotifyCommand, now: datetime, rules: Rules) -> tuple[NotifyEvent, ...]:
    """Decide one command.

    Args:
        known: what there is.
        command: what is asked for.
        now: its log time.
        rules: to decide by.

    Returns:
        The outcome first; then what else it caused.
    """
    # Nothing happens to anything before what happened to it last, whatever the brokers' clocks say.
    changed = known.preferences if isinstance(command, SetPreferences) else known.notification
    if changed is not None and changed.updated_at is not None:
        now = max(now, changed.updated_at)
    match command:
        case SendNotification():
            return send(known, command, now, rules)
        case RecordDelivery():
            return record_delivery(known, command, now)
        case MarkRead():
            return mark_read(known, command, now)
        case SetPreferences():
            return set_preferences(known, command, now)
        case _:
            assert_never(command)
