"""Commands to notify as the contract words them, made without any of the project's own models."""

from typing import Any

from tests.system.harness.commands import Message, command


def send(
    notification_id: str,
    recipient: str,
    *,
    template: str = "appointment_confirmed",
    priority: str = "normal",
    entity_id: str = "apt-1",
    params: dict[str, Any] | None = None,
    identifier: str | None = None,
) -> Message:
    """Tell somebody something."""
    data = {
        "notification_id": notification_id,
        "recipient_id": recipient,
        "template": template,
        "params": {"appointment_id": entity_id, "starts_at": "2030-01-08T14:00:00Z"} if params is None else params,
        "priority": priority,
        "about": {"entity": "appointment", "entity_id": entity_id},
    }
    return command("notify.notification.send.v1", data, identifier=identifier or notification_id, key="recipient_id")


def set_preferences(recipient: str, identifier: str, **more: Any) -> Message:
    """How somebody wants to be told."""
    channels = {"email": True, "push": True, "sms": True, "chat": True, "in_app": True} | more.pop("channels", {})
    data = {"recipient_id": recipient, "channels": channels, "actor": {"role": "patient", "id": recipient}, **more}
    return command("notify.preferences.set.v1", data, identifier=identifier, key="recipient_id")


def mark_read(notification_id: str, recipient: str, identifier: str) -> Message:
    """It is read."""
    data = {"notification_id": notification_id, "recipient_id": recipient, "actor": {"role": "patient", "id": recipient}}
    return command("notify.notification.mark_read.v1", data, identifier=identifier, key="recipient_id")
