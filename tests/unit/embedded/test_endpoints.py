import os
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from shared.embedded.endpoints import as_environment, common, resolve
from shared.embedded.errors import EmbeddedError, NoMeshError
from shared.embedded.locking import HomeLock
from shared.embedded.process import Identity
from shared.embedded.state import MeshState
from shared.settings import Settings

URL = "postgresql://caremesh:secret@127.0.0.1:2/caremesh"


def state(supervisor: Identity | None = None, settings: dict[str, Any] | None = None) -> MeshState:
    ours = supervisor or Identity.of(os.getpid())
    assert ours is not None
    return MeshState(supervisor=ours, kafka="127.0.0.1:1", database=URL, settings=settings or {})


def test_a_running_mesh_fills_in_what_is_not_set(tmp_path: Path) -> None:
    state().write(tmp_path)
    settings = resolve(Settings(home=tmp_path, topic_prefix="other"))
    assert settings.kafka_bootstrap_servers == "127.0.0.1:1"
    assert settings.database_url.get_secret_value() == URL
    assert settings.topic_prefix == "other"


def test_a_running_mesh_says_what_it_decides_by(tmp_path: Path) -> None:
    decides_by = common(Settings(billing_period_seconds=2, max_pending_per_patient=7, rates={"EUR": {"text": 5}}))
    state(settings=decides_by | {"of_another_release": 1}).write(tmp_path)
    settings = resolve(Settings(home=tmp_path, max_pending_per_patient=3))
    assert (settings.billing_period_seconds, settings.max_pending_per_patient, settings.rates) == (2, 3, {"EUR": {"text": 5}})
    assert settings.home == tmp_path


def test_a_process_that_is_started_for_it_decides_by_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(billing_period_seconds=0.5, topic_prefix="other", rates={"EUR": {"text": 5}})
    for name, value in as_environment(settings).items():
        monkeypatch.setenv(name, value)
    assert common(Settings()) == common(settings)


def test_what_a_mesh_says_of_its_settings_holds_no_secret_and_nothing_of_one_process_alone() -> None:
    said = common(Settings(notify_push_url=SecretStr("https://hidden"), database_passwords={"booking": SecretStr("hidden")}))
    assert "hidden" not in str(said)
    assert not said.keys() & {"home", "health_port", "log_json", "kafka_bootstrap_servers", "database_url"}


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
