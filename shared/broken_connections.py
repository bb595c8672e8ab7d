"""Lets aiokafka notice on uvloop that a connection is gone.

Whoever writes to a connection in the moment in which its other side was killed gets an OSError of asyncio, which aiokafka understands,
and a RuntimeError of uvloop, which ends the task of aiokafka that wrote. Where that is the one which keeps the metadata, the consumer
looks for its group's coordinator for ever: it still fetches and decides, but commits nothing and is no member of its group any more.
"""

from collections.abc import Callable
from functools import cache, wraps
from typing import Any, Final

from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaConnectionError

#: All methods of a connection that write.
_WRITING: Final = ("send", "_send_sasl_token")


def _noticing(send: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(send)
    def noticed(connection: AIOKafkaConnection, *request: Any, **options: Any) -> Any:
        try:
            return send(connection, *request, **options)
        except RuntimeError as error:
            connection.close(reason=CloseReason.CONNECTION_BROKEN)
            message = f"Connection at {connection.host}:{connection.port} broken: {error}"
            raise KafkaConnectionError(message) from error

    return noticed


@cache
def install() -> None:
    """Let every connection of this process notice it; again changes nothing."""
    for name in _WRITING:
        setattr(AIOKafkaConnection, name, _noticing(getattr(AIOKafkaConnection, name)))
