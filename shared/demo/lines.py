"""Lines to copy: the same mesh, seen with other tools."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import orjson

from shared.messages.booking import BookAppointment
from shared.messages.fields import format_time
from shared.settings import Settings
from shared.topics import commands_topic, events_topic

_KCAT_INSTALL: Final = "kcat: apt-get install kcat, or brew install kcat"


@dataclass(frozen=True, slots=True)
class Line:
    """A command line, and what it does."""

    says: str
    command: str


def kcat_lines(settings: Settings, run_id: str) -> Sequence[Line]:
    """Watch and book with a tool that knows nothing of this project."""
    kcat = f"kcat {_kcat_options(settings)}"
    doctor, patient = f"doctor-{run_id}", f"patient-{run_id}"
    starts_at = datetime.now(UTC).replace(hour=9, minute=0, second=0, microsecond=0) + timedelta(days=2)
    command = {
        "specversion": "1.0",
        "id": f"by-hand-{run_id}",
        "source": "/by-hand",
        "type": BookAppointment.type,
        "data": {
            "doctor_id": doctor,
            "patient_id": patient,
            "starts_at": format_time(starts_at),
            "modality": "video",
            "actor": {"role": "patient", "id": patient},
        },
    }
    record = f"{doctor}|{orjson.dumps(command).decode()}"
    events, commands = events_topic(settings.topic_prefix, "booking"), commands_topic(settings.topic_prefix, "booking")
    return (
        Line(f"watch what happens, headers and all ({_KCAT_INSTALL})", rf"{kcat} -C -t {events} -o end -q -u -f '%h\n%k %s\n\n'"),
        Line(
            "ask for an appointment, by hand, in one line",
            f"echo '{record}' | {kcat} -P -t {commands} -K '|' -X partitioner=murmur2_random",
        ),
        Line("read its outcome", rf"{kcat} -C -t {events} -o beginning -e -q -f '%k %s\n' | grep by-hand-{run_id}"),
    )


def our_lines(program: str, environment: Mapping[str, str], logs: str) -> Sequence[Line]:
    """The same mesh through our own command line.

    Args:
        program: how it was called.
        environment: the variables by which this mesh and its limits are known.
        logs: the folder of the logs; empty when they are not on this machine.
    """
    short = " ".join([*(f"{name}={value}" for name, value in environment.items()), program])
    lines = [
        Line("is it ready, and where is it", f"{short} status --json"),
        Line("prove from the topics that every promise was kept", f"{short} verify"),
        Line("what lies where, and for how long", f"{short} topics"),
        Line("a second consumer that shares the partitions", f"{short} run booking"),
    ]
    if logs:
        lines.append(Line("what the services say", f"tail -f {logs}/booking.log"))
    return lines


def _kcat_options(settings: Settings) -> str:
    options = [f"-b {settings.kafka_bootstrap_servers}"]
    if settings.kafka_security_protocol != "PLAINTEXT":
        options.append(f"-X security.protocol={settings.kafka_security_protocol}")
    if settings.kafka_ca_file is not None:
        options.append(f"-X ssl.ca.location={settings.kafka_ca_file}")
    if settings.kafka_sasl_username:
        options += [
            f"-X sasl.mechanisms={settings.kafka_sasl_mechanism}",
            f"-X sasl.username={settings.kafka_sasl_username}",
            '-X sasl.password="$CAREMESH_KAFKA_SASL_PASSWORD"',
        ]
    return " ".join(options)
