"""What notify shows at the command line."""

from typing import Final

from services.notify.commands.inbox import app as inbox
from services.notify.commands.recipients import app as recipients
from services.notify.store import recipients as store
from shared.console import Application, ServiceConsole, Shown
from shared.database import Connection


async def show_notification(connection: Connection, notification_id: str) -> Shown | None:
    """A notification, and what has become of it on each channel."""
    found = await store.notification(connection, notification_id)
    if found is None:
        return None
    fields, deliveries = found
    return Shown(fields=fields, lists={"deliveries": deliveries})


CONSOLE: Final = ServiceConsole(
    service="notify",
    shows={"notification": show_notification},
    applications={
        "recipients": Application(summary="Say where people are to be reached, and how they want to be told.", app=recipients),
        "inbox": Application(summary="Show what a recipient sees in the application.", app=inbox),
    },
)
