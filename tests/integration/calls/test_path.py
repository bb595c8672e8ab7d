"""Calls and text sessions go their way through the database."""

from typing import Any

import asyncpg
import pytest

from shared.messages.booking import AppointmentStatus
from shared.messages.fields import Modality
from tests.calls_examples import (
    CALL,
    TEXT_SESSION,
    example_activity,
    example_cancel_call,
    example_connect,
    example_decline_call,
    example_disconnect,
    example_end,
    example_reconnect,
    example_start,
    example_text_end,
    example_text_start,
    example_text_time_out,
    example_time_out,
    seconds,
)
from tests.examples import APPOINTMENT, DOCTOR, MILLISECOND, NOW, PATIENT, SOURCE, doctor, minutes, patient, system
from tests.integration.calls.conftest import Ends, MakeWorker
from tests.integration.calls.news import News
from tests.integration.worker import Log, Worker, headers_of, outcome_of, value_of

Connection = Any  # asyncpg's own is generic for type checkers alone


async def row(connection: Connection, table: str = "sessions") -> dict[str, object]:
    found = await connection.fetchrow(f"SELECT * FROM {table}")
    return {name: value for name, value in found.items() if value is not None}


async def statuses(connection: Connection) -> dict[str, str]:
    return dict(map(tuple, await connection.fetch("SELECT session_id, status FROM sessions")))


async def test_a_call_goes_its_way_through_the_database(worker: Worker, connection: Connection) -> None:
    log = Log()
    assert await worker.outcomes(log.append(example_start())) == ["started"]
    assert await row(connection) == {
        "session_id": CALL,
        "modality": "video",
        "doctor_id": DOCTOR,
        "patient_id": PATIENT,
        "status": "connecting",
        "started_by": "patient",
        "started_at": NOW,
        "updated_at": NOW,
        "deadline_at": NOW + seconds(90),
        "changed_by_source": SOURCE,
        "changed_by_id": "command-0-1",
        "changed_by_type": "calls.call.start.v1",
        "version": 1,
    }
    assert await worker.outcomes(log.append(example_connect(), at=NOW + seconds(10))) == ["connected"]
    assert await worker.outcomes(log.append(example_disconnect(), at=NOW + seconds(20))) == ["reconnecting"]
    lost = await row(connection)
    assert (lost["disconnected_at"], lost["deadline_at"]) == (NOW + seconds(20), NOW + seconds(80))
    assert await worker.outcomes(log.append(example_reconnect(), at=NOW + seconds(30))) == ["reconnected"]
    assert await worker.outcomes(log.append(example_end(), at=NOW + minutes(11))) == ["ended"]
    ended = await row(connection)
    assert (ended["status"], ended["connected_at"], ended["ended_at"]) == ("ended", NOW + seconds(10), NOW + minutes(11))
    assert (ended["ended_by"], ended["reason"], ended["version"]) == ("patient", "ended_by_party", 5)
    assert not {"deadline_at", "disconnected_at", "patient_activity_count"} & ended.keys()


async def test_a_text_session_goes_its_way_through_the_database(worker: Worker, connection: Connection) -> None:
    log = Log()
    assert await worker.outcomes(log.append(example_text_start())) == ["started"]
    assert await worker.outcomes(log.append(example_activity(actor=patient()), at=NOW + seconds(1))) == ["activity_recorded"]
    assert await worker.outcomes(log.append(example_activity(), at=NOW + seconds(2))) == ["activity_recorded", "activated"]
    active = await row(connection)
    assert (active["modality"], active["status"], active["version"]) == ("text", "active", 4)
    assert (active["patient_activity_count"], active["doctor_activity_count"]) == (1, 1)
    assert (active["activated_at"], active["last_activity_at"]) == (NOW + seconds(2), NOW + seconds(2))
    assert active["deadline_at"] == NOW + seconds(2) + minutes(20)
    assert await worker.outcomes(log.append(example_text_end(actor=doctor()), at=NOW + minutes(11))) == ["ended"]
    ended = await row(connection)
    assert (ended["status"], ended["ended_by"], ended["ended_at"]) == ("ended", "doctor", NOW + minutes(11))
    assert "deadline_at" not in ended


