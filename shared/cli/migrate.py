"""``caremesh migrate``: every service's schema, up to date."""

import asyncio
import os
import subprocess
import sys
from typing import Annotated, Final

import asyncpg
import typer

from shared.cli.exits import Exit
from shared.cli.masking import mask_url
from shared.cli.reaching import CannotError, database_settings, told
from shared.cli.terminal import complain, hint, line_console, print_json
from shared.mesh import modules

_CONNECT_TIMEOUT_SECONDS: Final = 10


def migrate(*, as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of sentences.")] = False) -> None:
    """Bring every service's schema up to date. Safe to call at any time, and by several at once.

    The database is that of the mesh that runs in CAREMESH_HOME, or the one that CAREMESH_DATABASE_URL names. Its role must be allowed to
    create schemas and roles: each service works in a schema and a role of its own, which reaches nothing else.

    Exit code 0 when all are up to date, 1 if one failed, 2 if the database is not to be reached.

    Examples:
        caremesh migrate
        CAREMESH_DATABASE_URL=postgresql://caremesh:…@db:5432/caremesh caremesh migrate --json
    """
    with told(as_json=as_json):
        url = database_settings().database_url.get_secret_value()
        if problem := asyncio.run(unreachable(url)):
            raise CannotError(problem)
    environment = os.environ | {"CAREMESH_DATABASE_URL": url}
    done = subprocess.run(  # noqa: S603 - our own modules, from our own list
        [sys.executable, "-m", "shared.migrations", *modules()], env=environment, capture_output=True, text=True, check=False
    )
    migrated = done.stdout.split()
    if done.returncode != 0:
        failed = modules()[len(migrated)].rpartition(".")[2]
        last_line = (done.stderr.strip().splitlines() or ["It said nothing."])[-1]
        problem = f"The migration of {failed} failed with exit code {done.returncode}: {last_line}"
        _report(as_json=as_json, migrated=migrated, problem=problem, details=done.stderr)
        raise typer.Exit(Exit.NO)
    _report(as_json=as_json, migrated=migrated)


async def unreachable(url: str) -> str:
    """Why the database cannot be reached, as a sentence; empty when it can."""
    try:
        connection = await asyncpg.connect(url, timeout=_CONNECT_TIMEOUT_SECONDS)
    except (asyncpg.PostgresError, OSError, TimeoutError, ValueError) as error:
        return f"The database at {mask_url(url)} is not to be reached ({type(error).__name__}: {error}). Is CAREMESH_DATABASE_URL right?"
    await connection.close()
    return ""


def _report(*, as_json: bool, migrated: list[str], problem: str = "", details: str = "") -> None:
    if as_json:
        print_json({"migrated": migrated} | ({"problem": problem} if problem else {}))
        return
    for service in migrated:
        line_console().print(f"{service}: up to date", style="green", markup=False)
    if problem:
        hint(details.rstrip())
        complain(problem)
