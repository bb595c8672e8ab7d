"""A batch's accounts and sessions: what one message changes, the next one sees."""

from services.billing.app import HEARD, locks_of, log_line, may_be_unheard, named_deduction
from services.billing.domain.session import SessionNews
from services.billing.working_set import Accounts
from shared.codec.decode import Received, decode
from shared.codec.events import decode_event
from shared.messages.billing import BILLING_COMMANDS
from shared.messages.calls import CallEventType
from shared.messages.events import Event, Request
from shared.messages.fields import Command, Role
from shared.path.service import Locks, Parties
from tests.examples import NOW, minutes
from tests.examples_of_billing import (
    PERIOD,
    RULES,
    call_news,
    command_record,
    example_activation,
    example_cancellation,
    example_deduct,
    example_reversal,
    news_record,
)


def received(command: Command, *, number: int = 1, after: float = 0) -> Received:
    decoded = decode(command_record(command, identifier=f"command-{number}", at=NOW + minutes(after), offset=number), BILLING_COMMANDS)
    assert isinstance(decoded, Received)
    return decoded


def heard(news: SessionNews) -> Received:
    decoded = decode_event(news_record(news), HEARD)
    assert isinstance(decoded, Received)
    return decoded


def words_of(messages: list[Event | Request]) -> list[str]:
    return [
        str(message.body.get("reason") or message.type.split(".")[2]) if isinstance(message, Event) else message.command.type
        for message in messages
    ]


def test_a_whole_session_in_one_batch() -> None:
    state = Accounts(RULES, patients=["patient-1"])
    ended = call_news(CallEventType.ENDED, 3, connected_at=NOW, ended_at=NOW + PERIOD, ended_by=Role.PATIENT)
    said = [
        state.decide(received(example_activation(units={"voice": 3}), number=1)),
        state.decide(heard(call_news(CallEventType.CONNECTED, 2, connected_at=NOW))),
        state.decide(received(example_deduct(), number=2, after=10)),
        state.decide(received(example_deduct(), number=3, after=10)),
        state.decide(heard(ended)),
        state.decide(received(example_deduct(unit=2), number=4, after=10)),
        state.decide(received(example_reversal(), number=5, after=11)),
        state.decide(received(example_reversal(), number=6, after=11)),
        state.decide(received(example_cancellation(), number=7, after=12)),
    ]
    assert [words_of(messages) for messages in said] == [
        ["activated"],
        [],
        ["deducted", "low"],
        ["already_deducted"],
        ["deducted", "settled"],
        ["already_deducted"],
        ["reversed"],
        ["already_reversed"],
        ["cancelled"],
    ]
    assert [entry.after for entry in state.entries] == [3, 2, 1, 2, 0]
    assert [held.remaining for held in state.balances.new] == [0]
    assert [held.status for held in state.subscriptions.new] == ["cancelled"]
    assert [session.units_taken for session in state.sessions.new] == [2]
    assert (state.balances.changed, state.subscriptions.changed, state.sessions.changed) == ([], [], [])


def test_what_was_loaded_and_did_not_change_is_not_written() -> None:
    first = Accounts(RULES, patients=["patient-1"])
    first.decide(received(example_activation()))
    state = Accounts(RULES, patients=["patient-1"], subscriptions=first.subscriptions.new, balances=first.balances.new)
    assert words_of(state.decide(received(example_activation(), number=2))) == ["subscription_exists"]
    state.decide(heard(call_news(CallEventType.STARTED, 1)))
    assert (state.subscriptions.new, state.subscriptions.changed, state.balances.changed, state.entries) == ([], [], [], [])
    assert len(state.sessions.new) == 1
    state.decide(heard(call_news(CallEventType.CONNECTED, 2, connected_at=NOW)))
    assert words_of(state.decide(received(example_deduct(), number=3, after=10))) == ["deducted"]
    assert [balance.modality for balance in state.balances.changed] == ["voice"]


