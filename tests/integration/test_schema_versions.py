import shutil
from pathlib import Path

import asyncpg
import pytest

from shared import schema_versions
from shared.mesh import modules
from shared.schema_versions import are_up_to_date, newest_revision, scripts_of
from tests.conftest import MIGRATIONS


async def test_migrated_schemas_are_up_to_date(database_url: str) -> None:
    assert await are_up_to_date(database_url, modules())


@pytest.mark.parametrize("change", ["UPDATE booking.alembic_version SET version_num = '0001'", "DROP SCHEMA calls CASCADE"])
async def test_a_schema_that_lags_or_is_not_there_is_not(database_url: str, change: str) -> None:
    connection = await asyncpg.connect(database_url)
    await connection.execute(change)
    await connection.close()
    assert not await are_up_to_date(database_url, modules())


async def test_a_new_migration_makes_its_schema_lag(database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    scripts = shutil.copytree(scripts_of(modules())["calls"], tmp_path / "migrations")
    (scripts / "versions" / "9999_next.py").touch()
    monkeypatch.setattr(schema_versions, "scripts_of", lambda _modules: {"calls": scripts})
    assert not await are_up_to_date(database_url, modules())


@pytest.mark.parametrize("scripts", MIGRATIONS, ids=lambda scripts: scripts.parent.name)
def test_migrations_are_numbered_by_their_files_names(scripts: Path) -> None:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    configuration = Config()
    configuration.set_main_option("script_location", str(scripts))
    assert ScriptDirectory.from_config(configuration).get_heads() == [newest_revision(scripts)]
