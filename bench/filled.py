"""Whether the mesh decides as fast with five million appointments in its table as with none."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any, Final

import asyncpg

from bench.ground import Ground
from bench.load import make_load
from bench.mesh_drain import drain
from bench.progress import Steps
from bench.results import Spread, Table, Target
from bench.sizes import Sizes

#: Fewer would be one core's business, more would not be faster: so as in the measurement of throughput.
_WORKERS: Final = 2

# A platform after some years: of every twenty appointments nineteen are over. The load's own doctors and patients are among
# them; what lies ahead does not touch the days that the load books.
_FILL: Final = """
    INSERT INTO booking.appointments (
        appointment_id, doctor_id, patient_id, starts_at, ends_at, modality, user_timezone, status, created_at, updated_at,
        cancelled_by, cancellation_reason, changed_by_type, changed_by_id, version)
    SELECT 'filled-' || number,
           'book-doctor-' || to_char(number % 5000, 'FM0000'),
           'book-patient-' || to_char(number % 99991, 'FM00000'),
           starts_at, starts_at + interval '30 minutes', 'video', 'UTC',
           CASE WHEN ahead THEN 'confirmed' ELSE 'completed' END,
           starts_at - interval '3 days', starts_at - interval '2 days', NULL, NULL, 'booking.appointment.import.v1', 'filled-' || number, 1
    FROM generate_series(1, $1::bigint) AS number
    CROSS JOIN LATERAL (SELECT number / 5000 % 20 = 0 AS ahead, number / 5000 AS turn) AS kind
    CROSS JOIN LATERAL (
        SELECT date_trunc('day', now()) + turn * interval '30 minutes'
               + CASE WHEN ahead THEN interval '340 days' ELSE interval '-1500 days' END AS starts_at
    ) AS time
"""


@dataclass(frozen=True, slots=True)
class Filled:
    """What was measured: decisions per second, round by round."""

    appointments: int
    empty: Spread
    filled: Spread

    def targets(self) -> list[Target]:
        """The one beside the other."""
        return [
            Target(
                what=f"decisions/s, {self.appointments:,} appointments in the table / none",
                measured=Spread.ratios(self.filled, self.empty),
                limit=0.9,
                at_least=True,
                unit=" ×",
            )
        ]

    def table(self) -> Table:
        """Both figures."""
        rows = [("an empty table", self.empty.text()), (f"{self.appointments:,} appointments", self.filled.text())]
        return Table("Booking decisions per second as the table grows", ("beginning with", "per second"), rows)

    def as_json(self) -> dict[str, Any]:
        """All of it."""
        return {
            "appointments": self.appointments,
            "empty_per_second": self.empty.as_json(),
            "filled_per_second": self.filled.as_json(),
        }


def steps_of(sizes: Sizes) -> int:
    """How many steps it takes."""
    return 1 + 2 * _rounds_of(sizes)


def _rounds_of(sizes: Sizes) -> int:
    # Twice the same work: what lies between the two is less than what lies between two rounds.
    return 2 * sizes.rounds - 1


async def measure_filled(ground: Ground, sizes: Sizes, steps: Steps) -> Filled:
    """Fill a table once, and drain beside copies of it and beside empty ones, in turn."""
    load = make_load(sizes.commands, doctors=sizes.doctors, patients=sizes.patients)
    measured: defaultdict[bool, list[float]] = defaultdict(list)
    async with ground.stage("filled") as template:
        with steps.step(f"filled: making {sizes.filled_appointments:,} appointments"):
            await _fill(template.database_url, sizes.filled_appointments)
        rounds = _rounds_of(sizes)
        for number in range(rounds):
            # Each goes first in turn: a machine that grows faster, or slower, favours neither.
            for is_filled in (False, True) if number % 2 == 0 else (True, False):
                what = f"{sizes.filled_appointments:,} appointments" if is_filled else "an empty table"
                with steps.step(f"filled, round {number + 1} of {rounds}: draining beside {what}"):
                    async with ground.stage("drain", template=template.database if is_filled else None) as stage:
                        measured[is_filled].append((await drain(stage, load, _WORKERS)).per_second)
                steps.say(f"{what}: {measured[is_filled][-1]:,.0f} decisions/s")
    return Filled(sizes.filled_appointments, Spread.of(measured[False]), Spread.of(measured[True]))


async def _fill(database_url: str, count: int) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(_FILL, count)
        await connection.execute("VACUUM (ANALYZE) booking.appointments")
    finally:
        await connection.close()
