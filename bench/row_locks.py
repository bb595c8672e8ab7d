"""A baseline, as a process: one row-locking transaction for each request, 32 connections; the way of the origin.

``python -m bench.row_locks '{"bootstrap_servers": …}'``. It decides by the mesh's own rules and writes the same rows and the
same events. What would cost it time and is not its point is spared: the commands are read and decoded beforehand, it looks
for no earlier decision (the primary key would tell), and commits no offsets.
"""

import asyncio
import gc
import json
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any, Final

import asyncpg
import uvloop
from aiokafka import AIOKafkaProducer

from bench.traffic import read_records
from services.booking.domain import decide
from services.booking.domain.appointment import LONGEST_APPOINTMENT, Appointment, Rules
from services.booking.domain.decision import Changed, Known, Moment, Refused
from services.booking.store.tables import appointments, decisions
from services.booking.wire import changed, entity_id_of
from shared.codec.decode import Received, decode
from shared.codec.encode import encode_event, pack
from shared.messages.booking import BOOKING_COMMANDS, AppointmentStatus, BookAppointment
from shared.messages.events import Event
from shared.messages.fields import Modality, format_time
from shared.path.refusals import rejected
from shared.settings import Settings
from shared.topics import partition_of

CONNECTIONS: Final = 32
_COLUMNS: Final = tuple(column.name for column in appointments.columns)
_DECISION_COLUMNS: Final = tuple(column.name for column in decisions.columns)
_values_of: Final = attrgetter(*_COLUMNS)
_SELECT: Final = f"SELECT {', '.join(_COLUMNS)} FROM appointments"  # noqa: S608 - our own columns
_HELD: Final = (
    "status IN ('pending', 'confirmed', 'reschedule_proposed') "
    f"AND starts_at > $3::timestamptz - interval '{LONGEST_APPOINTMENT.total_seconds():g} seconds' AND starts_at < $4 AND ends_at > $3"
)


def _insert(table: str, columns: tuple[str, ...]) -> str:
    quoted = ", ".join(f'"{column}"' for column in columns)
    return f"INSERT INTO {table} ({quoted}) VALUES ({', '.join(f'${number + 1}' for number in range(len(columns)))})"  # noqa: S608


class RowLocks:
    """One connection that decides one request after the other."""

    def __init__(self, connection: "asyncpg.Connection[Any]", producer: Any, settings: Settings, events_topic: str) -> None:
        """Make it; ``prepare`` comes first."""
        self._connection = connection
        self._producer = producer
        self._events_topic = events_topic
        self._partitions = settings.topic_partitions
        self._rules = Rules(max_pending_per_patient=settings.max_pending_per_patient)
        self._statements: dict[str, Any] = {}

    async def prepare(self) -> None:
        """Prepare the statements."""
        for name, statement in {
            "lock_doctor": "SELECT doctor_id FROM doctors WHERE doctor_id = $1 FOR UPDATE",
            "lock_patient": "SELECT patient_id FROM patients WHERE patient_id = $1 FOR UPDATE",
            "in_the_way": f"{_SELECT} WHERE doctor_id = $1 AND {_HELD} UNION ALL {_SELECT} WHERE patient_id = $2 AND {_HELD} "
            f"UNION ALL {_SELECT} WHERE appointment_id = $5",
            "pending": "SELECT count(*) FROM appointments WHERE patient_id = $1 AND status = 'pending' AND expires_at >= $2",
            "insert_appointment": _insert("appointments", _COLUMNS),
            "insert_decision": _insert("decisions", _DECISION_COLUMNS),
        }.items():
            self._statements[name] = await self._connection.prepare(statement)

    async def work(self, requests: Iterator[Received]) -> None:
        """Decide requests until there are none left."""
        for received in requests:
            await self._decide(received)

    async def _decide(self, received: Received) -> None:
        command = received.content
        assert isinstance(command, BookAppointment)
        moment = Moment(received.log_time, received.time, received.id, entity_id_of(received, command))
        async with self._connection.transaction():
            await self._statements["lock_doctor"].fetchrow(command.doctor_id)
            await self._statements["lock_patient"].fetchrow(command.patient_id)
            known = await self._known(command, moment)
            decided_at = datetime.now(UTC)
            outcome, *_ = decide(known, command, moment, self._rules)
            if isinstance(outcome, Changed):
                await self._statements["insert_appointment"].fetchrow(*_values_of(outcome.appointment))
                event = changed(outcome)
            else:
                assert isinstance(outcome, Refused)
                event = _rejected(outcome, command, moment)
            message = encode_event(
                event, cause=received, index=0, service="booking", topic=self._events_topic, decided_at=format_time(decided_at)
            )
            record = received.record
            outcome_name = f"{event.type} {reason}" if (reason := event.body.get("reason")) else event.type
            await self._statements["insert_decision"].fetchrow(
                received.source, received.id, received.type, received.fingerprint,
                record.topic, record.partition, record.offset, outcome_name, pack([message]), decided_at,
            )  # fmt: skip
        assert message.key is not None
        await self._producer.send_and_wait(
            message.topic,
            key=message.key,
            value=message.value,
            headers=message.headers,
            partition=partition_of(message.key, self._partitions),
        )

    async def _known(self, command: BookAppointment, moment: Moment) -> Known:
        rows = await self._statements["in_the_way"].fetch(
            command.doctor_id, command.patient_id, command.starts_at, command.ends_at, moment.entity_id
        )
        held = [_appointment(row) for row in rows]
        return Known(
            next((appointment for appointment in held if appointment.appointment_id == moment.entity_id), None),
            [appointment for appointment in held if appointment.doctor_id == command.doctor_id],
            [appointment for appointment in held if appointment.patient_id == command.patient_id],
            await self._statements["pending"].fetchval(command.patient_id, moment.now),
        )


