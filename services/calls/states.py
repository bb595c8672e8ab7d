"""What calls publishes of its entities as they stand."""

from collections.abc import Collection, Sequence
from typing import Final

from services.calls import store
from services.calls.wire import standing
from shared.database import Connection
from shared.messages.calls import CALLS_STATES, CallEvent, SessionState, TextSessionEvent
from shared.messages.fields import EventData, type_of
from shared.state_topic import State, StateTopic

[_SESSIONS] = CALLS_STATES


def changed_session(event: EventData) -> str | None:
    """The call or text session that an event has changed."""
    if isinstance(event, CallEvent):
        return event.call_id
    return event.session_id if isinstance(event, TextSessionEvent) else None


async def read_sessions(connection: Connection, session_ids: Collection[str]) -> Sequence[State]:
    """The calls and text sessions as they stand at this moment."""
    return [standing(session) for session in await store.sessions_standing(connection, session_ids)]


STATES: Final = (StateTopic(name=_SESSIONS, type=type_of(SessionState), entity_of=changed_session, read=read_sessions),)
