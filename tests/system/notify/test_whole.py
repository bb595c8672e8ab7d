"""Booking and notify together: what happens to an appointment is told by real SMTP and in the inbox, once; what is untrue is not."""

import json
from collections import Counter

from tests.mail_server import MailServer
from tests.system.harness.commands import book, call_off, cancel, confirm, slot
from tests.system.harness.waiting import until
from tests.system.notify.conftest import Notify

APPOINTMENTS = 60


async def test_what_happens_to_an_appointment_is_told_once(notify: Notify, mail: MailServer) -> None:
    booking = notify.mesh.of("booking")
    await notify.import_addresses("doctor", "patient")
    booking.consumer(), booking.processor(), notify.mesh.consumer()
    async with booking.python_producer() as producer:
        await producer.publish([book("doctor", "patient", slot(0), "wish", "apt-1")])
        await until(lambda: len(mail.received) == 2, "the request is told")
        await producer.publish([confirm("apt-1", "doctor", "yes")])
        await until(lambda: len(mail.received) == 3, "the answer is told")
        await producer.publish([call_off("apt-1", "doctor", "no")])
        await until(lambda: len(mail.received) == 4, "the end is told")
    await notify.until_ended(4)
    told = Counter((message["To"], message["Subject"].split(" on ")[0].split(" for ")[0]) for message in mail.received)
    assert told == {
        ("doctor@example.org", "New appointment request"): 1,
        ("patient@example.org", "We have your appointment request"): 1,
        ("patient@example.org", "Your appointment"): 1,
        ("patient@example.org", "Cancelled: the appointment"): 1,
    }
    inbox = json.loads(await notify.mesh.caremesh("inbox", "patient", "--json"))
    assert [entry["template"] for entry in inbox["entries"]] == ["appointment_cancelled", "appointment_confirmed", "appointment_booked"]
    assert inbox["unread"] == 3
    read = json.loads(await notify.mesh.caremesh("inbox", "patient", "--read-all", "--json"))
    assert read["unread"] == 0
    assert len(await notify.ends("in_app")) == 4
    assert len((await notify.events()).of_type("read")) == 3
    await notify.is_clean()


async def test_what_became_untrue_while_notify_was_down_is_not_told(notify: Notify, mail: MailServer) -> None:
    booking = notify.mesh.of("booking")
    await notify.import_addresses("doctor", "patient")
    booking.consumer(), booking.processor()
    async with booking.python_producer() as producer:
        wishes = [book("doctor", "patient", slot(number), f"wish-{number}", f"apt-{number}") for number in range(APPOINTMENTS)]
        await producer.publish(wishes)
        await producer.publish([confirm(f"apt-{number}", "doctor", f"yes-{number}") for number in range(APPOINTMENTS)])
        await producer.publish([cancel(f"apt-{number}", "doctor", f"no-{number}", patient="patient") for number in range(APPOINTMENTS)])
    await booking.decided()
    await booking.noticed()
    # It hears in many batches what it would take in one.
    notify.mesh.consumer(CAREMESH_BATCH_MAX_RECORDS="20")
    await notify.mesh.decided()

    async def is_all_told() -> bool:
        return await notify.mesh.query("SELECT 1 FROM deliveries WHERE due_at IS NOT NULL") == []

    await until(is_all_told, "nothing waits any more", seconds=60, step=0.3)
    subjects = Counter(message["Subject"].partition(":")[0] for message in mail.received)
    assert subjects == {"Cancelled": APPOINTMENTS}
    suppressed = Counter(event["template"] for event in (await notify.events()).of_type("suppressed") if event["channel"] != "in_app")
    assert suppressed == dict.fromkeys(("appointment_requested", "appointment_booked", "appointment_confirmed"), APPOINTMENTS)
    await notify.is_clean()
