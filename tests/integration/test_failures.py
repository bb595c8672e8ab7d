"""What fails: one record is cut out and the others go on, what passes is tried again, and a bad deploy stops."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import asyncpg
import pytest

from services.booking import working_set
from services.booking.app import booking
from services.booking.domain import decide
from services.booking.domain.appointment import Appointment, Rules
from services.booking.domain.decision import BookingEvent, Changed, Known, Moment
from services.booking.working_set import Appointments
from shared.messages.booking import BookingCommand
from shared.path import handler
from shared.path.errors import FatalError
from shared.path.service import Service
from shared.settings import Settings
from tests.examples import START, example_booking, example_confirm, minutes
from tests.integration.conftest import MakeWorker
from tests.integration.worker import Log, Worker, headers_of, outcome_of

Breaking = Callable[[tuple[BookingEvent, ...]], tuple[BookingEvent, ...]]


def bookings(log: Log, count: int) -> list[Any]:
    return [
        log.append(example_booking(appointment_id=f"apt-{i}", patient_id=f"patient-{i}", starts_at=START + minutes(30 * i)))
        for i in range(count)
    ]


def with_appointment(events: tuple[BookingEvent, ...], change: Callable[[Appointment], Appointment]) -> tuple[BookingEvent, ...]:
    assert isinstance(events[0], Changed)
    return (Changed(events[0].type, change(events[0].appointment), events[0].at), *events[1:])


def raising(_: tuple[BookingEvent, ...]) -> tuple[BookingEvent, ...]:
    message = "a fault of ours, with a secret in its words"
    raise ZeroDivisionError(message)


def breaking_a_constraint(events: tuple[BookingEvent, ...]) -> tuple[BookingEvent, ...]:
    return with_appointment(events, lambda appointment: appointment._replace(ends_at=appointment.starts_at))


def beyond_the_drivers_integers(events: tuple[BookingEvent, ...]) -> tuple[BookingEvent, ...]:
    return with_appointment(events, lambda appointment: appointment._replace(version=2**40))


def beyond_the_encoders_integers(events: tuple[BookingEvent, ...]) -> tuple[BookingEvent, ...]:
    return with_appointment(events, lambda appointment: appointment._replace(version=10**26))


@pytest.fixture
def break_decisions_about(monkeypatch: pytest.MonkeyPatch) -> Callable[[set[str], Breaking], None]:
    """Makes the decisions about some appointments go wrong."""

    def break_them(appointment_ids: set[str], breaking: Breaking) -> None:
        def broken(known: Known, command: BookingCommand, moment: Moment, rules: Rules) -> tuple[BookingEvent, ...]:
            events = decide(known, command, moment, rules)
            return breaking(events) if moment.entity_id in appointment_ids else events

        monkeypatch.setattr(working_set, "decide", broken)

    return break_them


@pytest.mark.parametrize("breaking", [raising, breaking_a_constraint, beyond_the_drivers_integers, beyond_the_encoders_integers])
@pytest.mark.parametrize("bad", [{0}, {4}, {6}, {2, 3}, {0, 3, 6}])
async def test_a_record_that_cannot_be_decided_is_set_aside_and_the_others_go_on_in_order(
    worker: Worker, connection: Any, break_decisions_about: Any, breaking: Breaking, bad: set[int]
) -> None:
    break_decisions_about({f"apt-{i}" for i in bad}, breaking)
    records = bookings(Log(), 7)
    messages = await worker.handle(*records)
    assert [outcome_of(message) for message in messages] == ["[handler_failed]" if i in bad else "booked" for i in range(7)]
    for i in bad:
        headers = headers_of(messages[i])
        assert (headers["__connect.errors.offset"], headers["__connect.errors.stage"]) == (str(i), "TASK_PUT")
        assert messages[i].value == records[i].value
        assert "secret" not in headers["__connect.errors.exception.message"]
    assert await connection.fetchval("SELECT count(*) FROM appointments") == 7 - len(bad)
    assert await connection.fetchval("SELECT count(*) FROM decisions") == 7 - len(bad)
    assert await connection.fetchval("SELECT next_offset FROM positions") == 7


async def test_what_was_set_aside_is_decided_when_it_comes_again_after_the_repair(
    worker: Worker, break_decisions_about: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_decisions_about({"apt-0"}, raising)
    [record] = bookings(Log(), 1)
    assert await worker.outcomes(record) == ["[handler_failed]"]
    monkeypatch.undo()
    assert await worker.outcomes(record) == ["booked"]


async def test_twenty_faults_of_ours_in_a_minute_are_set_aside_and_the_next_one_stops(
    worker: Worker, connection: Any, break_decisions_about: Any
) -> None:
    break_decisions_about({f"apt-{i}" for i in range(1, 22)}, raising)
    records = bookings(Log(), 22)
    assert await worker.outcomes(*records[:21]) == ["booked", *["[handler_failed]"] * 20]
    with pytest.raises(FatalError, match="a fault of the service"):
        await worker.handle(records[21])
    assert await connection.fetchval("SELECT next_offset FROM positions") == 21


async def test_twenty_one_faults_over_more_than_a_minute_do_not_stop_it(
    worker: Worker, break_decisions_about: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(handler, "time", SimpleNamespace(monotonic=lambda: clock.now))
    break_decisions_about({f"apt-{i}" for i in range(42)}, raising)
    for record in bookings(Log(), 42):
        assert await worker.outcomes(record) == ["[handler_failed]"]
        clock.now += 3.0


async def test_a_missing_table_stops_it_with_a_sentence_that_says_what_to_do(worker: Worker, connection: Any) -> None:
    await connection.execute("DROP TABLE appointments")
    with pytest.raises(FatalError, match="caremesh migrate"):
        await worker.handle(*bookings(Log(), 1))


Step = Callable[..., Awaitable[Any]]


def once(service: Service[Appointments], step: str, before: Callable[..., Awaitable[None]]) -> tuple[Service[Appointments], list[int]]:
    """The service, of which one step is preceded by something else the first time; and how many each call was about."""
    original: Step = getattr(service, step)
    calls: list[int] = []

    async def preceded(connection: Any, about: Any) -> Any:
        calls.append(len(about) if isinstance(about, Sequence | set) else 0)
        if len(calls) == 1:
            await before(connection)
        return await original(connection, about)

    changes: dict[str, Any] = {step: preceded}
    return replace(service, **changes), calls


@pytest.mark.parametrize("step", ["parties", "load", "record"])
async def test_a_connection_that_is_ended_in_the_middle_is_replaced_and_nothing_is_done_twice(
    step: str, make_worker: MakeWorker, database_settings: Settings, connection: Any
) -> None:
    async def end_ours(ours: Any) -> None:
        pid = ours.get_server_pid()
        assert await connection.fetchval("SELECT pg_terminate_backend($1, 5000)", pid)

    service, calls = once(booking(database_settings), step, end_ours)
    log = Log()
    batch = [*bookings(log, 3), log.append(example_confirm(appointment_id="apt-0"))]
    assert await make_worker(service=service).outcomes(*batch) == ["booked", "booked", "booked", "confirmed"]
    assert len(calls) >= 2
    assert await connection.fetchval("SELECT count(*) FROM decisions") == 4


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.DeadlockDetectedError("deadlock detected"),
        asyncpg.SerializationError("could not serialize"),
        asyncpg.LockNotAvailableError("lock_timeout"),
        asyncpg.AdminShutdownError("terminating connection"),
        asyncpg.TooManyConnectionsError("sorry, too many clients already"),
        ConnectionRefusedError("connection refused"),
        TimeoutError("no answer"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_what_passes_is_tried_again_with_the_whole_batch(
    error: Exception, make_worker: MakeWorker, database_settings: Settings
) -> None:
    async def fail(_: Any) -> None:
        raise error

    service, calls = once(booking(database_settings), "load", fail)
    assert await make_worker(service=service).outcomes(*bookings(Log(), 3)) == ["booked"] * 3
    assert calls == [3, 3]


async def test_a_full_lock_table_splits_the_batch_and_makes_no_dead_letter(make_worker: MakeWorker, database_settings: Settings) -> None:
    service = booking(database_settings)
    load, calls = service.load, []

    async def with_room_for_two(connection: Any, batch: Any) -> Appointments:
        calls.append(len(batch))
        if len(batch) > 2:
            message = "out of shared memory"
            raise asyncpg.OutOfMemoryError(message)
        return await load(connection, batch)

    worker = make_worker(service=replace(service, load=with_room_for_two))
    assert await worker.outcomes(*bookings(Log(), 8)) == ["booked"] * 8
    assert calls == [8, 4, 2, 2, 4, 2, 2]
