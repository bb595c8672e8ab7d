"""What Kafka's quick start needs: made once, used ever after, and missed by nobody."""

import io
from pathlib import Path

import psutil
import pytest
from rich.console import Console

from shared.embedded import kafka_setup
from shared.embedded.errors import EmbeddedError
from shared.embedded.jars import ensure_jars
from shared.embedded.java import class_cache
from shared.embedded.kafka import KafkaServer
from shared.embedded.options import EmbeddedOptions


@pytest.mark.skipif(EmbeddedOptions().java_home is not None, reason="a Java of the user's own has no cache")
def test_kafka_starts_from_the_cache_of_its_classes(kafka: KafkaServer) -> None:
    assert kafka.pid is not None
    # Java maps the file only when it takes it for its own: of this version, of these jars, for these options.
    assert str(class_cache(ensure_jars())) in {mapped.path for mapped in psutil.Process(kafka.pid).memory_maps()}


def test_a_cache_that_cannot_be_made_is_told_and_no_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async def fail(_cache: Path, _options: object) -> None:
        message = "Kafka ended."
        raise EmbeddedError(message)

    monkeypatch.setattr(kafka_setup, "class_cache", lambda _jars: tmp_path / "missing.aot")
    monkeypatch.setattr(kafka_setup, "_write", fail)
    output = io.StringIO()
    kafka_setup.prepare_kafka(Console(file=output, soft_wrap=True))
    assert "Kafka will start more slowly than it could: Kafka ended." in output.getvalue()
