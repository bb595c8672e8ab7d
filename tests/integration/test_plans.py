"""Each look-up by the index that stays right when the tables are full, whatever the tables held when its plan was made."""

import importlib
import pkgutil
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final, NamedTuple

import pytest
from sqlalchemy import TextClause
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine

from services.booking.store import due, load, record, show
from shared.database import create_engine, transaction
from shared.path import decisions
from shared.settings import Settings

BY_ID = {"appointments_pkey"}
OF_DOCTOR = {"appointments_hold_a_slot_once", "appointments_propose_a_slot_once"}
OF_PATIENT = {"appointments_of_a_patient", "appointments_proposed_to_a_patient"}
#: Statement → the indexes that it goes by, all of them.
STATEMENTS = {
    "parties": (load._PARTIES, BY_ID),
    "look ahead": (load._LOOK_AHEAD, BY_ID | OF_DOCTOR | OF_PATIENT | {"time_off_of_a_doctor"}),
    "in the way": (load._IN_THE_WAY, BY_ID | OF_DOCTOR | OF_PATIENT),
    "time off": (load._TIME_OFF, {"time_off_pkey", "time_off_of_a_doctor"}),
    "update": (record._UPDATE, BY_ID),
    "update time off": (record._UPDATE_TIME_OFF, {"time_off_pkey"}),
    "take out": (record._TAKE_OUT, BY_ID),
    "what waits": (due._FIND_WAITING, {"appointments_due"}),
    "who is to be warned": (due._FIND_UNWARNED, {"appointments_to_warn"}),
    "named or shown": (show._BY_ID, BY_ID),
    "shown of a doctor": (show._HELD_BY_DOCTOR, {"appointments_hold_a_slot_once"}),
    "shown time off": (show._TIME_OFF_OF_DOCTOR, {"time_off_of_a_doctor"}),
}


#: Planned for whoever looks, with what the tables hold then.
PLANNED_ANEW: Final = {"services.billing.store.show._SUBSCRIPTIONS_OF"}
#: Each service has more.
FEWEST_STATEMENTS: Final = 5


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


def nodes_of(plan: Any) -> Iterator[Any]:
    """Every node of a plan."""
    if isinstance(plan, list):
        for part in plan:
            yield from nodes_of(part)
    elif isinstance(plan, dict):
        if "Node Type" in plan:
            yield plan
        for part in plan.values():
            yield from nodes_of(part)


def whole_reads_in(plan: Any) -> list[str]:
    """The tables that a plan reads from end to end, and the indexes: those are a whole table in another order."""
    return [
        node.get("Index Name", node.get("Relation Name"))
        for node in nodes_of(plan)
        if node["Node Type"] == "Seq Scan" or ("Index Name" in node and "Index Cond" not in node)
    ]


async def plans_after(filling: Filling, connection: Any, engine: AsyncEngine) -> dict[str, Any]:
    """How booking's statements are run whose plans were made when the tables held this."""
    await fill(connection, filling)
    async with transaction(engine) as workers_own:
        return {name: await plan_of(workers_own, statement) for name, (statement, _) in STATEMENTS.items()}


@pytest.mark.parametrize("filling", FILLINGS.values(), ids=FILLINGS)
async def test_every_statement_goes_by_the_indexes_that_were_made_for_it(filling: Filling, connection: Any, engine: AsyncEngine) -> None:
    plans = await plans_after(filling, connection, engine)
    assert {name: {node["Index Name"] for node in nodes_of(plan) if "Index Name" in node} for name, plan in plans.items()} == {
        name: indexes for name, (_, indexes) in STATEMENTS.items()
    }
    assert "Seq Scan" not in {node["Node Type"] for plan in plans.values() for node in nodes_of(plan)}


#: Nobody but an operator analyzes a table while it is empty; and PostgreSQL does again when there is something in it.
NOT_BY_HAND: Final = {name: filling for name, filling in FILLINGS.items() if name != "empty and analyzed"} | {
    "some": Filling(appointments=60)
}


@pytest.mark.parametrize("filling", NOT_BY_HAND.values(), ids=NOT_BY_HAND)
async def test_no_statement_of_booking_reads_a_whole_table(filling: Filling, connection: Any, engine: AsyncEngine) -> None:
    plans = await plans_after(filling, connection, engine)
    whole = {name: whole_reads_in(plan) for name, plan in plans.items()}
    assert {name: reads for name, reads in whole.items() if reads} == {}


def statements_of(service: str) -> Iterator[tuple[str, TextClause]]:
    """Every statement that stands ready in a module of a service, and the path's own."""
    package = importlib.import_module(f"services.{service}")
    names = [found.name for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")]
    modules = [importlib.import_module(name) for name in names if not name.endswith("__main__") and ".migrations" not in name]
    for module in [*modules, decisions]:
        for name, value in vars(module).items():
            if isinstance(value, TextClause):
                yield f"{module.__name__}.{name}", value


@pytest.fixture(params=("booking", "calls", "billing", "notify"))
async def of_service(database_settings: Settings, request: pytest.FixtureRequest) -> AsyncIterator[tuple[str, AsyncEngine]]:
    """Each service, and connections in its role."""
    engine = create_engine(database_settings, request.param, connections=2)
    yield request.param, engine
    await engine.dispose()


async def test_no_statement_that_was_planned_on_empty_tables_reads_a_whole_one(of_service: tuple[str, AsyncEngine]) -> None:
    service, engine = of_service
    async with transaction(engine) as workers_own:
        whole = {
            name: whole_reads_in(await plan_of(workers_own, statement))
            for name, statement in statements_of(service)
            if name not in PLANNED_ANEW
        }
    assert len(whole) > FEWEST_STATEMENTS
    assert {name: reads for name, reads in whole.items() if reads} == {}
