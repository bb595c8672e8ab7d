"""A stranger with librdkafka and the contract's page, and nothing of ours: no model, no helper, no client."""

import json
import time
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from tests.system.harness.commands import slot
from tests.system.harness.mesh import Mesh


class Stranger:
    """Publishes commands and awaits outcomes, as the contract says."""

    def __init__(self, bootstrap_servers: str, prefix: str) -> None:
        self._commands, self._events = f"{prefix}.booking.commands.v1", f"{prefix}.booking.events.v1"
        self._producer = Producer({"bootstrap.servers": bootstrap_servers, "partitioner": "murmur2_random"})
        self._consumer = Consumer({"bootstrap.servers": bootstrap_servers, "group.id": "unused", "enable.auto.commit": False})
        partitions = self._consumer.list_topics(self._events, timeout=20).topics[self._events].partitions
        places = [TopicPartition(self._events, number) for number in partitions]
        for place in places:
            place.offset = self._consumer.get_watermark_offsets(place, timeout=20)[1]
        self._consumer.assign(places)

    def send(self, action: str, **data: Any) -> str:
        """Binary mode: data in the value, the rest in headers."""
        identifier = uuid.uuid4().hex
        self._producer.produce(
            self._commands,
            key=data["doctor_id"],
            value=json.dumps(data),
            headers={
                "content-type": "application/json",
                "ce_specversion": "1.0",
                "ce_id": identifier,
                "ce_source": "/stranger",
                "ce_type": f"booking.appointment.{action}.v1",
            },
        )
        self._producer.flush(20)
        return identifier

    def pipe(self, key: str, line: str) -> None:
        """One line into kcat: `kcat -P -k KEY`."""
        self._producer.produce(self._commands, key=key, value=line)
        self._producer.flush(20)

    def await_event(self, **expected: Any) -> dict[str, Any]:
        """The next event that says all this; `command` is the id of the command that it names."""
        until = time.monotonic() + 30
        while time.monotonic() < until:
            message = self._consumer.poll(0.5)
            if message is None or message.error() is not None:
                continue
            event = json.loads(message.value() or b"")
            headers = {name: value.decode() for name, value in self._headers(message)}
            assert (headers["ce_type"], headers["ce_id"], headers["ce_time"]) == (event["type"], event["id"], event["time"])
            assert headers["ce_causationid"] == event["decision"]["command"]["id"]
            said = event | {"command_id": event["decision"]["command"]["id"]}
            if all(said.get(name) == value for name, value in expected.items()):
                return dict(event)
        problem = f"No event came that says {expected}."
        raise AssertionError(problem)

    def _headers(self, message: Any) -> list[tuple[str, bytes]]:
        return list(message.headers() or [])

    def close(self) -> None:
        self._consumer.close()


@pytest.fixture
async def stranger(mesh: Mesh) -> AsyncIterator[Stranger]:
    mesh.environment.update(CAREMESH_PENDING_EXPIRY_SECONDS="4", CAREMESH_EXPIRY_WARNING_SECONDS="1")
    mesh.consumer()
    mesh.processor()
    # The topics were just created: their partitions have no leader for a moment.
    await mesh.ends(mesh.events_topic)
    stranger = Stranger(mesh.bootstrap_servers, mesh.settings.topic_prefix)
    yield stranger
    stranger.close()


def wish(patient: str, starts_at: str) -> dict[str, Any]:
    actor = {"role": "patient", "id": patient}
    return {"doctor_id": "dr-1", "patient_id": patient, "starts_at": starts_at, "modality": "video", "actor": actor}


async def test_a_stranger_books_is_refused_confirms_lets_one_expire_and_reads_the_outcomes(mesh: Mesh, stranger: Stranger) -> None:
    doctor = {"role": "doctor", "id": "dr-1"}
    booked = stranger.await_event(command_id=stranger.send("book", **wish("pt-1", slot(0))))
    assert (booked["type"], booked["status"], booked["version"]) == ("booking.appointment.booked.v1", "pending", 1)
    assert booked["duration_minutes"] == 30
    appointment = booked["appointment_id"]
    assert appointment.startswith("apt_")

    refused = stranger.await_event(command_id=stranger.send("book", **wish("pt-2", slot(0))))
    assert (refused["type"], refused["status_code"], refused["reason"]) == ("booking.appointment.rejected.v1", 409, "slot_already_booked")
    assert refused["conflict"]["appointment_id"] == appointment
    assert "pt-1" not in json.dumps(refused)

    confirmed = stranger.await_event(command_id=stranger.send("confirm", appointment_id=appointment, doctor_id="dr-1", actor=doctor))
    assert (confirmed["status"], confirmed["version"], confirmed["expires_at"]) == ("confirmed", 2, None)

    left = stranger.await_event(command_id=stranger.send("book", **wish("pt-3", slot(1))))
    expiring = stranger.await_event(type="booking.appointment.expiring.v1", appointment_id=left["appointment_id"])
    assert expiring["version"] == 1
    expired = stranger.await_event(type="booking.appointment.expired.v1", appointment_id=left["appointment_id"])
    assert (expired["status"], expired["cancelled_by"], expired["time"]) == ("cancelled", "system", left["expires_at"])

    late = stranger.await_event(command_id=stranger.send("confirm", appointment_id=left["appointment_id"], doctor_id="dr-1", actor=doctor))
    assert (late["status_code"], late["reason"]) == (409, "wrong_status")
    await mesh.end_sweeps()
    await mesh.is_clean()


async def test_one_line_of_json_with_a_key_and_without_headers_is_a_command(mesh: Mesh, stranger: Stranger) -> None:
    envelope = {
        "specversion": "1.0",
        "id": "line-1",
        "source": "/kcat",
        "type": "booking.appointment.book.v1",
        "data": wish("pt-1", slot(0)),
    }
    stranger.pipe("dr-1", json.dumps(envelope))
    booked = stranger.await_event(command_id="line-1")
    assert booked["type"] == "booking.appointment.booked.v1"
    assert booked["decision"]["command"]["source"] == "/kcat"
    await mesh.decided()
    await mesh.is_clean()