async def test_every_command_in_one_batch(worker: Worker, connection: Connection) -> None:
    log = Log()
    late = NOW + seconds(90) + MILLISECOND
    records = [
        log.append(example_start(call_id="declined")),
        log.append(example_start(call_id="busy", patient_id="another")),
        log.append(example_decline_call(call_id="declined")),
        log.append(example_start(call_id="cancelled")),
        log.append(example_cancel_call(call_id="cancelled")),
        log.append(example_start(call_id="ended")),
        log.append(example_end(call_id="ended")),
        log.append(example_connect(call_id="ended")),
        log.append(example_connect(call_id="ended")),
        log.append(example_disconnect(call_id="ended")),
        log.append(example_reconnect(call_id="ended")),
        log.append(example_end(call_id="ended", actor=system(), reason_code="insufficient_balance")),
        log.append(example_end(call_id="ended")),
        log.append(example_text_start(session_id="ended-text")),
        log.append(example_activity(session_id="ended-text")),
        log.append(example_activity(session_id="ended-text", actor=patient())),
        log.append(example_text_end(session_id="ended-text")),
        log.append(example_activity(session_id="ended-text")),
        log.append(example_start(call_id="failed")),
        log.append(example_time_out(call_id="failed"), at=NOW + seconds(90)),
        log.append(example_connect(call_id="failed"), at=late),
        log.append(example_time_out(call_id="failed"), at=late),
        log.append(example_text_start(session_id="expired"), at=late),
        log.append(example_text_time_out(session_id="expired"), at=late + minutes(5) + MILLISECOND),
        log.append(example_connect(call_id="unknown")),
    ]
    assert await worker.outcomes(*records) == [
        "started",
        "doctor_busy",
        "declined",
        "started",
        "cancelled",
        "started",
        "not_connected",
        "connected",
        "wrong_status",
        "reconnecting",
        "reconnected",
        "ended",
        "wrong_status",
        "started",
        "activity_recorded",
        "activated",
        "activity_recorded",
        "ended",
        "session_not_active",
        "started",
        "not_due",
        "timed_out",
        "failed",
        "started",
        "expired",
        "call_not_found",
    ]
    names = {"declined", "cancelled", "ended", "ended-text", "failed", "expired"}
    assert await statuses(connection) == {name: name.removesuffix("-text") for name in names}
    assert await connection.fetchval("SELECT count(*) FROM decisions") == len(records)


async def test_what_has_lapsed_gives_way_to_the_next_call_in_the_same_transaction(worker: Worker, connection: Connection) -> None:
    log = Log()
    await worker.handle(log.append(example_start(call_id="lapsed")))
    late = log.append(example_start(call_id="next", patient_id="another"), at=NOW + seconds(91))
    messages = await worker.handle(late)
    assert [outcome_of(message) for message in messages] == ["started", "failed"]
    started, failed = map(value_of, messages)
    assert (failed["call_id"], failed["time"]) == ("lapsed", "2030-01-07T12:01:30Z")
    assert (started["decision"]["index"], failed["decision"]["index"]) == (0, 1)
    assert await statuses(connection) == {"lapsed": "failed", "next": "connecting"}
    # The sweep comes later, and finds it done.
    assert await worker.outcomes(log.append(example_time_out(call_id="lapsed"), at=NOW + seconds(92))) == ["wrong_status"]


async def test_the_last_wall_holds_one_live_call_of_a_doctor(connection: Connection) -> None:
    insert = """
        INSERT INTO sessions (session_id, modality, doctor_id, patient_id, status, started_by, started_at, updated_at,
                              changed_by_source, changed_by_id, changed_by_type, version)
        VALUES ($1, 'voice', 'doctor', $1, 'connecting', 'patient', now(), now(), '', '', '', 1)
    """
    await connection.execute(insert, "first")
    with pytest.raises(asyncpg.UniqueViolationError, match="sessions_call_their_doctor_once"):
        await connection.execute(insert, "second")


async def test_a_redelivered_batch_is_answered_byte_for_byte(worker: Worker, make_worker: MakeWorker, connection: Connection) -> None:
    log = Log()
    batch = [
        log.append(example_text_start()),
        log.append(example_activity()),
        log.append(example_activity(actor=patient())),
        log.append(example_activity(actor=patient("another"))),
        log.append(example_text_end()),
    ]
    first = await worker.handle(*batch)
    assert [outcome_of(message) for message in first] == [
        "started",
        "activity_recorded",
        "activated",
        "activity_recorded",
        "not_a_party",
        "ended",
    ]
    before = await row(connection)
    assert await make_worker().handle(*batch) == first
    assert await row(connection) == before
    assert (before["patient_activity_count"], before["doctor_activity_count"]) == (1, 1)


