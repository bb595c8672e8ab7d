"""Which schemas are up to date, asked of the database itself: Alembic takes a second to load."""

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

import asyncpg


async def are_up_to_date(database_url: str, modules: Sequence[str]) -> bool:
    """Whether the schema of every service is at its newest revision.

    Args:
        database_url: where they are.
        modules: the services' packages.

    Raises:
        asyncpg.PostgresError: the database refuses.
        OSError: it is not to be reached.
    """
    connection = await asyncpg.connect(database_url)
    try:
        for service, scripts in scripts_of(modules).items():
            if await _revision(connection, service) != newest_revision(scripts):
                return False
    finally:
        await connection.close()
    return True


def scripts_of(modules: Sequence[str]) -> Mapping[str, Path]:
    """The folder of migrations of each service that has one, by the service's name, in the order of its packages."""
    specs = [(module.rpartition(".")[2], find_spec(module)) for module in modules]
    places = {service: Path(place) / "migrations" for service, spec in specs if spec for place in spec.submodule_search_locations or ()}
    return {service: scripts for service, scripts in places.items() if scripts.is_dir()}


def newest_revision(scripts: Path) -> str:
    """The last revision of a folder of migrations: their files begin with their number."""
    return max(file.name for file in (scripts / "versions").glob("*_*.py")).partition("_")[0]


async def _revision(connection: asyncpg.Connection, service: str) -> str | None:
    try:
        revision: str | None = await connection.fetchval(f"SELECT version_num FROM {service}.alembic_version")  # noqa: S608 - our own names
    except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError):
        return None
    return revision
