"""What a consumer has taken and not yet done, by partition."""

from collections.abc import Mapping, Sequence

from aiokafka import TopicPartition

from shared.codec.record import Record
from shared.path.decisions import Positions


class InHand:
    """Notes for each partition which records are in hand: once for a batch, not for a record."""

    def __init__(self) -> None:
        """Begin with nothing in hand."""
        #: Partition → the first offset that is not done, and the offset behind the last that was taken.
        self._open: dict[TopicPartition, tuple[int, int]] = {}

    def take_up(self, polled: Mapping[TopicPartition, Sequence[Record]]) -> None:
        """Note what was taken."""
        for place, records in polled.items():
            if records:
                first, _ = self._open.get(place, (records[0].offset, 0))
                self._open[place] = (first, records[-1].offset + 1)

    def put_down(self, positions: Positions) -> None:
        """Note that all before these offsets is done."""
        for place, done in positions.items():
            partition = TopicPartition(*place)
            _, behind = self._open.get(partition, (done, done))
            if done < behind:
                self._open[partition] = (done, behind)
            else:
                self._open.pop(partition, None)

    def first(self, place: TopicPartition) -> int | None:
        """The first offset that is not done; ``None`` when nothing of that partition is in hand."""
        return self._open[place][0] if place in self._open else None

    def clear(self) -> None:
        """Forget everything: the partitions may have gone."""
        self._open.clear()
