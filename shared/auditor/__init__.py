"""The auditor: proves from the topics alone that the mesh kept its promises.

It knows the wire contract and nothing else: it imports nothing of the services nor of the path that they share, so that a fault of theirs
cannot hide itself. `audit` reads a mesh; `audit_records` judges records that somebody else has read.
"""

from shared.auditor.core import audit_records
from shared.auditor.kafka import CannotLookError, audit
from shared.auditor.records import Position, Record, Scope, Topics
from shared.auditor.report import Counts, RecordReference, Report, Violation, ViolationKind
from shared.auditor.rules import Rules
from shared.auditor.services import SERVICES

#: The services that the auditor knows.
SERVICE_NAMES = tuple(sorted(SERVICES))

__all__ = [
    "SERVICE_NAMES",
    "CannotLookError",
    "Counts",
    "Position",
    "Record",
    "RecordReference",
    "Report",
    "Rules",
    "Scope",
    "Topics",
    "Violation",
    "ViolationKind",
    "audit",
    "audit_records",
]
