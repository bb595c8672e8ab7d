"""Each look-up by the index that stays right when the tables are full, whatever the tables held when its plan was made."""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from sqlalchemy import TextClause
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine

from services.booking.store import due, load, record, show
from shared.database import transaction

BY_ID = {"appointments_pkey"}
OF_DOCTOR = {"appointments_hold_a_slot_once", "appointments_propose_a_slot_once"}
OF_PATIENT = {"appointments_of_a_patient", "appointments_proposed_to_a_patient"}
#: Statement → the indexes that it goes by, all of them.
STATEMENTS = {
    "parties": (load._PARTIES, BY_ID),
    "named": (load._BY_ID, BY_ID),
    "look ahead": (load._LOOK_AHEAD, BY_ID | OF_DOCTOR | OF_PATIENT | {"time_off_of_a_doctor"}),
    "in the way": (load._IN_THE_WAY, BY_ID | OF_DOCTOR | OF_PATIENT),
    "time off": (load._TIME_OFF, {"time_off_pkey", "time_off_of_a_doctor"}),
    "update": (record._UPDATE, BY_ID),
    "update time off": (record._UPDATE_TIME_OFF, {"time_off_pkey"}),
    "take out": (record._TAKE_OUT, BY_ID),
    "what waits": (due._FIND_WAITING, {"appointments_due"}),
    "who is to be warned": (due._FIND_UNWARNED, {"appointments_to_warn"}),
    "shown": (show._BY_ID, BY_ID),
    "shown of a doctor": (show._HELD_BY_DOCTOR, {"appointments_hold_a_slot_once"}),
    "shown time off": (show._TIME_OFF_OF_DOCTOR, {"time_off_of_a_doctor"}),
}


class Filling(NamedTuple):
    """What the tables hold when a plan is made; each makes another index look good."""

    appointments: int = 3_000
    doctor_id: str = "'doctor-' || i"
    patient_id: str = "'patient-' || i"
    status: str = "pending"
    analyzed: bool = True


FILLINGS = {
    "empty": Filling(appointments=0, analyzed=False),
    "empty and analyzed": Filling(appointments=0),
    "one doctor": Filling(doctor_id="'doctor-1'"),
    "one patient": Filling(patient_id="'patient-1'", status="confirmed"),
    "all proposed": Filling(status="reschedule_proposed"),
    "all over": Filling(doctor_id="'doctor-' || i % 3", patient_id="'patient-' || i % 3", status="cancelled"),
}


async def fill(connection: Any, filling: Filling) -> None:
    is_proposed = filling.status == "reschedule_proposed"
    await connection.execute(
        f"""
        INSERT INTO appointments (appointment_id, doctor_id, patient_id, starts_at, ends_at, modality, user_timezone, status, created_at,
            updated_at, expires_at, changed_by_type, changed_by_id, version, proposed_starts_at, status_before_proposal)
        SELECT 'apt-' || i, {filling.doctor_id}, {filling.patient_id}, start, start + interval '30 minutes', 'video', 'UTC',
            '{filling.status}', now(), now(), CASE WHEN '{filling.status}' IN ('pending', 'reschedule_proposed') THEN start END, 'x', 'x', 1,
            {"start + interval '1 day'" if is_proposed else "NULL"}, {"'pending'" if is_proposed else "NULL"}
        FROM (
            SELECT i, timestamptz '2030-01-08Z' + i * interval '1 hour' AS start FROM generate_series(1, {filling.appointments}) AS i
        ) AS rows;
        INSERT INTO time_off
        SELECT 'off-' || i, {filling.doctor_id}, timestamptz '2030-01-08Z' + i * interval '1 hour',
            timestamptz '2030-01-09Z' + i * interval '1 hour', 'blocked', now(), now(), 'x', 'x', 1
        FROM generate_series(1, {filling.appointments}) AS i
        """
    )
    if filling.analyzed:
        await connection.execute("ANALYZE appointments, time_off")


async def plan_of(connection: Any, statement: TextClause) -> Any:
    """The plan that a worker's connection makes once, for whatever values will come."""
    query = str(statement.compile(dialect=PGDialect_asyncpg()))  # type: ignore[no-untyped-call]
    values = ", ".join(["NULL"] * len(set(re.findall(r"\$\d+", query))))
    await connection.execute(f"PREPARE looking AS {query}")
    plan = await connection.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE looking{f'({values})' if values else ''}")
    await connection.execute("DEALLOCATE looking")
    return plan


def found_in(plan: Any, name: str) -> Iterator[str]:
    """The values of a name anywhere in a plan."""
    if isinstance(plan, list):
        for part in plan:
            yield from found_in(part, name)
    elif isinstance(plan, dict):
        yield from (str(value) for key, value in plan.items() if key == name)
        for part in plan.values():
            yield from found_in(part, name)


def scans_of(plan: Any) -> Iterator[Any]:
    """The nodes anywhere in a plan that read an index."""
    if isinstance(plan, list):
        for part in plan:
            yield from scans_of(part)
    elif isinstance(plan, dict):
        if "Index Name" in plan:
            yield plan
        for part in plan.values():
            yield from scans_of(part)


@pytest.mark.parametrize("filling", FILLINGS.values(), ids=FILLINGS)
async def test_every_statement_goes_by_the_indexes_that_were_made_for_it(filling: Filling, connection: Any, engine: AsyncEngine) -> None:
    await fill(connection, filling)
    async with transaction(engine) as workers_own:
        plans = {name: await plan_of(workers_own, statement) for name, (statement, _) in STATEMENTS.items()}
    assert {name: {scan["Index Name"] for scan in scans_of(plan)} for name, plan in plans.items()} == {
        name: indexes for name, (_, indexes) in STATEMENTS.items()
    }
    # An index that is read from end to end is the whole table in another order.
    assert not [(name, scan) for name, plan in plans.items() for scan in scans_of(plan) if "Index Cond" not in scan]
    assert "Seq Scan" not in {kind for plan in plans.values() for kind in found_in(plan, "Node Type")}
