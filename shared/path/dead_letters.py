"""Setting a record aside: a line in the log, a count, and the message for the dead letter topic."""

from collections.abc import Iterable

import structlog

from shared.codec.dead_letters import DeadLetter, UndecidableReason, encode_dead_letter
from shared.codec.decode import UnreadableReason
from shared.codec.record import OutgoingMessage
from shared.messages.refusal import DataReason
from shared.metrics import count_dead_letters

_log = structlog.get_logger()


def show_no_dead_letters(service: str, topics: Iterable[str]) -> None:
    """Show each reason at 0, for each of the topics that a service takes records from."""
    for topic in topics:
        for reason in (*UnreadableReason, *DataReason, *UndecidableReason):
            count_dead_letters(service, topic, reason, 0)


def write_off(letter: DeadLetter, *, service: str, group: str) -> OutgoingMessage:
    """Log where the record lies and why it is set aside, count it, and make its dead letter.

    Args:
        letter: the record, and why.
        service: whose consumer sets it aside.
        group: the consumer group; part of the dead letter's id.
    """
    record = letter.record
    _log.warning("Dead letter", reason=letter.reason, topic=record.topic, partition=record.partition, offset=record.offset)
    count_dead_letters(service, record.topic, letter.reason)
    return encode_dead_letter(letter, service=service, group=group)
