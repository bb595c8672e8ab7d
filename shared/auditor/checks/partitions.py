"""What the mesh publishes lies on the murmur2 partition of its key.

Partitions may be added while a mesh runs. What was published before that, and for as long as a producer had not learned of it, lies where
the smaller number put it. Kafka does not tell that number; but if there was one, all records from before say the same.
"""

from collections.abc import Iterator, Sequence
from itertools import islice
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
#: Between the change and the first record on a new partition lie a few records at the most.
_MOST_CUTS: Final = 20


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
    if all(record.fits(count) for record in laid):
        return ()
    for former in range(count - 1, 0, -1):
        for cut in _cuts(laid, count, former):
            if _runs_on(laid[cut:], count, former):
                earlier = former_counts(laid[:cut], former)
                if earlier is not None:
                    return (former, *earlier)
    return None


def _cuts(laid: Sequence[Laid], count: int, former: int) -> Iterator[int]:
    """Where partitions may have been added: behind a record that only a smaller number explains, before the first on a new partition."""
    added = next((number for number, record in enumerate(laid) if record.partition >= former), len(laid))
    unexplained = (number + 1 for number in range(added - 1, -1, -1) if not laid[number].fits(count))
    return islice(unexplained, _MOST_CUTS)


def _runs_on(laid: Sequence[Laid], count: int, former: int) -> bool:
    """Whether records lie where the new number puts them, or, from producers that have not learned of it, the former one."""
    learned_us = laid[0].time_us + _UNLEARNED_US if laid else 0
    return all(record.fits(count) or (record.fits(former) and record.time_us < learned_us) for record in laid)
