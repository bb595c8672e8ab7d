"""`caremesh` as a process of its own, for the tests of the command line: what they type, and what they find."""

import asyncio
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

from confluent_kafka import Producer

from tests.system.harness.warm import Answer, answer

ROOT = Path(__file__).parents[2]
CAREMESH = [sys.executable, "-m", "shared.cli.main"]
COMMANDS, EVENTS, DEAD = "telemed.booking.commands.v1", "telemed.booking.events.v1", "telemed.booking.commands.v1.dlq"
_numbers = count(1)


@dataclass(frozen=True)
class CommandLine:
    """`caremesh` in processes of its own, without a terminal."""

    environment: dict[str, str]

    def __call__(self, *arguments: str, **environment: str) -> Answer:
        came_to = asyncio.run(answer("shared.cli.main", *arguments, environment=self.environment | environment))
        assert "Traceback" not in came_to.err, came_to.err
        return came_to

    def start(self, *arguments: str, out: Any = subprocess.PIPE) -> "subprocess.Popen[str]":
        return subprocess.Popen([*CAREMESH, *arguments], cwd=ROOT, env=self.environment, stdout=out, stderr=subprocess.PIPE, text=True)


def wish(**fields: str) -> tuple[str, ...]:
    """A booking of a doctor whom no other test knows."""
    number = next(_numbers)
    patient = fields.get("patient_id", f"patient-{number}")
    body = {"doctor_id": f"doctor-{number}", "patient_id": patient, "starts_at": "+2d", "modality": "video", "actor": f"patient:{patient}"}
    return tuple(f"{name}={value}" for name, value in (body | fields).items())


def in_days(days: int) -> str:
    """A time of the calendar."""
    return (datetime.now(UTC) + timedelta(days=days)).isoformat()


def booked(caremesh: CommandLine, *more: str, **fields: str) -> dict[str, Any]:
    """The event of a booking."""
    answer = caremesh("send", "book", *wish(**fields), *more, "--json")
    assert answer.code == 0, answer
    event: dict[str, Any] = answer.json["event"]
    return event


def put(caremesh: CommandLine, key: bytes | None, value: bytes | None, headers: list[tuple[str, Any]], topic: str = COMMANDS) -> None:
    """A record as any producer may write it."""
    kafka = caremesh("status", "--json").json["kafka"]
    producer = Producer({"bootstrap.servers": kafka, "partitioner": "murmur2_random"})
    producer.produce(topic, key=key, value=value, headers=headers)
    assert producer.flush(20) == 0


def dead_letters(caremesh: CommandLine, key: str) -> list[dict[str, Any]]:
    return [letter for letter in caremesh("dlq", "list", "--json").json["dead_letters"] if letter["key"] == key]
