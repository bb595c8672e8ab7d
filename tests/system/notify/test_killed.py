"""Workers of notify are killed: after a mail was taken on and before that is noted, and wherever else."""

import random
from collections import Counter

from tests.mail_server import MailServer
from tests.system.harness.notify_commands import send
from tests.system.harness.waiting import SOAK, until
from tests.system.notify.conftest import Notify

RECIPIENTS = 40 * SOAK
KILLS = 2 * SOAK
#: So many each of the recipients is told.
EACH = 3
#: Others take over soon from a worker that is dead: its partitions, and its attempts.
QUICK = ("session_timeout=3", "noting=2")


def recipients(number: int = RECIPIENTS) -> list[str]:
    return [f"patient-{one}" for one in range(number)]


async def test_a_kill_between_sending_and_noting_leads_to_a_second_mail_with_the_same_id_and_never_to_silence(
    notify: Notify, mail: MailServer
) -> None:
    await notify.import_addresses(*recipients())
    worker = notify.mesh.consumer(*QUICK, "kill_after_send=20", CAREMESH_NOTIFY_CONCURRENCY="4")
    async with notify.mesh.python_producer() as producer:
        await producer.publish([send(f"ntf-{one}", one) for one in recipients()])
    await worker.ended()
    before = len(mail.received)
    notify.mesh.consumer(*QUICK)
    await notify.until_ended(RECIPIENTS)
    assert await notify.ends("email") == {f"ntf-{one}": ("sent", None) for one in recipients()}

    copies = Counter(mail.message_ids)
    assert len(copies) == RECIPIENTS, "nobody is left untold"
    twice = [message_id for message_id, count in copies.items() if count > 1]
    assert 1 <= len(twice) <= 4, "what was under way in the killed worker, and nothing else"
    assert all(mail.message_ids.index(message_id) < before for message_id in twice)
    events = await notify.events()
    assert events.differing() == []
    assert await notify.mesh.query("SELECT 1 FROM deliveries WHERE due_at IS NOT NULL") == []
    await notify.is_clean()


async def test_workers_that_are_killed_at_random_leave_nobody_untold_and_every_inbox_right(notify: Notify, mail: MailServer) -> None:
    await notify.import_addresses(*recipients())
    chance = random.Random(7)
    workers = [notify.mesh.consumer(*QUICK) for _ in range(2)]
    wishes = [send(f"ntf-{one}-{number}", one) for one in recipients() for number in range(EACH)]
    async with notify.mesh.python_producer() as producer:
        for kill in range(KILLS):
            await producer.publish(wishes[kill::KILLS])
            # Copies, as producers make them that are not sure.
            await producer.publish(chance.sample(wishes[kill::KILLS], 20))
            seen = len(mail.received)
            await until(lambda seen=seen: len(mail.received) > seen + 10, "mails go out")  # type: ignore[misc]
            await workers[kill % 2].kill()
            workers[kill % 2] = notify.mesh.consumer(*QUICK)
    await notify.until_ended(len(wishes), seconds=120)
    told = {message.key: None for message in wishes}
    assert len(told) == RECIPIENTS
    assert set((await notify.ends("email")).values()) == {("sent", None)}
    assert len(set(mail.message_ids)) == len(wishes)
    inboxes = dict(await notify.mesh.query("SELECT recipient_id, count(*) FROM notifications WHERE inbox_at IS NOT NULL GROUP BY 1"))
    assert inboxes == dict.fromkeys(recipients(), EACH), "each is in the inbox once"
    assert set((await notify.ends("in_app")).values()) == {("sent", None)}
    assert (await notify.events()).differing() == []
    await notify.is_clean()