def test_a_session_without_units_is_ended_by_a_request_to_calls() -> None:
    state = Accounts(RULES, patients=["patient-1"])
    told, request = state.decide(heard(call_news(CallEventType.STARTED, 1)))
    assert isinstance(told, Event)
    assert isinstance(request, Request)
    assert (told.type, told.key, told.version) == ("billing.balance.exhausted.v1", "doctor-1", 0)
    assert request.command.model_dump() == {
        "doctor_id": "doctor-1",
        "call_id": "session-1",
        "actor": {"role": "system", "id": "billing"},
        "reason_code": "insufficient_balance",
    }


def test_of_a_session_that_is_over_already_nobody_is_asked_to_end_it() -> None:
    state = Accounts(RULES, patients=["patient-1"])
    ended = call_news(CallEventType.ENDED, 3, connected_at=NOW, ended_at=NOW + PERIOD, ended_by=Role.PATIENT)
    assert words_of(state.decide(heard(ended))) == ["exhausted", "settled"]


def test_a_grant_of_several_modalities_tells_of_each_balance() -> None:
    [activated, voice, video] = Accounts(RULES, patients=["patient-1"]).decide(received(example_activation()))
    assert isinstance(activated, Event)
    assert isinstance(voice, Event)
    assert isinstance(video, Event)
    balances = [event.body["balance"] for event in (activated, voice, video)]
    assert [(balance["modality"], balance["sequence"], balance["after"]) for balance in balances] == [  # type: ignore[index]
        ("text", 1, 10),
        ("voice", 1, 10),
        ("video", 1, 10),
    ]


def test_a_subscription_without_an_id_gets_one_that_follows_from_the_command() -> None:
    [activated, *_] = Accounts(RULES, patients=["patient-1"]).decide(received(example_activation(subscription_id=None)))
    [again, *_] = Accounts(RULES, patients=["patient-1"]).decide(received(example_activation(subscription_id=None)))
    assert isinstance(activated, Event)
    assert isinstance(again, Event)
    assert activated.subject == again.subject == activated.body["subscription_id"]
    assert str(activated.subject).startswith("sub_")


def test_what_a_message_must_hold() -> None:
    patient = Locks(ordered=(), shared=("patient:patient-1",))
    assert locks_of(received(example_deduct()), {}) == patient
    assert locks_of(heard(call_news(CallEventType.STARTED, 1)), {}) == patient
    assert locks_of(received(example_cancellation()), {}) == patient
    assert locks_of(received(example_activation()), {}) == Locks(ordered=("subscription:sub-1",), shared=("patient:patient-1",))
    assert locks_of(received(example_activation(subscription_id=None)), {}) == patient
    assert locks_of(received(example_reversal()), {}) == Locks(ordered=())
    assert locks_of(received(example_reversal()), {"session-1:1": Parties("doctor-1", "patient-1")}) == patient
    assert named_deduction(received(example_reversal())) == "session-1:1"
    assert named_deduction(received(example_deduct())) is None


def test_only_a_unit_of_an_unknown_session_waits_for_what_calls_tell() -> None:
    state = Accounts(RULES, patients=["patient-1"])
    assert may_be_unheard(received(example_deduct()), state)
    assert not may_be_unheard(received(example_cancellation()), state)
    state.decide(heard(call_news(CallEventType.STARTED, 1)))
    assert not may_be_unheard(received(example_deduct()), state)


def test_the_words_that_people_look_for() -> None:
    state = Accounts(RULES, patients=["patient-1"])
    state.decide(received(example_activation(units={"voice": 1})))
    state.decide(heard(call_news(CallEventType.CONNECTED, 2, connected_at=NOW)))
    lines = [
        log_line(message)
        for messages in (
            state.decide(received(example_deduct(), number=2, after=10)),
            state.decide(received(example_deduct(), number=3, after=10)),
            state.decide(received(example_deduct(unit=2), number=4, after=20)),
        )
        for message in messages
        if isinstance(message, Event)
    ]
    assert lines == ["Auto-deduction done", None, None, "Auto-deduction refused: insufficient sessions"]
