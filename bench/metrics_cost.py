"""What counting costs a decision: ``python -m bench.metrics_cost``. It needs neither Kafka nor PostgreSQL."""

import sys
import time
from typing import Final

from shared.codec.record import StoredRecord
from shared.metrics import DecisionMetrics, MisroutedRecords
from shared.topics import partition_of

#: What the metrics may add to a decision, which takes about 50 µs.
LIMIT_MICROSECONDS: Final = 1.0
BATCH: Final = 1_000
_PARTITIONS: Final = 8
_DOCTORS: Final = 300


def microseconds_per_decision(tries: int = 500, batch: int = BATCH) -> float:
    """The time that everything the path counts takes for each decision of a batch; the best of some tries."""
    now = time.time_ns() // 1_000_000
    keys = [f"doctor-{number % _DOCTORS}".encode() for number in range(batch)]
    records = [
        StoredRecord("commands", partition_of(key, _PARTITIONS), offset, now - offset % 200, key, b"{}") for offset, key in enumerate(keys)
    ]
    outcomes = ["booking.appointment.booked.v1", "booking.appointment.rejected.v1 slot_already_booked"] * (batch // 2) or [""]
    metrics = DecisionMetrics("bench")
    misrouted = MisroutedRecords("bench", ["commands"], lambda _: _PARTITIONS)

    def count() -> None:
        misrouted.count(records)
        log_times: list[int] = []
        for record in records:
            log_times.append(record.timestamp)  # noqa: PERF401 - as the path does it, between other things
        metrics.decided(outcomes, log_times, records=len(records))
        metrics.published(log_times)

    best = float("inf")
    for _ in range(tries):
        began = time.perf_counter()
        count()
        best = min(best, time.perf_counter() - began)
    return best / batch * 1e6


if __name__ == "__main__":
    for size in (1, 10, 100, BATCH):
        sys.stdout.write(f"batches of {size:>5}: {microseconds_per_decision(batch=size):6.2f} µs for each decision\n")
