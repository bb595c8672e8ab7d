"""What is counted, and under which names; and that counting costs a decision next to nothing."""

import time
from collections.abc import Iterator

import pytest
from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from bench.metrics_cost import LIMIT_MICROSECONDS, microseconds_per_decision
from shared.codec.record import StoredRecord
from shared.metrics import DecisionMetrics, LagGauge, LatencyHistogram, MisroutedRecords, SweepMetrics, count_notification_requests
from shared.topics import partition_of

BOOKED, REJECTED = "booking.appointment.booked.v1", "booking.appointment.rejected.v1"


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


@pytest.fixture
def registry() -> Iterator[CollectorRegistry]:
    """A registry of the test's own."""
    registry = CollectorRegistry()
    yield registry
    # What we make ourselves is read as Prometheus reads it.
    assert [*text_string_to_metric_families(generate_latest(registry).decode())]


def now_milliseconds() -> int:
    return time.time_ns() // 1_000_000


def test_decisions_are_counted_by_outcome_and_reason() -> None:
    metrics = DecisionMetrics("unit-a")
    metrics.decided([BOOKED, f"{REJECTED} slot_already_booked", BOOKED, ""], [now_milliseconds()] * 4, records=6)
    assert value("caremesh_decisions_total", service="unit-a", outcome=BOOKED, reason="") == 2
    assert value("caremesh_decisions_total", service="unit-a", outcome=REJECTED, reason="slot_already_booked") == 1
    assert value("caremesh_decisions_total", service="unit-a", outcome="nothing", reason="") == 1
    assert value("caremesh_copies_total", service="unit-a") == 2
    assert value("caremesh_batch_records_sum", service="unit-a") == 6
    assert value("caremesh_batch_records_count", service="unit-a") == 1


def test_a_transaction_that_decided_nothing_is_no_batch() -> None:
    DecisionMetrics("unit-b").decided([], [], records=0)
    assert value("caremesh_batch_records_count", service="unit-b") == 0


def test_latencies_reach_from_the_log_time_to_the_commit_and_to_the_publication() -> None:
    metrics = DecisionMetrics("unit-c")
    two_seconds_ago = now_milliseconds() - 2_000
    metrics.decided([BOOKED], [two_seconds_ago], records=1)
    assert 2 <= value("caremesh_decided_latency_seconds_sum", service="unit-c") < 4
    assert value("caremesh_published_latency_seconds_count", service="unit-c") == 0
    metrics.published([two_seconds_ago])
    assert value("caremesh_published_latency_seconds_bucket", service="unit-c", le="1.0") == 0
    assert value("caremesh_published_latency_seconds_bucket", service="unit-c", le="5.0") == 1
    assert value("caremesh_published_latency_seconds_count", service="unit-c") == 1


@pytest.mark.parametrize(
    "milliseconds, bucket",
    [(0, "0.005"), (5, "0.005"), (6, "0.01"), (1_000, "1.0"), (1_001, "2.5"), (1_800_000, "1800.0"), (1_800_001, "+Inf"), (-7, "0.005")],
)
def test_a_latency_falls_into_the_bucket_whose_bound_it_does_not_exceed(
    registry: CollectorRegistry, milliseconds: int, bucket: str
) -> None:
    series = LatencyHistogram("some_seconds", "…", label="service", registry=registry).labels("s")
    series.add([1_000_000_000 - milliseconds], 1_000_000_000)
    bounds = [sample.labels["le"] for family in registry.collect() for sample in family.samples if sample.name == "some_seconds_bucket"]
    counts = [registry.get_sample_value("some_seconds_bucket", {"service": "s", "le": bound}) for bound in bounds]
    assert counts == [float(position >= bounds.index(bucket)) for position in range(len(bounds))]
    assert registry.get_sample_value("some_seconds_sum", {"service": "s"}) == max(milliseconds, 0) / 1000


def test_the_lag_of_partitions_that_have_gone_is_shown_no_longer(registry: CollectorRegistry) -> None:
    gauge = LagGauge(registry)
    gauge.show({("group", "topic", 0): 5, ("group", "topic", 1): 0})
    gauge.show({("group", "topic", 1): 7})
    labels = {"group": "group", "topic": "topic"}
    assert registry.get_sample_value("caremesh_consumer_lag_records", labels | {"partition": "0"}) is None
    assert registry.get_sample_value("caremesh_consumer_lag_records", labels | {"partition": "1"}) == 7


def a_record(topic: str, key: bytes | None, partition: int) -> StoredRecord:
    return StoredRecord(topic, partition, 0, 0, key, b"{}")


def test_a_record_on_another_partition_than_that_of_its_key_is_misrouted() -> None:
    home = partition_of(b"doctor-1", 8)
    misrouted = MisroutedRecords("unit-group", ["one", "two"], {"one": 8, "two": 8}.get)
    assert value("caremesh_misrouted_records_total", group="unit-group", topic="one") == 0
    misrouted.count([a_record("one", b"doctor-1", home), a_record("one", b"doctor-1", (home + 1) % 8), a_record("two", b"doctor-1", home)])
    misrouted.count([a_record("one", b"doctor-1", (home + 2) % 8), a_record("one", None, 3), a_record("one", b"", 4)])
    assert value("caremesh_misrouted_records_total", group="unit-group", topic="one") == 2
    assert value("caremesh_misrouted_records_total", group="unit-group", topic="two") == 0


def test_nothing_is_misrouted_while_the_number_of_partitions_is_not_known() -> None:
    MisroutedRecords("unit-unknown", ["topic"], lambda _: None).count([a_record("topic", b"doctor-1", 999)])
    assert value("caremesh_misrouted_records_total", group="unit-unknown", topic="topic") == 0


def test_a_sweep_is_as_late_as_its_commands() -> None:
    metrics = SweepMetrics("unit-sweep")
    metrics.published([0.002, 3.5])
    metrics.looked()
    assert value("caremesh_sweep_lateness_seconds_count", sweep="unit-sweep") == 2
    assert value("caremesh_sweep_lateness_seconds_bucket", sweep="unit-sweep", le="1.0") == 1
    assert value("caremesh_sweep_last_look_timestamp_seconds", sweep="unit-sweep") == pytest.approx(time.time(), abs=5)


def test_notification_requests_are_counted_by_template() -> None:
    count_notification_requests("unit-d", ["appointment_booked", "appointment_requested", "appointment_booked"])
    assert value("caremesh_notification_requests_total", service="unit-d", template="appointment_booked") == 2


def test_counting_costs_a_decision_less_than_a_microsecond() -> None:
    # The best of many tries: what the machine does besides only ever adds.
    assert microseconds_per_decision(tries=200) < LIMIT_MICROSECONDS