def _appointment(row: Any) -> Appointment:
    return Appointment(**{**row, "modality": Modality(row["modality"]), "status": AppointmentStatus(row["status"])})


def _rejected(outcome: Refused, command: BookAppointment, moment: Moment) -> Event:
    return rejected("booking", command, outcome.refusal, entity_id=moment.entity_id, time=moment.now, version=0)


async def _requests(settings: Settings, topic: str) -> list[Received]:
    """What lies in the commands topic, decoded, in the order in which it was published."""
    decoded = [decode(record, BOOKING_COMMANDS) for record in await read_records(settings, topic)]
    received = [request for request in decoded if isinstance(request, Received)]
    assert len(received) == len(decoded)
    return sorted(received, key=lambda request: request.id)


async def _parties(connection: "asyncpg.Connection[Any]", requests: list[Received]) -> None:
    """The tables whose rows are locked."""
    books = [request.content for request in requests if isinstance(request.content, BookAppointment)]
    for table, column, ids in (
        ("doctors", "doctor_id", {book.doctor_id for book in books}),
        ("patients", "patient_id", {book.patient_id for book in books}),
    ):
        await connection.execute(f"CREATE TABLE {table} ({column} text PRIMARY KEY)")
        await connection.copy_records_to_table(table, records=[(identifier,) for identifier in ids], schema_name="booking")


async def main(configuration: dict[str, Any]) -> None:
    """Decide all, and print when the clock started."""
    settings = Settings()
    requests = await _requests(settings, configuration["commands_topic"])
    server_settings = {"search_path": "booking", "enable_seqscan": "off", "jit": "off", "timezone": "UTC"}
    url = settings.database_url.get_secret_value()
    connections = [await asyncpg.connect(url, server_settings=server_settings) for _ in range(CONNECTIONS)]
    await _parties(connections[0], requests)
    producer = AIOKafkaProducer(
        bootstrap_servers=settings.kafka_bootstrap_servers, enable_idempotence=True, acks="all", linger_ms=configuration["linger_ms"]
    )
    await producer.start()
    workers = [RowLocks(connection, producer, settings, configuration["events_topic"]) for connection in connections]
    for worker in workers:
        await worker.prepare()
    warm_up = iter(requests[: configuration["warm_up"]])
    await asyncio.gather(*(worker.work(warm_up) for worker in workers))
    # Otherwise its plans would be those for empty tables.
    await connections[0].execute("ANALYZE appointments, decisions, doctors, patients")
    gc.collect()
    gc.freeze()
    started_at_seconds = time.time()
    remaining = iter(requests[configuration["warm_up"] :])
    await asyncio.gather(*(worker.work(remaining) for worker in workers))
    await producer.stop()
    for connection in connections:
        await connection.close()
    sys.stdout.write(json.dumps({"started_at_seconds": started_at_seconds, "ended_at_seconds": time.time()}) + "\n")


if __name__ == "__main__":
    uvloop.run(main(json.loads(sys.argv[1])))
