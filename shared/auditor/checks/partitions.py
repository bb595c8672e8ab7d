"""What the mesh publishes lies on the murmur2 partition of its key.

Partitions may be added while a mesh runs. What was published before that, and for as long as a producer had not learned of it, lies where
the smaller number put it. Kafka does not tell that number; but if there was one, all records from before say the same.
"""

from collections.abc import Sequence
from operator import attrgetter
from typing import Final, NamedTuple

from shared.auditor.facts import Event, Notification
from shared.auditor.history import History
from shared.auditor.instants import MICROSECONDS_PER_MILLISECOND
from shared.auditor.intake.fields import reference
from shared.auditor.partitioning import murmur2, place_of
from shared.auditor.records import Record
from shared.auditor.report import RecordReference, ViolationKind

#: So long a producer may go on as before: clients ask for the partitions every five minutes.
_UNLEARNED_US: Final = 6 * 60 * 1_000_000


class Laid(NamedTuple):
    """Where a record lies."""

    hash: int
    partition: int
    time_us: int
    fact: Event | Notification | Record

    def fits(self, count: int) -> bool:
        """Whether so many partitions put it there."""
        return place_of(self.hash, count) == self.partition


def check(history: History) -> None:
    """Look where events and notification requests lie, and count the commands that are out of their order."""
    events = [Laid(murmur2(event.key.encode()), event.partition, event.decided_us, event) for event in history.events.values()]
    copies = [
        Laid(murmur2(copy.key or b""), copy.partition, copy.timestamp_ms * MICROSECONDS_PER_MILLISECOND, copy)
        for copy in history.moved_copies
    ]
    former = _judge(history, history.topics.events, [*events, *copies])
    requests = [
        Laid(murmur2(request.recipient_id.encode()), request.partition, request.timestamp_ms * MICROSECONDS_PER_MILLISECOND, request)
        for request in history.notifications.values()
    ]
    _judge(history, history.topics.notifications, requests)
    count = history.scope.partition_counts.get(history.topics.commands)
    if count is not None:
        history.misrouted_commands = sum(
            command.key_hash is not None and command.partition not in {place_of(command.key_hash, number) for number in (count, *former)}
            for command in history.all_commands()
        )


def _judge(history: History, topic: str, laid: Sequence[Laid]) -> tuple[int, ...]:
    """Report what lies elsewhere; return the numbers of partitions that the topic had before."""
    count = history.scope.partition_counts.get(topic)
    if count is None:
        return ()
    former = former_counts(sorted(laid, key=attrgetter("time_us")), count)
    if former is not None:
        return former
    for record in laid:
        if not record.fits(count):
            proof = _proof(history, record.fact)
            sentence = (
                f"The record at partition {proof.partition}, offset {proof.offset} of {topic} belongs on partition "
                f"{place_of(record.hash, count)}, where murmur2 puts its key."
            )
            history.findings.add(ViolationKind.WRONG_PARTITION, sentence, proof)
    return ()


def _proof(history: History, fact: Event | Notification | Record) -> RecordReference:
    match fact:
        case Event():
            return history.of_event(fact)
        case Notification():
            return history.of_notification(fact)
        case _:
            return reference(fact)


def former_counts(laid: Sequence[Laid], count: int) -> tuple[int, ...] | None:
    """The smaller numbers of partitions that explain where the records lie, the latest first; None if none do.

    Args:
        laid: the records of a topic, in the order of time.
        count: its partitions now.
    """
    explained = _explained(laid, count, {})
    return explained.former if explained.length == len(laid) else None


class Explained(NamedTuple):
    """What numbers of partitions explain: so many of the first records, where there were so many partitions before."""

    length: int
    former: tuple[int, ...]


def _explained(laid: Sequence[Laid], count: int, known: dict[int, Explained]) -> Explained:
    """How far the records are explained when ``count`` was the last number of partitions, as far as can be."""
    if count not in known:
        best = Explained(_run_length(laid, 0, count, count), ())
        for former in range(count - 1, 0, -1):
            if best.length == len(laid):
                break
            before = _explained(laid, former, known)
            # Added later, they explain no less: fewer records have to fit, and the time to learn of it ends later.
            length = _run_length(laid, before.length, count, former) if before.length else 0
            if length > best.length:
                best = Explained(length, (former, *before.former))
        known[count] = best
    return known[count]


def _run_length(laid: Sequence[Laid], start: int, count: int, former: int) -> int:
    """Where those end that lie where the new number puts them, or, from producers that have not learned of it, the former one."""
    learned_us = laid[start].time_us + _UNLEARNED_US if start < len(laid) else 0
    for number in range(start, len(laid)):
        record = laid[number]
        if not (record.fits(count) or (record.fits(former) and record.time_us < learned_us)):
            return number
    return len(laid)
