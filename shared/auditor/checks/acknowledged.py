"""What Kafka acknowledged to a producer is still there."""

from shared.auditor.history import History
from shared.auditor.report import RecordReference, ViolationKind


def check(history: History) -> None:
    """Report the acknowledged positions of the service's topics that were not read, unless retention took them."""
    for topic, partition, offset in sorted(history.unseen):
        if offset >= history.scope.beginning(topic, partition):
            sentence = f"Kafka acknowledged offset {offset} of partition {partition} of {topic}, and nothing lies there."
            history.findings.add(ViolationKind.ACKNOWLEDGED_RECORD_VANISHED, sentence, RecordReference(topic, partition, offset))
