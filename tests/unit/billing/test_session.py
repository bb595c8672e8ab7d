"""How many units a session comes to: log times alone say."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from services.billing.domain.rules import Rules
from services.billing.domain.session import Session, SessionNews, session_of
from shared.messages.calls import CallEventType, TextSessionEventType
from shared.messages.fields import Modality, Role
from tests.examples import MILLISECOND, NOW, minutes
from tests.examples_of_billing import RULES, call_news, example_session, seconds, text_news

CALLS = (Modality.VOICE, Modality.VIDEO)


@pytest.mark.parametrize("modality", CALLS)
@pytest.mark.parametrize(
    "connected_seconds, hung_up, by_system",
    [
        (0, 0, 0),
        (59, 0, 0),
        (59.999, 0, 0),
        (60, 1, 0),
        (61, 1, 0),
        (599, 1, 0),
        (599.999, 1, 0),
        (600, 2, 1),
        (601, 2, 1),
        (1199.999, 2, 1),
        (1200, 3, 2),
        (6000, 11, 10),
    ],
)
def test_a_call_costs_its_periods_and_the_one_begun_if_somebody_hangs_up(
    modality: Modality, connected_seconds: float, hung_up: int, by_system: int
) -> None:
    call = example_session(modality=modality, over_at=NOW + seconds(connected_seconds))
    assert call.units_due(NOW, RULES) == hung_up
    assert replace(call, ended_by_system=True).units_due(NOW, RULES) == by_system


@pytest.mark.parametrize(
    "active_seconds, ended, by_system",
    [(0, 1, 1), (59, 1, 1), (60, 1, 1), (599.999, 1, 1), (600, 2, 1), (601, 2, 1), (1199.999, 2, 1), (1200, 3, 2)],
)
def test_a_text_session_that_was_active_costs_its_periods_and_at_least_one_unit(active_seconds: float, ended: int, by_system: int) -> None:
    session = example_session(modality=Modality.TEXT, over_at=NOW + seconds(active_seconds))
    assert session.units_due(NOW, RULES) == ended
    assert replace(session, ended_by_system=True).units_due(NOW, RULES) == by_system


@pytest.mark.parametrize("modality", list(Modality))
@pytest.mark.parametrize("by_system", [True, False])
def test_what_never_connected_or_was_never_answered_costs_nothing(modality: Modality, *, by_system: bool) -> None:
    session = example_session(modality=modality, began_at=None, over_at=NOW + minutes(60), ended_by_system=by_system)
    assert session.units_due(NOW + minutes(60), RULES) == 0


@pytest.mark.parametrize("modality", list(Modality))
@pytest.mark.parametrize(
    "after, due",
    [
        (-seconds(1), 0),
        (timedelta(), 0),
        (minutes(10) - MILLISECOND, 0),
        (minutes(10), 1),
        (minutes(10) + MILLISECOND, 1),
        (minutes(20) - MILLISECOND, 1),
        (minutes(20), 2),
    ],
)
def test_while_a_session_lasts_a_unit_falls_due_after_each_whole_period(modality: Modality, after: timedelta, due: int) -> None:
    assert example_session(modality=modality).units_due(NOW + after, RULES) == due


def test_no_unit_falls_due_while_a_connection_is_lost() -> None:
    lost = example_session(paused_at=NOW + minutes(25))
    assert lost.units_due(NOW + minutes(24), RULES) == 2
    assert lost.units_due(NOW + minutes(45), RULES) == 2
    assert lost.due_at(2, RULES) == NOW + minutes(20)
    assert lost.due_at(3, RULES) is None
    back = replace(lost, paused_at=None)
    assert back.units_due(NOW + minutes(45), RULES) == 4
    assert back.due_at(3, RULES) == NOW + minutes(30)


def test_the_period_begun_is_due_when_the_session_is_over() -> None:
    call = example_session(over_at=NOW + minutes(14))
    assert [call.due_at(unit, RULES) for unit in (1, 2)] == [NOW + minutes(10), NOW + minutes(14)]


@pytest.mark.parametrize(
    "session, tick",
    [
        pytest.param(example_session(began_at=None), None, id="not connected yet"),
        pytest.param(example_session(), NOW + minutes(10), id="the first"),
        pytest.param(example_session(units_taken=3), NOW + minutes(40), id="the fourth"),
        pytest.param(example_session(paused_at=NOW + minutes(5)), None, id="the connection is lost before it"),
        pytest.param(example_session(paused_at=NOW + minutes(15)), NOW + minutes(10), id="missed, and then lost"),
        pytest.param(example_session(over_at=NOW + minutes(15)), None, id="over"),
        pytest.param(example_session(is_exhausted=True), None, id="no unit is left for it"),
    ],
)
def test_the_sweep_asks_for_the_next_unit_as_long_as_there_may_be_one(session: Session, tick: datetime | None) -> None:
    assert session.next_tick_at(RULES) == tick


def test_a_period_shorter_than_what_is_charged_at_least_is_charged_whole() -> None:
    rules = Rules(billing_period=seconds(0.4), call_minimum_billed=seconds(60))
    assert example_session(over_at=NOW + seconds(1)).units_due(NOW, rules) == 2


VOICE = example_session(heard_version=1, began_at=None)


@pytest.mark.parametrize(
    "news, told",
    [
        pytest.param(call_news(CallEventType.STARTED, 1), VOICE, id="it rings"),
        pytest.param(
            call_news(CallEventType.CONNECTED, 2, connected_at=NOW), replace(VOICE, heard_version=2, began_at=NOW), id="connected"
        ),
        pytest.param(
            call_news(CallEventType.RECONNECTING, 3, connected_at=NOW, disconnected_at=NOW + minutes(1)),
            replace(VOICE, heard_version=3, began_at=NOW, paused_at=NOW + minutes(1)),
            id="the connection is lost",
        ),
        pytest.param(
            call_news(CallEventType.RECONNECTED, 4, connected_at=NOW), replace(VOICE, heard_version=4, began_at=NOW), id="and is back"
        ),
        pytest.param(
            call_news(CallEventType.ENDED, 5, connected_at=NOW, ended_at=NOW + minutes(9), ended_by=Role.DOCTOR),
            replace(VOICE, heard_version=5, began_at=NOW, over_at=NOW + minutes(9)),
            id="the doctor hangs up",
        ),
        pytest.param(
            call_news(
                CallEventType.ENDED,
                5,
                connected_at=NOW,
                disconnected_at=NOW + minutes(9),
                ended_at=NOW + minutes(9),
                ended_by=Role.SYSTEM,
            ),
            replace(VOICE, heard_version=5, began_at=NOW, over_at=NOW + minutes(9), ended_by_system=True),
            id="the connection does not come back",
        ),
        pytest.param(
            call_news(CallEventType.FAILED, 2, ended_at=NOW + seconds(90), ended_by=Role.SYSTEM),
            replace(VOICE, heard_version=2, over_at=NOW + seconds(90), ended_by_system=True),
            id="it never connects",
        ),
        pytest.param(
            call_news(CallEventType.DECLINED, 2, ended_at=NOW + seconds(9), ended_by=Role.DOCTOR),
            replace(VOICE, heard_version=2, over_at=NOW + seconds(9)),
            id="declined",
        ),
        pytest.param(
            call_news(CallEventType.CANCELLED, 2, ended_at=NOW + seconds(9), ended_by=Role.PATIENT),
            replace(VOICE, heard_version=2, over_at=NOW + seconds(9)),
            id="cancelled",
        ),
        pytest.param(
            text_news(TextSessionEventType.STARTED, 1), replace(VOICE, modality=Modality.TEXT), id="a text session waits for its doctor"
        ),
        pytest.param(
            text_news(TextSessionEventType.ACTIVATED, 3, activated_at=NOW),
            replace(VOICE, modality=Modality.TEXT, heard_version=3, began_at=NOW),
            id="the doctor writes",
        ),
        pytest.param(
            text_news(TextSessionEventType.EXPIRED, 2, ended_at=NOW + minutes(5), ended_by=Role.SYSTEM),
            replace(VOICE, modality=Modality.TEXT, heard_version=2, over_at=NOW + minutes(5), ended_by_system=True),
            id="the doctor does not write",
        ),
        pytest.param(
            text_news(TextSessionEventType.ENDED, 9, activated_at=NOW, ended_at=NOW + minutes(30), ended_by=Role.SYSTEM),
            replace(VOICE, modality=Modality.TEXT, heard_version=9, began_at=NOW, over_at=NOW + minutes(30), ended_by_system=True),
            id="both fall silent",
        ),
    ],
)
def test_what_calls_tell_is_understood(news: SessionNews, told: Session) -> None:
    assert session_of(news, None) == told
    before = replace(told, heard_version=0, units_taken=7, is_exhausted=True)
    assert (session_of(news, before).units_taken, session_of(news, before).is_exhausted) == (7, True)
