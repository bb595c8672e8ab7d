"""Notify on a mesh of its own, and a mail server that is the test's."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from tests.mail_server import MailServer, mail_server
from tests.system.harness.mesh import Mesh
from tests.system.harness.reading import Events
from tests.system.harness.waiting import until


@pytest.fixture
async def mail() -> AsyncIterator[MailServer]:
    """A real mail server."""
    async with mail_server() as server:
        yield server


@dataclass(frozen=True)
class Notify:
    """Notify, and what a test asks of it."""

    mesh: Mesh

    async def import_addresses(self, *recipients: str, with_email: int | None = None) -> None:
        """Through the command line, as an operator does it: everybody's number, and an e-mail address of all or of the first ones."""
        emails = {one: f"{one}@example.org" for one in recipients[:with_email]}
        file = self.mesh.settings.home / "recipients.csv"
        file.write_text("recipient_id,email,sms\n" + "".join(f"{one},{emails.get(one, '')},+265991234567\n" for one in recipients))
        await self.mesh.caremesh("recipients", "import", str(file))

    async def ends(self, channel: str) -> dict[str, tuple[str, str | None]]:
        """What has become of which notification on a channel; fail when it is told two things of one."""
        found: dict[str, tuple[str, str | None]] = {}
        for event in (await self.mesh.read_events()).values:
            if event.get("channel") == channel and not event["type"].endswith(".read.v1"):
                assert event["notification_id"] not in found, event
                found[event["notification_id"]] = (event["type"].split(".")[2], event["reason"])
        return found

    async def until_ended(self, number: int, channel: str = "email", seconds: float = 60) -> float:
        """Return when so many deliveries have ended."""

        async def are_recorded() -> bool:
            query = "SELECT count(*) FROM deliveries WHERE channel = $1 AND status <> 'waiting'"
            [(count,)] = await self.mesh.query(query, channel)
            return int(count) >= number

        async def are_published() -> bool:
            return len(await self.ends(channel)) >= number

        try:
            # The first is cheap to ask.
            waited = await until(are_recorded, f"{number} deliveries by {channel} have ended", seconds=seconds, step=0.2)
            return waited + await until(are_published, "that is published", step=0.2)
        except AssertionError as error:
            message = f"{error}\n{self.mesh.crew.logs()}"
            raise AssertionError(message) from None

    async def events(self) -> Events:
        """What it has published."""
        return await self.mesh.read_events()

    async def is_clean(self) -> None:
        """Fail unless the auditor finds nothing, once all requests are decided."""
        await self.mesh.decided()
        await self.mesh.is_clean()


@pytest.fixture
def notify(mesh: Mesh, mail: MailServer) -> Notify:
    """Notify alone, with e-mail; nothing runs yet."""
    mesh.environment.update(CAREMESH_NOTIFY_EMAIL_URL=mail.url, CAREMESH_NOTIFY_ATTEMPT_TIMEOUT_SECONDS="2")
    return Notify(mesh.of("notify"))
