"""Activity at rate: every record counts on its side, whatever else happens at that moment, and none after the end."""

import asyncio
from collections import Counter

from tests.system.harness.calls_commands import DOCTOR, PATIENT, activity, text_end, text_start
from tests.system.harness.mesh import Mesh

SESSIONS = 200
RECORDS = 20_000
PRODUCERS = 4
#: Of a producer, at a time.
CHUNK = 500


async def test_every_record_of_many_producers_counts_on_its_side_and_none_after_the_end(calls: Mesh) -> None:
    calls.environment.update(CAREMESH_TEXT_RESPONSE_TIMEOUT_SECONDS="300", CAREMESH_TEXT_INACTIVITY_TIMEOUT_SECONDS="300")
    calls.consumer()
    calls.consumer()
    pairs = [(f"session-{number}", f"doctor-{number}", f"patient-{number}") for number in range(SESSIONS)]
    async with (
        calls.python_producer() as one,
        calls.native_producer() as two,
        calls.python_producer() as three,
        calls.native_producer() as four,
    ):
        await one.publish([text_start(*pair, f"start-{pair[0]}") for pair in pairs])
        await one.publish([activity(*pair, f"answer-{pair[0]}") for pair in pairs])

        async def write(number: int) -> None:
            """A quarter of the records: this producer writes for one side, and in the end half of the producers end some sessions."""
            producer = (one, two, three, four)[number]
            side = DOCTOR if number % 2 else PATIENT
            for begin in range(0, RECORDS // PRODUCERS, CHUNK):
                turns = range(begin, begin + CHUNK)
                await producer.publish([activity(*pairs[turn % SESSIONS], f"{number}-{turn}", by=side) for turn in turns])
            if number == 0:
                await producer.publish([text_end(*pair, f"end-{pair[0]}") for pair in pairs[: SESSIONS // 2]])
                await producer.publish([activity(*pair, f"late-{pair[0]}", by=PATIENT) for pair in pairs])

        await asyncio.gather(*(write(number) for number in range(PRODUCERS)))
        await calls.decided()
        await calls.is_clean()
    places = {record.header("ce_id"): (record.partition, record.offset) for record in await calls.read("calls.commands.v1")}
    events = await calls.read_events()
    outcomes = events.outcomes()
    counted: Counter[tuple[str, str]] = Counter()
    for identifier, outcome in outcomes.items():
        if not outcome["decision"]["command"]["type"].endswith("record_activity.v1"):
            continue
        session_id = outcome["session_id"]
        end = places.get(f"end-{session_id}")
        if end is not None and places[identifier] > end:
            assert (outcome["type"], outcome["reason"]) == ("calls.text_session.rejected.v1", "session_not_active")
        else:
            assert outcome["type"] == "calls.text_session.activity_recorded.v1"
            is_doctors = identifier.startswith("answer") or identifier[:2] in {"1-", "3-"}
            counted[session_id, "doctor" if is_doctors else "patient"] += 1
    assert len([identifier for identifier in outcomes if "-" in identifier and identifier[0].isdigit()]) == RECORDS
    rows = await calls.query("SELECT session_id, patient_activity_count, doctor_activity_count, version, status FROM sessions")
    for session_id, by_patient, by_doctor, version, status in rows:
        assert (by_patient, by_doctor) == (counted[session_id, "patient"], counted[session_id, "doctor"])
        assert version == 2 + by_patient + by_doctor + (status == "ended")
