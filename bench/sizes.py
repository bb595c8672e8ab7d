"""How much is measured: in full, or quickly to see that it works."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """The sizes of all measurements.

    Attributes:
        rounds: how often each interleaved measurement is repeated.
        doctors: how many doctors the load is spread over.
        patients: how many patients the load is spread over.
        commands: how many commands the mesh drains in a throughput measurement.
        row_lock_commands: how many of them the row-locking baseline decides; it is slow.
        worker_counts: with how many workers the mesh is measured.
        latency_rates_per_second: the rates at which latency is measured.
        latency_seconds: how long each rate is held.
        latency_warm_up_seconds: how much of that, at its beginning, does not count.
        curve_rates_per_second: the offered rates of the curve of latency.
        curve_seconds: how long each of these is held.
        filled_appointments: how many appointments lie in the table that is compared with an empty one.
        active_sessions: how many text sessions the activity is spread over.
        requests: how many activity records, deductions and notification requests the mesh drains, each.
        row_lock_requests: how many of them the row-locking baseline decides.
        mails: how many e-mails the mesh sends.
        plain_loop_mails: how many of them the plain loop sends.
        memory_commands: how many commands are drained while the memory is watched.
        lateness_due: how many appointments fall due, and then how many calls.
        lateness_window_seconds: within how long they do.
        lateness_after_seconds: how long after its booking, or its start, each does.
        lateness_traffic_per_second: how many activity records are published while the calls do.
        idle_settle_seconds: how long the idle mesh is left alone before it is watched.
        idle_seconds: how long it is watched.
    """

    rounds: int
    doctors: int = 1_000
    patients: int = 10_000
    commands: int
    row_lock_commands: int
    worker_counts: tuple[int, ...] = (1, 2, 4)
    latency_rates_per_second: tuple[int, ...] = (200, 1_000)
    latency_seconds: float
    latency_warm_up_seconds: float
    curve_rates_per_second: tuple[int, ...] = (50, 100, 200, 500, 1_000, 2_000, 4_000)
    curve_seconds: float
    filled_appointments: int
    active_sessions: int = 200
    requests: int
    row_lock_requests: int
    mails: int
    plain_loop_mails: int
    memory_commands: int
    lateness_due: int
    lateness_window_seconds: float
    lateness_after_seconds: float
    lateness_traffic_per_second: float = 100
    idle_settle_seconds: float
    idle_seconds: float


FULL: Final = Sizes(
    rounds=3,
    commands=100_000,
    row_lock_commands=20_000,
    latency_seconds=23,
    latency_warm_up_seconds=3,
    curve_seconds=9,
    filled_appointments=5_000_000,
    requests=20_000,
    row_lock_requests=4_000,
    mails=5_000,
    plain_loop_mails=2_000,
    memory_commands=200_000,
    lateness_due=10_000,
    lateness_window_seconds=60,
    lateness_after_seconds=75,
    idle_settle_seconds=15,
    idle_seconds=30,
)

QUICK: Final = Sizes(
    rounds=1,
    commands=20_000,
    row_lock_commands=3_000,
    latency_seconds=6,
    latency_warm_up_seconds=2,
    curve_rates_per_second=(100, 500),
    curve_seconds=5,
    filled_appointments=100_000,
    requests=2_000,
    row_lock_requests=600,
    mails=500,
    plain_loop_mails=300,
    memory_commands=20_000,
    lateness_due=1_000,
    lateness_window_seconds=6,
    lateness_after_seconds=12,
    idle_settle_seconds=5,
    idle_seconds=10,
)