async def test_many_records_on_few_sessions_are_one_transaction_and_each_counts_on_its_side(worker: Worker, connection: Connection) -> None:
    log = Log()
    sessions = [f"session-{number}" for number in range(20)]
    parties = [(session, f"doctor-{number}", f"patient-{number}") for number, session in enumerate(sessions)]
    await worker.handle(*(log.append(example_text_start(session_id=s, doctor_id=d, patient_id=p)) for s, d, p in parties))
    await worker.handle(*(log.append(example_activity(session_id=s, doctor_id=d)) for s, d, _ in parties))
    batch = [
        log.append(example_activity(session_id=s, doctor_id=d, actor=doctor(d) if turn % 2 else patient(p)))
        for turn in range(40)
        for s, d, p in parties
    ]
    assert set(await worker.outcomes(*batch)) == {"activity_recorded"}
    counted = await connection.fetch("SELECT patient_activity_count, doctor_activity_count, version FROM sessions")
    assert {tuple(counts) for counts in counted} == {(20, 21, 43)}
    assert await connection.fetchval("SELECT count(DISTINCT xmin::text) FROM sessions") == 1


async def test_a_call_and_a_text_session_cannot_have_the_same_id(worker: Worker) -> None:
    log = Log()
    records = [
        log.append(example_start(call_id="the-id")),
        log.append(example_text_start(session_id="the-id", patient_id="another")),
        log.append(example_decline_call(call_id="the-id")),
        log.append(example_text_start(session_id="the-id", patient_id="another")),
        log.append(example_text_end(session_id="the-id")),
    ]
    assert await worker.outcomes(*records) == ["started", "already_started", "declined", "session_exists", "text_session_not_found"]


async def test_a_call_for_an_appointment_completes_it(worker: Worker, connection: Connection) -> None:
    log, news = Log(), News()
    assert await worker.handle(news.append()) == []
    start = log.append(example_start(appointment_id=APPOINTMENT))
    assert await worker.outcomes(start, log.append(example_connect())) == ["started", "connected"]
    appointment = await row(connection, "appointments")
    assert (appointment["doctor_came"], appointment["patient_came"], appointment["took_place"]) == (True, True, True)
    ended, request = await worker.handle(log.append(example_end(), at=NOW + minutes(5)))
    assert outcome_of(ended) == "ended"
    assert (request.topic, request.key) == ("test.booking.commands.v1", DOCTOR.encode())
    headers = headers_of(request)
    assert (headers["ce_type"], headers["ce_source"]) == ("booking.appointment.complete.v1", "/caremesh/calls")
    assert value_of(request) == {
        "appointment_id": APPOINTMENT,
        "doctor_id": DOCTOR,
        "actor": {"role": "system", "id": "calls"},
    }


async def test_a_start_waits_for_what_booking_had_said_when_it_arrived(worker: Worker, ends: Ends) -> None:
    log, news, ends.end = Log(), News(), 1
    start, connect = log.append(example_start(appointment_id=APPOINTMENT)), log.append(example_connect())
    assert (await worker.handler.handle([start, connect])).messages == []
    assert worker.handler.carries
    assert await worker.outcomes(news.append()) == ["started", "connected"]


async def test_a_start_waits_for_the_confirm_of_a_known_appointment(worker: Worker, ends: Ends) -> None:
    log, news, ends.end = Log(), News(), 2
    await worker.handle(news.append(status=AppointmentStatus.PENDING, version=1, identifier="booked"))
    assert (await worker.handler.handle([log.append(example_start(appointment_id=APPOINTMENT))])).messages == []
    assert await worker.outcomes(news.append()) == ["started"]


async def test_a_start_for_what_was_never_said_is_refused_once_all_is_read(worker: Worker, ends: Ends) -> None:
    log, news, ends.end = Log(), News(), 1
    assert (await worker.handler.handle([log.append(example_start(appointment_id=APPOINTMENT))])).messages == []
    assert await worker.outcomes(news.append(appointment_id="another")) == ["appointment_not_found"]


async def test_versions_never_go_back(worker: Worker, connection: Connection) -> None:
    news = News()
    cancelled = news.append(status=AppointmentStatus.CANCELLED, version=3, identifier="cancelled")
    assert await worker.handle(cancelled, news.append()) == []
    assert (await row(connection, "appointments"))["status"] == "cancelled"
    assert await worker.handle(news.append(version=2, identifier="again", modality=Modality.VOICE)) == []
    appointment = await row(connection, "appointments")
    assert (appointment["status"], appointment["version"], appointment["modality"]) == ("cancelled", 3, "video")


async def test_session_ids_are_known_to_both_kinds(worker: Worker, connection: Connection) -> None:
    log = Log()
    await worker.handle(log.append(example_text_start()))
    assert await statuses(connection) == {TEXT_SESSION: "waiting"}
    assert await worker.outcomes(log.append(example_connect(call_id=TEXT_SESSION))) == ["call_not_found"]
