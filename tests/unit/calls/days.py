"""Random days of a few doctors and patients: commands in log order, as hypothesis makes them up."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from random import Random
from typing import Any, Final

from hypothesis import strategies as st

from services.calls.domain.appointment import Appointment
from services.calls.domain.session import Rules, Session
from services.calls.working_set import Sessions
from shared.codec.decode import Received
from shared.messages.calls import CallsCommand
from shared.messages.events import Event, Request
from shared.messages.fields import Actor, Role
from tests.calls_examples import (
    example_activity,
    example_cancel_call,
    example_connect,
    example_decline_call,
    example_disconnect,
    example_end,
    example_reconnect,
    example_start,
    example_text_end,
    example_text_start,
    example_text_time_out,
    example_time_out,
    seconds,
)
from tests.examples import NOW, received

#: Short limits, so that a day sees them pass.
DAY_RULES: Final = Rules(
    connect_timeout=seconds(9), reconnect_timeout=seconds(6), response_timeout=seconds(12), inactivity_timeout=seconds(15)
)
#: Each id belongs to one pair; two doctors share three patients.
CALLS: Final = {f"call-{n}": pair for n, pair in enumerate([("d1", "p1"), ("d1", "p2"), ("d2", "p1")] * 4)}
TEXTS: Final = {f"text-{n}": pair for n, pair in enumerate([("d1", "p3"), ("d1", "p2"), ("d2", "p2")] * 4)}
Example = Callable[..., CallsCommand]
#: What can be said about a call, the likelier the oftener it stands here.
_ON_CALL: Final[Sequence[Example]] = (
    example_start,
    *[example_connect] * 4,
    example_decline_call,
    example_cancel_call,
    *[example_disconnect] * 2,
    *[example_reconnect] * 2,
    example_end,
    *[example_time_out] * 2,
)
_IN_TEXT: Final[Sequence[Example]] = (
    example_text_start,
    *[example_activity] * 5,
    example_text_end,
    example_text_time_out,
)
_STARTS: Final[Sequence[Example]] = (example_start, example_text_start)
_FROM_SWEEPS: Final[Sequence[Example]] = (example_time_out, example_text_time_out)


_PAUSES_SECONDS: Final = (*[0] * 8, *[0.001] * 4, *[1] * 12, 3, 6, 6.001, 9.001, 15.001)


def _day(chance: Random) -> list[Received]:
    """Lists that hypothesis draws element by element are too short to get anywhere."""
    at, started = NOW, list[str]()
    day = []
    for number in range(chance.randint(1, 60)):
        at += timedelta(seconds=chance.choice(_PAUSES_SECONDS))
        command = _command(chance, started)
        started.append(command.entity_id or "")
        day.append(received(command, identifier=f"command-{number}", at=at, offset=number))
    return day


def _command(chance: Random, started: list[str]) -> CallsCommand:
    session_id = chance.choice(started[-3:] if started and chance.random() < 0.7 else [*CALLS, *TEXTS])
    on_call = session_id in CALLS
    doctor_id, patient_id = (CALLS if on_call else TEXTS)[session_id]
    example = chance.choice(_ON_CALL if on_call else _IN_TEXT)
    if session_id not in started and chance.random() < 0.9:
        example = _STARTS[0 if on_call else 1]
    fields: dict[str, Any] = {"call_id" if on_call else "session_id": session_id, "doctor_id": doctor_id}
    if example not in _FROM_SWEEPS:
        parties = [Actor(role=Role.DOCTOR, id=doctor_id), Actor(role=Role.PATIENT, id=patient_id)]
        fields["actor"] = chance.choice([*parties * 5, Actor(role=Role.SYSTEM, id="s"), Actor(role=Role.PATIENT, id="p9")])
    if example in _STARTS:
        fields["patient_id"] = patient_id
    return example(**fields)


days = st.integers(0, 2**64 - 1).map(lambda seed: _day(Random(seed)))
#: The lengths of the batches that a day is cut into.
cuts = st.lists(st.integers(1, 7), min_size=1, max_size=10)


class Shelf:
    """A store in memory: what the tables hold."""

    def __init__(self, rules: Rules = DAY_RULES) -> None:
        self.rules = rules
        self.rows: dict[str, Session] = {}
        self.appointments: dict[str, Appointment] = {}

    def decide(self, batch: Sequence[Received]) -> list[list[Event]]:
        """Decide a batch in one working set, and keep what it changed."""
        working_set = Sessions(self.rules, self.rows.values(), ())
        consequences = [working_set.decide(command) for command in batch]
        self.rows |= {row.session_id: row for row in (*working_set.started, *working_set.changed)}
        assert not any(isinstance(consequence, Request) for decided in consequences for consequence in decided)
        return [[event for event in decided if isinstance(event, Event)] for decided in consequences]
