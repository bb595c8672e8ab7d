"""What the scenarios have in common: counting outcomes, naming durations, and seeing that somebody is told."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from shared.demo.findings import promise
from shared.demo.post import Notice, Receipt, address_of
from shared.demo.stage import Stage, described
from shared.messages.fields import EventData
from shared.messages.notify import Channel, DeliveryStatus, Template

_TOLD_WITHIN_SECONDS: Final = 10


def count(outcomes: Sequence[EventData]) -> dict[str, int]:
    """How often each outcome occurred: ``booked``, ``409 slot_already_booked`` and so on."""
    return dict(Counter(described(outcome) for outcome in outcomes))


def listed(seen: dict[str, int]) -> str:
    """Outcomes and their numbers, for people."""
    return ", ".join(f"{number} × {outcome}" for outcome, number in sorted(seen.items()))


def duration(limit: timedelta) -> str:
    """A duration for people: whole hours as hours, else seconds."""
    hours = limit / timedelta(hours=1)
    return f"{hours:g} hours" if hours >= 1 else f"{limit.total_seconds():g} seconds"


async def told_once(stage: Stage, entity_id: str, template: Template, recipient_id: str) -> None:
    """See that somebody is told about something: the notice lies in the inbox, and arrives by SMTP where the mesh catches e-mails.

    That nothing comes a second time is seen when all is over, by ``check_once``.

    Raises:
        BrokenPromiseError: they were not told, or twice.
    """

    def told() -> list[str]:
        return _notifications(stage, entity_id, template, recipient_id)

    promise(await stage.until(told, seconds=_TOLD_WITHIN_SECONDS), f"nobody asked to tell them ({template})")
    notice = Notice(recipient_id, template, entity_id, told()[0])
    stage.notices.append(notice)

    def has_arrived() -> bool:
        is_mailed = not stage.mailbox.is_here or bool(stage.mailbox.mails_of(notice.notification_id))
        return is_mailed and Channel.IN_APP in stage.channels_told(notice.notification_id)

    promise(await stage.until(has_arrived, seconds=_TOLD_WITHIN_SECONDS), f"the notice did not arrive ({template})")


def check_once(stage: Stage, receipt: Receipt) -> None:
    """See that somebody was told once: one request, one e-mail at their own address, and one entry in their inbox.

    Raises:
        BrokenPromiseError: they were not, or twice.
    """
    notice, mails = receipt.notice, receipt.mails
    who = f"{notice.recipient_id} ({notice.template})"
    requests = len(_notifications(stage, notice.entity_id, notice.template, notice.recipient_id))
    promise(requests == 1, f"{who} was to be told {requests} times")
    promise(receipt.inbox_at is not None, f"{who}: it is not in the inbox")
    if stage.mailbox.is_here:
        promise(len(mails) == 1, f"{who} got {len(mails)} e-mails")
        promise(mails[0].to == address_of(notice.recipient_id), f"{who}: the e-mail went to somebody else")
    else:
        promise(receipt.email_status in {None, DeliveryStatus.SENT}, f"{who}: the e-mail is {receipt.email_status}")


def _notifications(stage: Stage, entity_id: str, template: Template, recipient_id: str) -> list[str]:
    """The ids of the notifications that were asked for; copies of a request are one."""
    return list({message.value["notification_id"]: None for message in stage.requests_about(entity_id, template, recipient_id)})
