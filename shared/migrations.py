"""Migrations: one Alembic history for each service, in the service's own schema, run under the URL's role.

``python -m shared.migrations services.booking services.calls`` brings several schemas up to date in one process, one after the
other, and prints the name of each as soon as it is.
"""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import structlog
from alembic import command, context
from alembic.config import Config
from pydantic import SecretStr
from sqlalchemy import Connection, MetaData, text
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.database import create_engine, role_of
from shared.logging import configure_logging
from shared.schema_versions import scripts_of
from shared.settings import Settings

_MIGRATION_LOCK: Final = 0x63617265  # any constant: the migrations of one database wait for each other

_log = structlog.get_logger()

_CREATE_ROLE: Final = """
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}') THEN
    CREATE ROLE {role} NOLOGIN;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
  NULL; -- roles belong to the whole server: another database's migration made it at this very moment
END $$
"""


# Only a literal can be a password in ALTER ROLE: the server itself makes one of the parameter.
_LET_IN: Final = """
DO $$ BEGIN
  EXECUTE format('ALTER ROLE %I LOGIN PASSWORD %L', current_setting('caremesh.role'), current_setting('caremesh.password'));
END $$
"""


async def migrate(settings: Settings, service: str, scripts: Path) -> None:
    """Bring a service's schema up to date; safe to run at any time, by several at once.

    Args:
        settings: say where the database is; the URL's role must be allowed to create roles and schemas.
        service: its name is the schema's.
        scripts: the service's folder of migrations.
    """
    engine = create_engine(settings)
    try:
        async with engine.begin() as connection:
            await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
            await _prepare(connection, service)
            if (password := settings.database_passwords.get(service)) is not None:
                await _let_in(connection, role_of(service), password)
            await connection.run_sync(_upgrade, scripts, service)
    finally:
        await engine.dispose()
    _log.info("Schema is up to date", service=service)


async def _prepare(connection: AsyncConnection, service: str) -> None:
    """The schema, and a role that reaches it and nothing else."""
    role = role_of(service)
    for statement in (
        _CREATE_ROLE.format(role=role),
        f"GRANT {role} TO CURRENT_USER",
        f"CREATE SCHEMA IF NOT EXISTS {service}",
        f"GRANT USAGE ON SCHEMA {service} TO {role}",
        f"ALTER DEFAULT PRIVILEGES IN SCHEMA {service} GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {role}",
        f"SET LOCAL search_path TO {service}",
    ):
        await connection.execute(text(statement))


async def _let_in(connection: AsyncConnection, role: str, password: SecretStr) -> None:
    """Let a service's role log in by itself, so that its processes need no role that reaches more."""
    for name, value in (("caremesh.role", role), ("caremesh.password", password.get_secret_value())):
        await connection.execute(text("SELECT set_config(:name, :value, true)"), {"name": name, "value": value})
    await connection.execute(text(_LET_IN))


def _upgrade(connection: Connection, scripts: Path, service: str) -> None:
    configuration = Config()
    configuration.set_main_option("script_location", str(scripts))
    configuration.attributes["connection"] = connection
    configuration.attributes["schema"] = service
    command.upgrade(configuration, "head")


def run_environment(metadata: MetaData) -> None:
    """The body of every ``migrations/env.py``."""
    attributes = context.config.attributes
    context.configure(
        connection=attributes["connection"],
        target_metadata=metadata,
        version_table_schema=attributes["schema"],
        include_schemas=True,
    )
    context.run_migrations()


async def migrate_all(settings: Settings, modules: Sequence[str]) -> None:
    """Bring the schemas of services up to date, one after the other; one that has no migrations is passed over.

    Args:
        settings: say where the database is.
        modules: the services' packages.
    """
    for service, scripts in scripts_of(modules).items():
        await migrate(settings, service, scripts)
        sys.stdout.write(f"{service}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _settings = Settings()
    configure_logging(_settings)
    asyncio.run(migrate_all(_settings, sys.argv[1:]))
