"""Booking and calls together: both know the appointment, each decides its own part of it."""

from tests.system.harness.calls_commands import DOCTOR, activity, on_call, start, text_start
from tests.system.harness.commands import Message, book_data, command, confirm, in_seconds
from tests.system.harness.mesh import Mesh
from tests.system.harness.reading import ending
from tests.system.harness.waiting import until

PAIR = ("doctor-1", "patient-1")


def wish(appointment_id: str, doctor: str, patient: str, starts_at: str, *, modality: str = "video") -> Message:
    data = book_data(doctor, patient, starts_at, appointment_id=appointment_id) | {"modality": modality}
    return command("booking.appointment.book.v1", data, identifier=f"book-{appointment_id}")


async def test_a_start_right_after_the_confirm_is_accepted_and_the_end_completes_the_appointment(mesh: Mesh, calls: Mesh) -> None:
    mesh.consumer()
    worker = calls.consumer()
    await calls.assigned(1)
    async with mesh.python_producer() as to_booking, calls.python_producer() as to_calls:
        worker.stop()
        await to_booking.publish([wish("apt-1", *PAIR, in_seconds(300)), confirm("apt-1", "doctor-1", "confirm-1")])
        await mesh.decided()
        # Calls has read neither; and what it reads first may be the start.
        await to_calls.publish(
            [
                start("call-1", *PAIR, "start-1", appointment_id="apt-1"),
                on_call("connect", "call-1", *PAIR, "connect-1"),
                on_call("end", "call-1", *PAIR, "end-1"),
                start("call-2", *PAIR, "start-2", appointment_id="apt-unknown"),
                start("call-3", "doctor-2", "patient-2", "start-3", appointment_id="apt-1"),
            ]
        )
        worker.go_on()
        await calls.decided()
        events = await calls.read_events()
        assert {identifier: ending(outcome) for identifier, outcome in events.outcomes().items()} == {
            "start-1": "started",
            "connect-1": "connected",
            "end-1": "ended",
            "start-2": "404 appointment_not_found",
            "start-3": "404 appointment_not_found",
        }
        await mesh.decided()
        (completed,) = (await mesh.read_events()).of_type("completed")
        assert (completed["appointment_id"], completed["status"]) == ("apt-1", "completed")
        assert completed["decision"]["command"]["source"] == "/caremesh/calls"

        # It is over now: calls hears of that, too.
        async def calls_has_heard() -> bool:
            return await calls.query("SELECT status FROM appointments") == [("completed",)]

        await until(calls_has_heard, "calls hears that it is completed")
        await to_calls.publish([start("call-4", *PAIR, "start-4", appointment_id="apt-1")])
        await calls.decided()
        await calls.is_clean()
        assert ending((await calls.read_events()).outcome("start-4")) == "409 appointment_not_confirmed"


async def test_who_does_not_come_is_absent(mesh: Mesh, calls: Mesh) -> None:
    mesh.environment.update(CAREMESH_NO_SHOW_AFTER_SECONDS="2", CAREMESH_CALL_CONNECT_TIMEOUT_SECONDS="1")
    mesh.consumer()
    calls.consumer()
    calls.processor()
    await mesh.assigned(1)
    await calls.assigned(1)
    await calls.assigned(1, group=f"{calls.group}-processor")
    kinds = ("nobody", "no-patient", "no-doctor", "both-in-vain", "met", "met-in-text")
    pairs = {kind: (f"doctor-{kind}", f"patient-{kind}") for kind in kinds}
    async with mesh.python_producer() as to_booking, calls.python_producer() as to_calls:
        starts_at = in_seconds(6)
        await to_booking.publish(
            [wish(kind, *pair, starts_at, modality="text" if kind == "met-in-text" else "video") for kind, pair in pairs.items()]
        )
        await to_booking.publish([confirm(kind, pair[0], f"confirm-{kind}") for kind, pair in pairs.items()])
        await mesh.decided()
        await to_calls.publish(
            [
                start("a", *pairs["no-patient"], "start-a", by=DOCTOR, appointment_id="no-patient"),
                start("b", *pairs["no-doctor"], "start-b", appointment_id="no-doctor"),
                start("c", *pairs["both-in-vain"], "start-c", appointment_id="both-in-vain"),
                start("d", *pairs["met"], "start-d", appointment_id="met"),
                on_call("connect", "d", *pairs["met"], "connect-d"),
                text_start("e", *pairs["met-in-text"], "start-e", appointment_id="met-in-text"),
                activity("e", *pairs["met-in-text"], "answer-e"),
            ]
        )

        async def the_first_try_has_failed() -> bool:
            return await calls.query("SELECT status FROM sessions WHERE session_id = 'c'") == [("failed",)]

        await until(the_first_try_has_failed, "the doctor does not answer")
        await to_calls.publish([start("c-too", *pairs["both-in-vain"], "start-c-too", by=DOCTOR, appointment_id="both-in-vain")])
        await calls.decided()
        outcomes = (await calls.read_events()).outcomes()
        asked = ("start-a", "start-b", "start-c", "start-d", "connect-d", "start-e", "answer-e", "start-c-too")
        assert [ending(outcomes[identifier]) for identifier in asked] == [
            *["started"] * 4,
            "connected",
            "started",
            "activity_recorded",
            "started",
        ]

        async def three_are_missed() -> bool:
            return len((await mesh.read_events()).of_type("no_show")) == 3

        await until(three_are_missed, "three appointments are missed", step=0.3)
        # One more look of the sweep, and nothing else is found.
        await until(lambda: has_looked_again(calls), "the sweep looks again", step=0.3)
        await mesh.decided()
    await calls.decided()
    await calls.is_clean()
    missed = {event["appointment_id"]: event["absent"] for event in (await mesh.read_events()).of_type("no_show")}
    assert missed == {"nobody": "both", "no-patient": "patient", "no-doctor": "doctor"}


async def has_looked_again(calls: Mesh) -> bool:
    """Whether the sweep noted a look after the last one that found something."""
    return bool(await calls.query("SELECT 1 FROM sweep_runs WHERE sweep = 'appointments-no-show' AND ran_at > published_at"))
