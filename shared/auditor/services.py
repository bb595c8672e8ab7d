"""The services that the auditor knows, each with its words and with the checks of what only it promises."""

from typing import Final, NamedTuple

from shared.auditor import billing, booking, calls, notify
from shared.auditor.checks import Check
from shared.auditor.words import ServiceWords


class AuditedService(NamedTuple):
    """One service."""

    words: ServiceWords
    checks: tuple[Check, ...]


_ALL: Final = (
    AuditedService(notify.WORDS, notify.CHECKS),
    AuditedService(billing.WORDS, billing.CHECKS),
    AuditedService(calls.WORDS, calls.CHECKS),
    AuditedService(booking.WORDS, booking.CHECKS),
)
#: By name, who hears another one before that one.
SERVICES: Final = {service.words.name: service for service in _ALL}
