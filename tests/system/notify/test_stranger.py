"""A stranger with librdkafka and the contract's page: has somebody told something, and reads what became of it."""

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from tests.mail_server import MailServer
from tests.system.notify.conftest import Notify


class Stranger:
    """Publishes commands and reads events, as the contract says."""

    def __init__(self, bootstrap_servers: str, prefix: str) -> None:
        self._commands, self._events = f"{prefix}.notify.commands.v1", f"{prefix}.notify.events.v1"
        self._producer = Producer({"bootstrap.servers": bootstrap_servers, "partitioner": "murmur2_random"})
        self._consumer = Consumer({"bootstrap.servers": bootstrap_servers, "group.id": "unused", "enable.auto.commit": False})
        partitions = self._consumer.list_topics(self._events, timeout=20).topics[self._events].partitions
        self._consumer.assign([TopicPartition(self._events, number, 0) for number in partitions])
        self._heard: list[dict[str, Any]] = []

    def send(self, type_: str, **data: Any) -> str:
        """Binary mode: data in the value, the rest in headers."""
        identifier = uuid.uuid4().hex
        headers: Any = {"ce_specversion": "1.0", "ce_id": identifier, "ce_source": "/stranger", "ce_type": type_}
        self._producer.produce(self._commands, key=data["recipient_id"], value=json.dumps(data), headers=headers)
        self._producer.flush(20)
        return identifier

    def pipe(self, key: str, line: dict[str, Any]) -> None:
        """One line into kcat: `kcat -P -k KEY`."""
        self._producer.produce(self._commands, key=key, value=json.dumps(line))
        self._producer.flush(20)

    async def await_event(self, **expected: Any) -> dict[str, Any]:
        """The first event that says all this; `command_id` is the id of the command that it names."""
        # The mail server of the test lives in this thread.
        return await asyncio.to_thread(self._await_event, expected)

    def _await_event(self, expected: dict[str, Any]) -> dict[str, Any]:
        until = time.monotonic() + 40
        while time.monotonic() < until:
            for event in self._heard:
                said = event | {"command_id": event["decision"]["command"]["id"]}
                if all(said.get(name) == value for name, value in expected.items()):
                    return event
            message = self._consumer.poll(0.5)
            if message is not None and message.error() is None:
                self._heard.append(json.loads(message.value() or b""))
        problem = f"No event came that says {expected}: {self._heard}"
        raise AssertionError(problem)

    def close(self) -> None:
        self._consumer.close()


@pytest.fixture
async def stranger(notify: Notify) -> AsyncIterator[Stranger]:
    notify.mesh.consumer()
    await notify.mesh.ends(notify.mesh.events_topic)
    stranger = Stranger(notify.mesh.bootstrap_servers, notify.mesh.settings.topic_prefix)
    yield stranger
    stranger.close()


def request(notification_id: str, **more: Any) -> dict[str, Any]:
    about = {"entity": "appointment", "entity_id": "apt-1"}
    return {
        "notification_id": notification_id,
        "recipient_id": "pt-1",
        "template": "appointment_cancelled",
        "params": {"starts_at": "2030-01-08T16:00:00+02:00", "earning": {"amount_minor": 5, "currency": "MWK"}},
        "priority": "normal",
        "about": about,
    } | more


async def test_a_stranger_has_somebody_told_and_reads_what_became_of_it(notify: Notify, stranger: Stranger, mail: MailServer) -> None:
    await notify.mesh.caremesh("recipients", "set", "pt-1", "--email", "amina@example.org", "--timezone", "Africa/Blantyre")
    accepted = await stranger.await_event(command_id=stranger.send("notify.notification.send.v1", **request("n-1")))
    assert (accepted["type"], accepted["version"]) == ("notify.notification.accepted.v1", 1)
    in_app = await stranger.await_event(type="notify.notification.sent.v1", notification_id="n-1", channel="in_app")
    sent = await stranger.await_event(type="notify.notification.sent.v1", notification_id="n-1", channel="email")
    assert (in_app["version"], sent["version"], sent["template"]) == (2, 3, "appointment_cancelled")
    assert mail.recipients == ["amina@example.org"]
    assert mail.received[0]["Subject"].startswith("Cancelled: the appointment on Tuesday, January 8, 2030")

    # Piped into kcat, to somebody of whom nothing is known.
    line = {"specversion": "1.0", "id": "line-1", "source": "/kcat", "type": "notify.notification.send.v1"}
    stranger.pipe("pt-2", line | {"data": request("n-2", recipient_id="pt-2", params={})})
    assert [one["channel"] for one in (await stranger.await_event(command_id="line-1"))["deliveries"]] == ["in_app"]

    wrong = await stranger.await_event(command_id=stranger.send("notify.notification.send.v1", **request("n-3", template="birthday")))
    assert (wrong["type"], wrong["status_code"], wrong["reason"]) == ("notify.notification.rejected.v1", 422, "invalid_data")
    again = await stranger.await_event(command_id=stranger.send("notify.notification.send.v1", **request("n-1")))
    assert (again["status_code"], again["reason"], again["version"]) == (409, "notification_exists", 3)
    await notify.is_clean()


async def test_a_stranger_says_how_somebody_wants_to_be_told(notify: Notify, stranger: Stranger, mail: MailServer) -> None:
    await notify.mesh.caremesh("recipients", "set", "pt-1", "--email", "amina@example.org")
    actor = {"role": "patient", "id": "pt-1"}
    channels = {"email": False, "push": True, "sms": True, "chat": True, "in_app": False}
    quiet = {"start": "22:00", "end": "07:00", "timezone": "Africa/Blantyre"}
    command = stranger.send("notify.preferences.set.v1", recipient_id="pt-1", channels=channels, quiet_hours=quiet, actor=actor)
    changed = await stranger.await_event(command_id=command)
    assert (changed["type"], changed["channels"], changed["quiet_hours"]) == ("notify.preferences.changed.v1", channels, quiet)
    suppressed = await stranger.await_event(command_id=stranger.send("notify.notification.send.v1", **request("n-1")))
    assert (suppressed["type"], suppressed["reason"]) == ("notify.notification.suppressed.v1", "no_channel")
    none = dict.fromkeys(channels, False)
    await stranger.await_event(command_id=stranger.send("notify.preferences.set.v1", recipient_id="pt-1", channels=none, actor=actor))
    suppressed = await stranger.await_event(command_id=stranger.send("notify.notification.send.v1", **request("n-2")))
    assert suppressed["reason"] == "opted_out"
    others = stranger.send("notify.preferences.set.v1", recipient_id="pt-1", channels=channels, actor={"role": "patient", "id": "pt-9"})
    assert (await stranger.await_event(command_id=others))["status_code"] == 403
    assert mail.received == []
    await notify.is_clean()
