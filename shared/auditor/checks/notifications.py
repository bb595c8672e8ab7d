"""Each cause is told once to each recipient that the contract names, and nothing is told without a cause."""

from collections import defaultdict
from collections.abc import Iterator

from shared.auditor.facts import Event, Notification
from shared.auditor.history import History
from shared.auditor.report import ViolationKind
from shared.auditor.words import Notice


def check(history: History) -> None:
    """Compare what every event demands with what was requested in its name."""
    requested: defaultdict[str, list[Notification]] = defaultdict(list)
    for notification in history.notifications.values():
        requested[notification.cause].append(notification)
    for event in history.events.values():
        words = history.words.events.get(event.type)
        if words is not None and words.notices:
            _judge(history, event, words.notices, requested.pop(event.id, []))
    if history.scope.is_trimmed(history.topics.events):
        return
    for cause, notifications in requested.items():
        for notification in notifications:
            _report_without_cause(history, notification, f"no event {cause} that tells anybody" if cause else "no cause in its headers")


def _demands(event: Event, notices: tuple[Notice, ...]) -> Iterator[tuple[str, Notice]]:
    """Who must be told what of this event: recipient's id and notice."""
    for notice in notices:
        yield from ((recipient_id, notice) for recipient_id in notice.recipients(event))


def _judge(history: History, event: Event, notices: tuple[Notice, ...], requests: list[Notification]) -> None:
    open_demands = {(recipient_id, notice.template): notice for recipient_id, notice in _demands(event, notices)}
    met: dict[tuple[str, str], Notification] = {}
    for request in requests:
        demand = (request.recipient_id, request.template)
        notice = open_demands.get(demand)
        if notice is None:
            _report_without_cause(history, request, f"{event.type} does not tell {request.recipient_id} {request.template}", event)
        elif demand in met:
            sentence = f"The event {event.id} told {request.recipient_id} {request.template} under several ids."
            proofs = (history.of_event(event), history.of_notification(met[demand]), history.of_notification(request))
            history.findings.add(ViolationKind.SEVERAL_NOTIFICATIONS, sentence, *proofs)
        else:
            met[demand] = request
            if request.priority != notice.priority:
                sentence = f"The notification {request.id} ({request.template}) has priority {request.priority}, not {notice.priority}."
                history.findings.add(ViolationKind.MALFORMED_NOTIFICATION, sentence, history.of_notification(request))
    for recipient_id, template in open_demands.keys() - met.keys():
        if not history.is_noticed(event):
            history.in_flight_notifications += 1
        elif not history.scope.is_trimmed(history.topics.notifications):
            sentence = f"The event {event.id} ({event.type}) did not tell {recipient_id}: {template} was never requested."
            history.findings.add(ViolationKind.MISSING_NOTIFICATION, sentence, history.of_event(event))


def _report_without_cause(history: History, notification: Notification, why: str, *events: Event) -> None:
    sentence = f"The notification request {notification.id} ({notification.template}) has no cause: {why}."
    proofs = (history.of_notification(notification), *map(history.of_event, events))
    history.findings.add(ViolationKind.NOTIFICATION_WITHOUT_CAUSE, sentence, *proofs)
