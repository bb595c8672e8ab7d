"""A notification comes to one end on each channel; the inbox has it at once; nothing else of it changes, but that it is read once."""

from collections.abc import Iterator
from itertools import pairwise

from shared.auditor.facts import Event
from shared.auditor.history import History
from shared.auditor.instants import shown
from shared.auditor.notify.state import ACCEPTED, IN_APP, SENT, SUPPRESSED, WAITING, Notification
from shared.auditor.notify.words import ACCEPTED as ACCEPTED_EVENT
from shared.auditor.notify.words import NOTIFICATION, READ
from shared.auditor.report import ViolationKind

_Fault = tuple[ViolationKind, str]


def check(history: History) -> None:
    """Walk every notification."""
    for identifier, changes in history.entities_of(NOTIFICATION):
        for previous, event in ((None, changes[0]), *pairwise(changes)):
            if event.version != (1 if previous is None else previous.version + 1):
                # Across a gap or a fork nothing can be said of the step, but that nobody is told twice.
                faults = () if previous is None else tuple(_told_twice(previous, event))
            else:
                faults = tuple(_faults_of_a_new_one(event) if previous is None else _faults_of_a_step(previous, event))
            for kind, fault in faults:
                sentence = f"The notification {identifier}, version {event.version} ({event.type}): {fault}."
                proofs = (event,) if previous is None else (previous, event)
                history.findings.add(kind, sentence, *map(history.of_event, proofs))
        _judge_inbox(history, changes)


def _faults_of_a_new_one(event: Event) -> Iterator[_Fault]:
    told: Notification = event.state
    statuses = {delivery.status for delivery in told.deliveries}
    if told.channel is not None:
        yield ViolationKind.ILLEGAL_TRANSITION, f"it begins with what became of it by {told.channel}"
    elif event.status == ACCEPTED and (WAITING not in statuses or statuses - {WAITING, SUPPRESSED}):
        yield ViolationKind.ILLEGAL_TRANSITION, "it is accepted exactly while it waits on a channel, and has come to no end but suppressed"
    elif event.status == SUPPRESSED and statuses != {SUPPRESSED}:
        yield ViolationKind.ILLEGAL_TRANSITION, "nobody is told, and a channel says otherwise"
    if told.read_us is not None:
        yield ViolationKind.ILLEGAL_TRANSITION, "it is read before it is told"
    if told.request.accepted_us != event.time_us:
        yield ViolationKind.ILLEGAL_TRANSITION, f"it was requested at {shown(event.time_us)}, and says {shown(told.request.accepted_us)}"


def _faults_of_a_step(previous: Event, event: Event) -> Iterator[_Fault]:
    before: Notification = previous.state
    after: Notification = event.state
    if before.request != after.request:
        yield ViolationKind.ILLEGAL_TRANSITION, "who is told what of what, or since when, has changed"
    if event.type == READ:
        yield from _faults_of_reading(event, before, after)
        changed = None
    else:
        yield from _told_twice(previous, event)
        yield from _faults_of_an_end(event, after)
        changed = after.channel
    if before.read_us != after.read_us and event.type != READ:
        yield ViolationKind.ILLEGAL_TRANSITION, "when it was read has changed"
    was, is_now = before.by_channel, after.by_channel
    others = sorted(channel for channel in was.keys() | is_now.keys() if channel != changed and was.get(channel) != is_now.get(channel))
    if others:
        yield ViolationKind.ILLEGAL_TRANSITION, f"what became of it by {', '.join(others)} has changed"


def _told_twice(previous: Event, event: Event) -> Iterator[_Fault]:
    """On a channel on which it has come to an end, it comes to no other."""
    channel = event.state.channel
    delivery = previous.state.by_channel.get(channel)
    if event.type != READ and delivery is not None and delivery.status != WAITING:
        yield ViolationKind.TOLD_TWICE, f"by {channel} it was {delivery.status} before"


def _faults_of_an_end(event: Event, after: Notification) -> Iterator[_Fault]:
    word = event.type.split(".")[2]
    delivery = after.by_channel.get(after.channel or "")
    if event.type == ACCEPTED_EVENT:
        # That it is taken on once, the transitions judge.
        return
    if delivery is None:
        yield ViolationKind.ILLEGAL_TRANSITION, f"it does not wait by {after.channel or 'all channels at once'}"
    elif (delivery.status, delivery.reason) != (word, after.reason):
        yield ViolationKind.ILLEGAL_TRANSITION, f"it tells of {after.channel}, and says that it is {delivery.status} there"


def _faults_of_reading(event: Event, before: Notification, after: Notification) -> Iterator[_Fault]:
    in_app = before.by_channel.get(IN_APP)
    if in_app is None or in_app.status != SENT:
        yield ViolationKind.ILLEGAL_TRANSITION, "it was not in the inbox"
    if before.read_us is not None:
        yield ViolationKind.ILLEGAL_TRANSITION, "it was read before, and that changes nothing"
    elif after.read_us != event.time_us:
        yield ViolationKind.ILLEGAL_TRANSITION, f"it was read at {shown(event.time_us)}, and says {shown(after.read_us)}"


def _judge_inbox(history: History, changes: list[Event]) -> None:
    """The inbox needs no provider: whoever wants it finds a notification there at once."""
    first = changes[0]
    in_app = first.state.by_channel.get(IN_APP)
    if first.version != 1 or in_app is None or in_app.status != WAITING or history.is_in_flight(first):
        return
    if not any(event.state.channel == IN_APP and event.identity == first.identity for event in changes[1:]):
        sentence = f"The notification {first.entity_id} was accepted, and is not in the inbox."
        history.findings.add(ViolationKind.ILLEGAL_TRANSITION, sentence, history.of_event(first))
