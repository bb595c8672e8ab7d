"""What a service hears of others: it goes the way of commands, and a command that names something unknown waits for it."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, cast

import orjson
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from services.booking.store.tables import decisions
from shared.codec.decode import Received
from shared.codec.record import Headers, OutgoingMessage, Record, StoredRecord
from shared.database import Connection, NewRows
from shared.messages.booking import AppointmentEvent, AppointmentEventType, ConfirmAppointment
from shared.messages.events import Event, Request
from shared.path.handler import Handler
from shared.path.hearing import Hearing
from shared.path.intake import heard_topics, intake_of
from shared.path.service import Locks, Parties, Service
from shared.path.transaction import Transactions
from shared.path.watchdog import Watchdog
from tests.examples import DOCTOR, NOW, PATIENT, START, example_cancel, example_confirm, milliseconds
from tests.integration.worker import Log, headers_of, value_of

HEARD = "test.heard.events.v1"


class Ears:
    """A working set that knows what it has heard, and takes a fault when told to."""

    def __init__(self) -> None:
        self.heard: set[str] = set()
        self.breaks_on: set[str] = set()

    def knows(self, entity_id: str) -> bool:
        return entity_id in self.heard

    def decide(self, received: Received) -> Sequence[Event | Request]:
        if isinstance(received.content, AppointmentEvent):
            self.heard.add(received.content.appointment_id)
            return [Request(example_cancel(appointment_id=received.content.appointment_id))]
        command = cast("ConfirmAppointment", received.content)
        if command.appointment_id in self.breaks_on:
            raise ZeroDivisionError
        word = "greeted" if self.knows(command.appointment_id) else "unknown"
        return [Event(f"booking.appointment.{word}.v1", command.doctor_id, command.appointment_id, NOW, 1, {})]


class Ends:
    """Where the heard topic ends, as the test says."""

    def __init__(self) -> None:
        self.end = 0
        self.asked = 0

    async def end_of(self, topic: str, key: bytes) -> tuple[int, int]:
        assert (topic, key[:6]) == (HEARD, b"doctor")
        self.asked += 1
        return 0, self.end


@pytest.fixture
def ears() -> Ears:
    return Ears()


@pytest.fixture
def ends() -> Ends:
    return Ends()


@pytest.fixture
def listener(engine: AsyncEngine, rescuer: AsyncEngine, watchdog: Watchdog, ears: Ears, ends: Ends) -> Handler[Ears]:
    """A handler of a service that hears another one's events, in booking's schema."""

    async def no_parties(_: Connection, __: Collection[str]) -> Mapping[str, Parties]:
        return {}

    async def load(_: Connection, __: Sequence[Received]) -> Ears:
        return ears

    async def record(_: Connection, __: Ears) -> Sequence[NewRows]:
        return ()

    service = Service(
        name="booking",
        commands={ConfirmAppointment.type: ConfirmAppointment},
        decisions=decisions,
        named_entity=lambda _: None,
        locks=lambda _, __: Locks(()),
        parties=no_parties,
        load=load,
        record=record,
        log_line=lambda _: None,
        hears={"heard": {AppointmentEventType.BOOKED: AppointmentEvent}},
        may_be_unheard=lambda received, state: (
            isinstance(received.content, ConfirmAppointment) and not state.knows(received.content.appointment_id)
        ),
    )
    hearing = Hearing(heard_topics(service, "test"), ends)
    transactions = Transactions(
        service, engine=engine, rescuer=rescuer, topic_prefix="test", consumer_group="test-booking", hearing=hearing
    )
    return Handler(
        service,
        transactions,
        intake=intake_of(service, "test"),
        hearing=hearing,
        consumer_group="test-booking",
        watchdog=watchdog,
    )


def an_event(
    appointment_id: str, *, offset: int = 0, type_: str = AppointmentEventType.BOOKED, identifier: str | None = None
) -> StoredRecord:
    value = {
        "type": type_,
        "id": identifier or f"event-{appointment_id}",
        "time": NOW,
        "version": 1,
        "appointment_id": appointment_id,
        "doctor_id": DOCTOR,
        "patient_id": PATIENT,
        "starts_at": START,
        "duration_minutes": 30,
        "modality": "video",
        "user_timezone": "UTC",
        "status": "pending",
        "created_at": NOW,
        "expires_at": None,
        "cancelled_by": None,
        "cancellation_reason": None,
        "proposed_starts_at": None,
        "status_before_proposal": None,
        "absent": None,
        "decision": {
            "decided_at": NOW,
            "index": 0,
            "command": {"source": "/tests", "id": "wish", "type": "booking.appointment.book.v1"},
            "topic": "test.booking.commands.v1",
            "partition": 0,
            "offset": 0,
        },
    }
    headers: Headers = [("ce_source", b"/caremesh/heard"), ("ce_correlationid", b"a-conversation")]
    return StoredRecord(HEARD, 0, offset, milliseconds(NOW), DOCTOR.encode(), orjson.dumps(value, option=orjson.OPT_UTC_Z), headers)


def words(messages: Sequence[OutgoingMessage]) -> list[str]:
    return [headers_of(message)["ce_type"].split(".")[2] for message in messages]


Positions = Callable[[], Any]


@pytest.fixture
def positions(connection: Any) -> Positions:
    async def read() -> dict[str, int]:
        rows = await connection.fetch("SELECT topic, next_offset FROM positions WHERE partition = 0")
        return {row["topic"].split(".")[1]: row["next_offset"] for row in rows}

    return read


async def handle(listener: Handler[Ears], *records: Record) -> list[str]:
    return words((await listener.handle(records)).messages)


async def test_what_is_heard_before_a_command_is_known_to_it(listener: Handler[Ears], ends: Ends) -> None:
    log = Log()
    assert await handle(listener, an_event("apt-1"), log.append(example_confirm())) == ["cancel", "greeted"]
    assert (listener.carries, ends.asked) == (False, 0)


async def test_a_command_waits_for_what_had_been_said_when_it_arrived(listener: Handler[Ears], ends: Ends, positions: Positions) -> None:
    log, ends.end = Log(), 2
    assert await handle(listener, log.append(example_confirm())) == []
    assert (listener.carries, listener.pause_seconds > 0) == (True, True)
    assert await handle(listener) == []
    assert await handle(listener, an_event("another", offset=0)) == ["cancel"]
    assert await positions() == {"booking": 0, "heard": 1}
    assert await handle(listener, an_event("apt-1", offset=1)) == ["cancel"]
    assert await handle(listener) == ["greeted"]
    assert (listener.carries, listener.pause_seconds > 0) == (False, False)
    assert await positions() == {"booking": 1, "heard": 2}
    assert ends.asked == 1


async def test_what_was_never_said_is_refused_once_all_is_read(listener: Handler[Ears], ends: Ends) -> None:
    log, ends.end = Log(), 1
    assert await handle(listener, log.append(example_confirm())) == []
    assert await handle(listener, an_event("another")) == ["cancel"]
    assert await handle(listener) == ["unknown"]


async def test_where_nothing_was_ever_said_nobody_waits(listener: Handler[Ears]) -> None:
    log = Log()
    assert await handle(listener, log.append(example_confirm())) == []
    assert await handle(listener) == ["unknown"]


async def test_nothing_of_the_same_key_overtakes_and_nobody_else_waits(listener: Handler[Ears], ends: Ends, ears: Ears) -> None:
    log, ends.end = Log(), 1
    ears.heard.add("known")
    records = [
        log.append(example_confirm()),
        log.append(example_confirm(appointment_id="known")),
        log.append(example_confirm(appointment_id="known", doctor_id="doctor-2")),
    ]
    first = await listener.handle(records)
    assert [headers_of(message)["ce_partitionkey"] for message in first.messages] == ["doctor-2"]
    assert first.positions == {("test.booking.commands.v1", 0): 0}
    assert await handle(listener, an_event("apt-1")) == ["cancel"]
    assert await handle(listener) == ["greeted", "greeted"]


async def test_a_batch_that_is_cut_leaves_what_waits_and_what_comes_behind_it(
    listener: Handler[Ears], ends: Ends, ears: Ears, positions: Positions
) -> None:
    log, ends.end = Log(), 1
    ears.heard |= {"known", "broken"}
    ears.breaks_on.add("broken")
    records = [
        log.append(example_confirm()),
        log.append(example_confirm(appointment_id="known", doctor_id="doctor-2")),
        log.append(example_confirm(appointment_id="known")),
        log.append(example_confirm(appointment_id="broken", doctor_id="doctor-2")),
    ]
    handled = await listener.handle(records)
    assert [message.topic for message in handled.messages] == ["test.booking.events.v1", "test.booking.commands.v1.dlq"]
    assert await positions() == {"booking": 0}
    assert await handle(listener, an_event("apt-1")) == ["cancel"]
    assert await handle(listener) == ["greeted", "greeted"]
    assert await positions() == {"booking": 4, "heard": 1}


async def test_a_copy_of_an_event_leads_to_nothing_and_a_redelivered_one_to_the_same(listener: Handler[Ears]) -> None:
    first = (await listener.handle([an_event("apt-1")])).messages
    assert (await listener.handle([an_event("apt-1", offset=1)])).messages == []
    assert (await listener.handle([an_event("apt-1")])).messages == first


async def test_a_request_names_its_cause_and_goes_to_the_service_that_decides_it(listener: Handler[Ears]) -> None:
    [message] = (await listener.handle([an_event("apt-1")])).messages
    assert message.topic == "test.booking.commands.v1"
    assert message.key == DOCTOR.encode()
    assert value_of(message)["appointment_id"] == "apt-1"
    headers = headers_of(message)
    assert headers["ce_source"] == "/caremesh/booking"
    assert (headers["ce_causationid"], headers["ce_correlationid"]) == ("event-apt-1", "a-conversation")


async def test_events_of_other_types_are_ignored_and_unreadable_ones_set_aside(listener: Handler[Ears], positions: Positions) -> None:
    broken = StoredRecord(HEARD, 0, 1, milliseconds(NOW), b"doctor-1", b'{"type":"booking.appointment.booked.v1"}')
    handled = await listener.handle([an_event("apt-1", type_="something.else.v1"), broken])
    assert [message.topic for message in handled.messages] == [f"{HEARD}.dlq"]
    assert await positions() == {"heard": 2}
