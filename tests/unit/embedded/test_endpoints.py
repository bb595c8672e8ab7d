import os
from pathlib import Path

import pytest
from pydantic import SecretStr

from shared.embedded.endpoints import resolve
from shared.embedded.errors import EmbeddedError, NoMeshError
from shared.embedded.locking import HomeLock
from shared.embedded.process import Identity
from shared.embedded.state import MeshState
from shared.settings import Settings

URL = "postgresql://caremesh:secret@127.0.0.1:2/caremesh"


def state(supervisor: Identity | None = None) -> MeshState:
    ours = supervisor or Identity.of(os.getpid())
    assert ours is not None
    return MeshState(supervisor=ours, kafka="127.0.0.1:1", database=URL)


def test_a_running_mesh_fills_in_what_is_not_set(tmp_path: Path) -> None:
    state().write(tmp_path)
    settings = resolve(Settings(home=tmp_path, topic_prefix="other"))
    assert settings.kafka_bootstrap_servers == "127.0.0.1:1"
    assert settings.database_url.get_secret_value() == URL
    assert settings.topic_prefix == "other"


def test_what_is_set_stays(tmp_path: Path) -> None:
    state().write(tmp_path)
    assert resolve(Settings(home=tmp_path, kafka_bootstrap_servers="k:1")).kafka_bootstrap_servers == "k:1"


def test_with_both_set_no_mesh_is_looked_for(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "none", kafka_bootstrap_servers="k:1", database_url=SecretStr(URL))
    assert resolve(settings) is settings


def test_without_a_mesh_the_message_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(NoMeshError, match="caremesh up"):
        resolve(Settings(home=tmp_path))


def test_the_file_of_a_supervisor_that_is_gone_counts_for_nothing(tmp_path: Path) -> None:
    state(Identity(os.getpid(), "long ago")).write(tmp_path)
    with pytest.raises(NoMeshError):
        resolve(Settings(home=tmp_path))


def test_the_file_is_for_its_owner_only(tmp_path: Path) -> None:
    state().write(tmp_path)
    assert (tmp_path / "mesh.json").stat().st_mode & 0o777 == 0o600


def test_a_home_has_one_mesh_and_the_second_is_told_whose(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    first = HomeLock(tmp_path)
    first.acquire()
    with pytest.raises(EmbeddedError, match=str(os.getpid())):
        HomeLock(tmp_path).acquire()
    first.release()
    second = HomeLock(tmp_path)
    second.acquire()
    second.release()
