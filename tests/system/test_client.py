"""The client against the real booking: outcomes come, whatever dies on the way."""

import ast
import asyncio
from collections import Counter

import pytest

from shared.client import CaremeshClient, Rejected
from shared.embedded.kafka import KafkaServer
from shared.messages.booking import AppointmentBooked, BookAppointment
from shared.messages.fields import Actor, EventData, Modality, Role, parse_time
from tests.architecture.sources import ROOT
from tests.system.harness.commands import slot
from tests.system.harness.mesh import Mesh


def wish(doctor: str, patient: str, number: int = 0) -> BookAppointment:
    return BookAppointment(
        doctor_id=doctor,
        patient_id=patient,
        starts_at=parse_time(slot(number)),
        modality=Modality.VIDEO,
        actor=Actor(role=Role.PATIENT, id=patient),
    )


def word(outcome: EventData) -> str:
    return str(outcome.reason) if isinstance(outcome, Rejected) else outcome.type


async def test_two_hundred_ask_two_clients_for_one_slot_and_each_is_told(mesh: Mesh) -> None:
    mesh.consumer()
    async with CaremeshClient(mesh.settings, source="/web") as web, CaremeshClient(mesh.settings, source="/mobile") as mobile:
        asked = ((web, mobile)[number % 2].request(wish("dr-1", f"pt-{number}")) for number in range(200))
        outcomes = await asyncio.gather(*asked)
    assert Counter(map(word, outcomes)) == {"booking.appointment.booked.v1": 1, "slot_already_booked": 199}
    (booked,) = (outcome for outcome in outcomes if isinstance(outcome, AppointmentBooked))
    assert not [outcome for outcome in outcomes if outcome != booked and f'"{booked.patient_id}"' in outcome.model_dump_json()]
    await mesh.decided()
    await mesh.is_clean()


async def test_an_outcome_that_was_lost_with_its_worker_comes_from_the_next_one(mesh: Mesh) -> None:
    doomed = mesh.consumer("session_timeout=6", "kill_before_publish=1")
    async with CaremeshClient(mesh.settings, source="/web", timeout_seconds=60) as client:
        asking = asyncio.create_task(client.request(wish("dr-1", "pt-1"), identifier="once"))
        await doomed.ended()
        mesh.consumer()
        outcome = await asking
        assert isinstance(outcome, AppointmentBooked)
        assert outcome.version == 1
        assert await client.request(wish("dr-1", "pt-1"), identifier="once") == outcome
    await mesh.decided()
    await mesh.is_clean()


async def test_requests_ride_out_an_outage_of_kafka(mesh: Mesh, kafka: KafkaServer) -> None:
    mesh.consumer()
    await mesh.assigned()
    async with CaremeshClient(mesh.settings, source="/web", timeout_seconds=90) as client:
        before = await client.request(wish("dr-before", "pt-before"))
        asking = [asyncio.create_task(client.request(wish(f"dr-{number}", f"pt-{number}"))) for number in range(40)]
        kafka.kill()
        await kafka.wait_ended()
        asking += [asyncio.create_task(client.request(wish(f"dr-{number}", f"pt-{number}"))) for number in range(40, 80)]
        await kafka.start()
        await kafka.wait_ready()
        outcomes = await asyncio.gather(*asking)
        after = await client.request(wish("dr-after", "pt-after"))
    assert {outcome.type for outcome in (before, *outcomes, after)} == {"booking.appointment.booked.v1"}
    await mesh.decided()
    await mesh.is_clean()


async def test_the_example_on_the_page_runs_as_it_stands(
    mesh: Mesh, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    mesh.consumer()
    monkeypatch.setenv("CAREMESH_KAFKA_BOOTSTRAP_SERVERS", mesh.bootstrap_servers)
    monkeypatch.setenv("CAREMESH_TOPIC_PREFIX", mesh.settings.topic_prefix)
    source = (ROOT / "docs" / "client.md").read_text(encoding="utf-8").partition("```python\n")[2].partition("```")[0]
    example = compile(source, "docs/client.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    # The second time it asks for a moment that the first appointment holds.
    for said in ("Booked as apt_", "Taken: You have already booked this time slot."):
        await eval(example, {})
        assert capsys.readouterr().out.startswith(said)
