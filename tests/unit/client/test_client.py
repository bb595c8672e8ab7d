"""What the client says without asking anybody: its types, and what it does not let pass."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, assert_type

import orjson
import pytest
from pydantic import ValidationError

from shared.client import CaremeshClient, NotPublishedError, Rejected
from shared.embedded.errors import NoMeshError
from shared.messages.booking import AppointmentBooked, AppointmentConfirmed, BookAppointment, ConfirmAppointment
from shared.messages.fields import Actor, Command, EventData, Modality, Role
from shared.settings import Settings

SETTINGS = Settings(kafka_bootstrap_servers="host:9092")

if TYPE_CHECKING:

    async def what_mypy_knows(client: CaremeshClient, book: BookAppointment, confirm: ConfirmAppointment, command: Command) -> None:
        assert_type(await client.request(book), AppointmentBooked | Rejected)
        assert_type(await client.request(confirm), AppointmentConfirmed | Rejected)
        assert_type(await client.request(command), EventData | Rejected)


def wish(starts_at: datetime) -> BookAppointment:
    actor = Actor(role=Role.PATIENT, id="p")
    return BookAppointment(doctor_id="d", patient_id="p", starts_at=starts_at, modality=Modality.TEXT, actor=actor)


@pytest.mark.parametrize("source", ["", "with space", "/x\n", "x" * 129, "/ü"])
def test_a_source_is_a_uri_reference(source: str) -> None:
    with pytest.raises(ValueError, match="source is a URI reference"):
        CaremeshClient(SETTINGS, source=source)


@pytest.mark.parametrize("identifier", ["", "with space", "line\n", "x" * 129, "ü"])
async def test_ids_are_looked_at_before_anything_is_published(identifier: str) -> None:
    client = CaremeshClient(SETTINGS, source="/x")
    with pytest.raises(ValueError, match="identifier is 1 to 128 characters"):
        await client.request(wish(datetime.now(UTC)), identifier=identifier)
    with pytest.raises(ValueError, match="correlation_id is 1 to 128 characters"):
        await client.request(wish(datetime.now(UTC)), correlation_id=identifier)


async def test_a_client_that_was_not_opened_publishes_nothing() -> None:
    with pytest.raises(NotPublishedError, match="Use it inside `async with`"):
        await CaremeshClient(SETTINGS, source="/x").request(wish(datetime.now(UTC)))


def test_where_no_mesh_is_the_message_says_how_to_start_one(tmp_path: Path) -> None:
    with pytest.raises(NoMeshError, match="caremesh up"):
        CaremeshClient(Settings(home=tmp_path), source="/x")


def test_times_in_commands_are_those_of_python_with_an_offset() -> None:
    in_malawi = datetime(2030, 1, 8, 11, 0, tzinfo=timezone(timedelta(hours=2)))
    command = wish(in_malawi)
    assert command.starts_at == in_malawi
    assert command.starts_at.tzinfo is UTC
    assert orjson.loads(command.model_dump_json())["starts_at"] == "2030-01-08T09:00:00Z"
    with pytest.raises(ValidationError, match="RFC 3339 with an offset"):
        wish(datetime(2030, 1, 8, 11, 0))  # noqa: DTZ001 - that is the point
    with pytest.raises(ValidationError, match="a year lies between 1970 and 2200"):
        wish(datetime(2201, 1, 1, tzinfo=UTC))


def test_another_service_that_imports_the_client_loads_no_database_and_no_stream_processor() -> None:
    lines = "import sys, shared.client; print([name for name in ('sqlalchemy', 'faust', 'asyncpg', 'services') if name in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", lines], capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"
