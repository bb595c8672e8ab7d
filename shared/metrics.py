"""What the mesh counts, for Prometheus: in the names and base units of that field.

The path adds to these once a batch, and looks no label up for a record: what is counted for each of them costs less than a
microsecond (``python -m bench.metrics_cost``).
"""

import time
from bisect import bisect_left
from collections import Counter as Tally
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Final

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.metrics_core import GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from shared.codec.record import Record
from shared.topics import partition_of

# When a series began is of use to hardly anybody, and doubles the number of series.
disable_created_metrics()  # type: ignore[no-untyped-call]  # one function of theirs has no types

_LATENCY_BOUNDS_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)
_LATENESS_BOUNDS_SECONDS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 21600.0)
_BATCH_BOUNDS_RECORDS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)


class Latencies:
    """How long ago the records of batches were appended: one series of a ``LatencyHistogram``."""

    def __init__(self, bounds_seconds: Sequence[float]) -> None:
        """Start at nothing."""
        self._bounds_milliseconds = [round(bound * 1000) for bound in bounds_seconds]
        self._counts = [0] * (len(bounds_seconds) + 1)
        self._sum_milliseconds = 0

    def add(self, log_times: Sequence[int], now_milliseconds: int) -> None:
        """Count a batch.

        Args:
            log_times: when its records were appended, in milliseconds since 1970.
            now_milliseconds: since 1970.
        """
        bounds, counts = self._bounds_milliseconds, self._counts
        for log_time in log_times:
            counts[bisect_left(bounds, now_milliseconds - log_time)] += 1
        # The broker's clock may be a little ahead of ours; a sum must not go back for that.
        self._sum_milliseconds += max(now_milliseconds * len(log_times) - sum(log_times), 0)

    def cumulative(self) -> list[int]:
        """How many were at or below each bound, and how many there are."""
        return list(accumulate(self._counts))

    @property
    def sum_seconds(self) -> float:
        """All latencies together."""
        return self._sum_milliseconds / 1000


class LatencyHistogram(Collector):
    """A histogram that takes a batch at a time; prometheus-client's own takes locks for each observation, and ten times as long."""

    def __init__(self, name: str, documentation: str, *, label: str, registry: CollectorRegistry = REGISTRY) -> None:
        """Make and register it.

        Args:
            name: ends in ``_seconds``.
            documentation: for people.
            label: the name of its one label.
            registry: where to register.
        """
        self._name = name
        self._documentation = documentation
        self._label = label
        self._series: dict[str, Latencies] = {}
        registry.register(self)

    def labels(self, value: str) -> Latencies:
        """The series of a label's value: look it up once, and keep it."""
        return self._series.setdefault(value, Latencies(_LATENCY_BOUNDS_SECONDS))

    def describe(self) -> Iterable[Metric]:
        """Its name, for the registry."""
        return [HistogramMetricFamily(self._name, self._documentation, labels=[self._label])]

    def collect(self) -> Iterable[Metric]:
        """Its series as they stand."""
        family = HistogramMetricFamily(self._name, self._documentation, labels=[self._label])
        bounds = [*map(str, _LATENCY_BOUNDS_SECONDS), "+Inf"]
        for value, series in list(self._series.items()):
            family.add_metric([value], list(zip(bounds, series.cumulative(), strict=True)), series.sum_seconds)
        return [family]


