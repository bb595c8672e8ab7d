"""Runs one of a service's processes through its real entry, with faults that only the tests can ask for.

    python -m tests.system.worker booking consumer session_timeout=3 kill_before_publish=2

The product knows nothing of this: each fault wraps a part of it, in this process alone.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from importlib import import_module
from typing import Any

import asyncpg

import shared.runtimes.consumer as runtime
import shared.runtimes.service as consumers
from shared.codec.decode import Received
from shared.codec.record import OutgoingMessage, Record
from shared.path import decisions, transaction
from shared.path.pipeline import Pipeline
from shared.path.publisher import Publisher
from shared.runtimes.consumer import ConsumerRuntime
from tests.without_locks import needs_nothing


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _replace(owner: object, name: str, value: object) -> None:
    assert hasattr(owner, name), f"{owner} has no {name} any more: this fault needs another place."
    setattr(owner, name, value)


def _stop() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def session_timeout(seconds: str) -> None:
    """The group gives this member's partitions away after so long without a sign of life."""
    _replace(consumers, "ConsumerRuntime", partial(ConsumerRuntime, session_timeout_seconds=float(seconds)))
    # Of billing, the consumer is a stream processor as well.
    if "processor" in sys.argv or "billing" in sys.argv:
        from shared.runtimes import faust as processors

        _replace(processors, "_SESSION_TIMEOUT_SECONDS", float(seconds))


def metadata_age(seconds: str) -> None:
    """It asks so often for the partitions of its topics."""

    from aiokafka import AIOKafkaConsumer

    def curious(*topics: str, **options: Any) -> Any:
        return AIOKafkaConsumer(*topics, **options | {"metadata_max_age_ms": int(float(seconds) * 1000)})

    _replace(runtime, "AIOKafkaConsumer", curious)


def _at_publish(number: str, *, after: bool, blow: Callable[[], None] = _die) -> None:
    publish = Publisher.publish
    seen = 0

    async def publish_or_die(self: Publisher, messages: Sequence[OutgoingMessage]) -> None:
        nonlocal seen
        seen += bool(messages)
        mine = seen
        if mine == int(number) and not after:
            blow()
        await publish(self, messages)
        if mine == int(number) and after:
            blow()

    _replace(Publisher, "publish", publish_or_die)


def stop_in_copy(rows: str) -> None:
    """Stop, once, in the middle of a COPY of so many decisions or more: half of the rows are sent, the COPY is not finished."""
    copy = asyncpg.Connection.copy_records_to_table
    stopped = False

    def stopping(records: Sequence[object]) -> Iterator[object]:
        nonlocal stopped
        for number, record in enumerate(records):
            if number == len(records) // 2 and not stopped:
                stopped = True
                _stop()
            yield record

    async def copy_or_stop(self: Any, table_name: str, *, records: Any, **options: Any) -> Any:
        if table_name == "decisions" and len(records) >= int(rows):
            records = stopping(records)
        return await copy(self, table_name, records=records, **options)

    _replace(asyncpg.Connection, "copy_records_to_table", copy_or_stop)


def stop_after_recall(partition: str) -> None:
    """Stop, once, with a batch of this partition in hand: after the question what was decided before, before the decision."""
    recall, decide = decisions.recall, transaction.Transactions.decide
    in_hand: set[int] = set()
    stopped = False

    async def decide_and_note(self: Any, batch: Mapping[int, Received], positions: Any, *, must: Any = None) -> Any:
        in_hand.clear()
        in_hand.update(received.record.partition for received in batch.values())
        return await decide(self, batch, positions, must=must)

    async def recall_and_stop(*asked: Any, **tried: Any) -> decisions.Recalled:
        nonlocal stopped
        found = await recall(*asked, **tried)
        if int(partition) in in_hand and not stopped:
            stopped = True
            _stop()
        return found

    _replace(decisions, "recall", recall_and_stop)
    _replace(transaction.Transactions, "decide", decide_and_note)


def hang_at_batch(number: str) -> None:
    """Block the event loop at the n-th batch, so that nothing else in it goes on."""
    submit = Pipeline.submit
    seen = 0

    async def submit_or_hang(self: Pipeline, records: Sequence[Record]) -> None:
        nonlocal seen
        seen += 1
        if seen == int(number):
            threading.Event().wait()
        await submit(self, records)

    _replace(Pipeline, "submit", submit_or_hang)


def commit_before_transaction(batch: str) -> None:
    """A mutant: offsets are committed before the batch is decided; and it dies between the two at the n-th batch."""

    class TooEarly(Pipeline):
        batches = 0

        async def submit(self, records: Sequence[Record]) -> None:
            await self._acknowledge({(record.topic, record.partition): record.offset + 1 for record in records})
            await self._acknowledge.__self__._commit()  # type: ignore[attr-defined]
            self.batches += 1
            if self.batches == int(batch):
                _die()
            await super().submit(records)

    _replace(consumers, "Pipeline", TooEarly)


def no_recall(_: str) -> None:
    """A mutant: it does not ask what was decided before."""

    recall = decisions.recall

    async def forgetful(connection: Any, _identities: Collection[decisions.Identity], **tried: Any) -> decisions.Recalled:
        return await recall(connection, (), **tried)

    _replace(decisions, "recall", forgetful)


def no_locks(_: str) -> None:
    """A mutant: it takes no lock."""
    _replace(transaction, "needs_of", needs_nothing)


def noting(seconds: str) -> None:
    """An attempt of which nothing was noted counts as lost so soon after its time-out."""
    from services.notify import __main__ as entry
    from services.notify.deliverer import Limits

    _replace(entry, "Limits", partial(Limits, noting_seconds=float(seconds)))


def kill_after_send(number: str) -> None:
    """Die when the n-th e-mail was taken on by its server, before that is noted anywhere."""
    from services.notify.domain.attempt import Answer
    from services.notify.mail import SmtpProvider
    from services.notify.provider import Outgoing

    send = SmtpProvider.send
    taken = 0

    async def send_and_die(self: SmtpProvider, outgoing: Outgoing) -> Answer:
        nonlocal taken
        answer = await send(self, outgoing)
        taken += answer is Answer.TAKEN
        if taken == int(number):
            _die()
        return answer

    _replace(SmtpProvider, "send", send_and_die)


FAULTS: dict[str, Callable[[str], None]] = {
    "session_timeout": session_timeout,
    "metadata_age": metadata_age,
    "kill_before_publish": partial(_at_publish, after=False),
    "kill_after_publish": partial(_at_publish, after=True),
    "noting": noting,
    "kill_after_send": kill_after_send,
    "stop_before_publish": partial(_at_publish, after=False, blow=_stop),
    "stop_in_copy": stop_in_copy,
    "hang_at_batch": hang_at_batch,
    "stop_after_recall": stop_after_recall,
    "commit_before_transaction": commit_before_transaction,
    "no_recall": no_recall,
    "no_locks": no_locks,
}


def main() -> None:
    """Bring the faults in, then run the real thing."""
    service, role, *faults = sys.argv[1:]
    for fault in faults:
        name, _, value = fault.partition("=")
        FAULTS[name](value)
    sys.argv = [f"services.{service}", role]
    import_module(f"services.{service}.__main__").main()


if __name__ == "__main__":
    main()
