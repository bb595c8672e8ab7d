"""Kafka as compose.yml sets it up: the same settings, on ports and in a folder of the test."""

from collections.abc import Mapping
from pathlib import Path

from shared.embedded import ports
from shared.embedded.kafka import KafkaServer

#: Read by the image's start script, and no settings of the broker.
_NOT_SETTINGS = {"KAFKA_HEAP_OPTS"}


class ComposedKafka(KafkaServer):
    """The embedded Kafka's program with the settings of a container."""

    def __init__(self, home: Path, environment: Mapping[str, str]) -> None:
        super().__init__(home)
        self._environment = environment

    def _choose_ports(self) -> None:
        super()._choose_ports()
        assert self._port is not None
        run = self._home / "run"
        controller = int((run / "kafka-controller.port").read_text())
        host = ports.choose(run / "kafka-host.port", avoid=frozenset({self._port, controller}))
        properties = self._folder / "server.properties"
        places = {"kafka:19092": f"127.0.0.1:{self._port}", "127.0.0.1:9092": f"127.0.0.1:{host}", "kafka:9093": f"127.0.0.1:{controller}"}
        # A container listens on all of its addresses.
        places |= {"//:19092": f"//127.0.0.1:{self._port}", "//:9092": f"//127.0.0.1:{host}", "//:9093": f"//127.0.0.1:{controller}"}
        places |= {"/var/lib/kafka/data": str(self._folder / "data")}
        lines = []
        for name, value in self._environment.items():
            if name in _NOT_SETTINGS:
                continue
            for place, here in places.items():
                value = value.replace(place, here)  # noqa: PLW2901 - one place after the other
            # As the image's start script does: KAFKA_NODE_ID is node.id.
            lines.append(f"{name.removeprefix('KAFKA_').replace('_', '.').lower()}={value}\n")
        properties.write_text("".join(lines))