class LagGauge(Collector):
    """How far a group is behind, for the partitions that this process holds now; partitions come and go, so it holds none itself."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        """Make and register it."""
        self._lags: Mapping[tuple[str, str, int], int] = {}
        registry.register(self)

    def show(self, lags: Mapping[tuple[str, str, int], int]) -> None:
        """Replace what is shown: (group, topic, partition) → records."""
        self._lags = lags

    def describe(self) -> Iterable[Metric]:
        """Its name, for the registry."""
        return [self._family()]

    def collect(self) -> Iterable[Metric]:
        """The lags that were shown last."""
        family = self._family()
        for (group, topic, partition), lag in self._lags.items():
            family.add_metric([group, topic, str(partition)], lag)
        return [family]

    def _family(self) -> GaugeMetricFamily:
        documentation = "Records of a partition that are not decided and published yet."
        return GaugeMetricFamily("caremesh_consumer_lag_records", documentation, labels=["group", "topic", "partition"])


_DECISIONS: Final = Counter(
    "caremesh_decisions", "Decisions by outcome, and by reason where it is a refusal.", ["service", "outcome", "reason"]
)
_COPIES: Final = Counter("caremesh_copies", "Records that came again, and were answered by what was decided before.", ["service"])
_DECIDED: Final = LatencyHistogram(
    "caremesh_decided_latency_seconds", "From a record's log time until its decision is committed.", label="service"
)
_PUBLISHED: Final = LatencyHistogram(
    "caremesh_published_latency_seconds", "From a record's log time until what was decided is published.", label="service"
)
_BATCH: Final = Histogram("caremesh_batch_records", "Records decided in one transaction.", ["service"], buckets=_BATCH_BOUNDS_RECORDS)
_RETRIES: Final = Counter("caremesh_retries", "Attempts that failed and are repeated in place.", ["service", "action"])
_DEAD_LETTERS: Final = Counter("caremesh_dead_letters", "Records set aside, by reason.", ["service", "topic", "reason"])
_MISROUTED: Final = Counter("caremesh_misrouted_records", "Records on another partition than murmur2 of their key.", ["group", "topic"])
_REQUESTS: Final = Counter("caremesh_notification_requests", "Notification requests, copies included.", ["service", "template"])
_ATTEMPTS: Final = Counter("caremesh_delivery_attempts", "What came of asking a provider to deliver.", ["channel", "answer"])
_DELIVERIES: Final = Counter(
    "caremesh_deliveries", "What has become of deliveries on the channels that have a provider.", ["channel", "template", "status"]
)
_LATENESS: Final = Histogram(
    "caremesh_sweep_lateness_seconds",
    "From a deadline until the command for it is published, the first time.",
    ["sweep"],
    buckets=_LATENESS_BOUNDS_SECONDS,
)
_LAST_LOOK: Final = Gauge("caremesh_sweep_last_look_timestamp_seconds", "When this process last looked for what is due.", ["sweep"])

LAG: Final = LagGauge()
READY: Final = Gauge("caremesh_ready", "Whether this process is ready, as /readyz says.", ["group"])


def retries(service: str, action: str) -> Counter:
    """The retries of one kind of action: keep it, and call ``inc``."""
    return _RETRIES.labels(service, action)


def count_dead_letters(service: str, topic: str, reason: str, count: int = 1) -> None:
    """Count records that are set aside; 0 shows the series before there is one, so that Prometheus sees the first."""
    _DEAD_LETTERS.labels(service, topic, reason).inc(count)


def count_notification_requests(service: str, templates: Iterable[str]) -> None:
    """Count the requests that a batch of events caused."""
    for template, count in Tally(templates).items():
        _REQUESTS.labels(service, template).inc(count)


def count_delivery_attempt(channel: str, answer: str) -> None:
    """Count what came of asking a provider once."""
    _ATTEMPTS.labels(channel, answer).inc()


def count_delivery(channel: str, template: str, status: str) -> None:
    """Count what has become of a delivery in the end."""
    _DELIVERIES.labels(channel, template, status).inc()


class DecisionMetrics:
    """What one service's decisions come to."""

    def __init__(self, service: str) -> None:
        """Look the series up that do not depend on what is decided."""
        self._service = service
        self._outcomes: dict[str, Counter] = {}
        self._copies = _COPIES.labels(service)
        self._batch = _BATCH.labels(service)
        self._decided = _DECIDED.labels(service)
        self._published = _PUBLISHED.labels(service)

    def decided(self, outcomes: Iterable[str], log_times: Sequence[int], *, records: int) -> None:
        """Count what a transaction came to, once it is committed.

        Args:
            outcomes: of the new decisions: the type of the first event, and after a space the reason of a refusal.
            log_times: of the new decisions, in milliseconds since 1970.
            records: all of the batch that are decided now, copies included.
        """
        if records == 0:
            return
        for outcome, count in Tally(outcomes).items():
            series = self._outcomes.get(outcome)
            if series is None:
                type_, _, reason = outcome.partition(" ")
                series = self._outcomes[outcome] = _DECISIONS.labels(self._service, type_ or "nothing", reason)
            series.inc(count)
        self._copies.inc(records - len(log_times))
        self._batch.observe(records)
        self._decided.add(log_times, _now_milliseconds())

    def published(self, log_times: Sequence[int]) -> None:
        """Count that what was decided for these records is published."""
        if log_times:
            self._published.add(log_times, _now_milliseconds())


class MisroutedRecords:
    """Finds records that lie on another partition than their key belongs on: decided safely all the same, but out of order."""

    def __init__(self, group: str, topics: Iterable[str], partitions_of: Callable[[str], int | None]) -> None:
        """Make it.

        Args:
            group: the consumer group that takes the records.
            topics: that it takes them from.
            partitions_of: how many partitions a topic has, as far as the consumer knows; ``None``: it does not.
        """
        self._partitions_of = partitions_of
        self._series = {topic: _MISROUTED.labels(group, topic) for topic in topics}

    def count(self, records: Iterable[Record]) -> None:
        """Count those of a batch that lie elsewhere. One without a key belongs anywhere."""
        partitions = {topic: self._partitions_of(topic) for topic in self._series}
        elsewhere = [
            record.topic
            for record in records
            if record.key and (count := partitions[record.topic]) and partition_of(record.key, count) != record.partition
        ]
        for topic, misrouted in Tally(elsewhere).items():
            self._series[topic].inc(misrouted)


class SweepMetrics:
    """How punctual one sweep is."""

    def __init__(self, sweep: str) -> None:
        """Look its series up."""
        self._lateness = _LATENESS.labels(sweep)
        self._last_look = _LAST_LOOK.labels(sweep)

    def published(self, lateness_seconds: Iterable[float]) -> None:
        """Count commands that are published for the first time."""
        for seconds in lateness_seconds:
            self._lateness.observe(seconds)

    def looked(self) -> None:
        """Note that it looked for what is due."""
        self._last_look.set_to_current_time()


def _now_milliseconds() -> int:
    return time.time_ns() // 1_000_000
