import hashlib
import io
from pathlib import Path

import pytest
from rich.console import Console

from shared.embedded import jars
from shared.embedded.errors import EmbeddedError
from shared.embedded.kafka_jars import KAFKA_JARS, KAFKA_VERSION, Jar
from shared.embedded.options import EmbeddedOptions

CONTENT = {"a-1.jar": b"first", "b-1.jar": b"second"}


class Repository:
    """A repository of two small jars; what it hands out can be spoilt."""

    def __init__(self) -> None:
        self.asked_for: list[str] = []
        self.spoilt: set[str] = set()

    def download(self, staging: Path, jar: Jar, _advance: object) -> Path:
        self.asked_for.append(jar.file_name)
        path = staging / jar.file_name
        path.write_bytes(b"spoilt" if jar.file_name in self.spoilt else CONTENT[jar.file_name])
        return path


@pytest.fixture
def repository(monkeypatch: pytest.MonkeyPatch) -> Repository:
    listed = tuple(Jar("g", name[0], "1", len(content), hashlib.sha256(content).hexdigest()) for name, content in CONTENT.items())
    repository = Repository()
    monkeypatch.setattr(jars, "KAFKA_JARS", listed)
    monkeypatch.setattr(jars, "_download_into", repository.download)
    return repository


def ensure(cache: Path) -> list[Path]:
    return jars.ensure_jars(EmbeddedOptions(cache=cache), Console(file=io.StringIO()))


def test_what_is_in_the_cache_is_not_asked_for_again(repository: Repository, tmp_path: Path) -> None:
    assert [path.read_bytes() for path in ensure(tmp_path)] == [*CONTENT.values()]
    ensure(tmp_path)
    assert repository.asked_for == ["a-1.jar", "b-1.jar"]


def test_a_download_that_was_interrupted_goes_on_where_it_stopped(repository: Repository, tmp_path: Path) -> None:
    ensure(tmp_path)
    (tmp_path / f"kafka-{KAFKA_VERSION}" / "b-1.jar").write_bytes(b"sec")
    repository.asked_for.clear()
    assert ensure(tmp_path)[1].read_bytes() == b"second"
    assert repository.asked_for == ["b-1.jar"]


def test_a_jar_with_another_checksum_never_gets_its_name(repository: Repository, tmp_path: Path) -> None:
    repository.spoilt.add("b-1.jar")
    with pytest.raises(EmbeddedError, match=r"b-1\.jar .*SHA-256"):
        ensure(tmp_path)
    assert [path.name for path in (tmp_path / f"kafka-{KAFKA_VERSION}").iterdir() if path.name != ".lock"] == ["a-1.jar"]


def test_a_cache_that_cannot_be_made_is_named(repository: Repository, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EmbeddedError, match="CAREMESH_CACHE"):
        ensure(tmp_path / "file" / "cache")
    assert not repository.asked_for


def test_every_jar_of_kafka_is_of_one_version() -> None:
    assert {jar.version for jar in KAFKA_JARS if jar.group == "org.apache.kafka"} == {KAFKA_VERSION}
