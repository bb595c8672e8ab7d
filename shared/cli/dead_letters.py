"""The dead letters of all topics, each once."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from shared.cli.inputs import shortened
from shared.cli.reaching import CannotError, NotFoundError
from shared.cli.reading import TopicReader
from shared.cli.seen import Seen
from shared.codec.replay import SetAside, set_aside
from shared.settings import Settings
from shared.topics import TOPICS, dead_letter_topic

#: An id may be given by so many of its first characters.
_SHORTEST_PREFIX: Final = 6
#: How a byte of a header's name is shown that is no UTF-8.
_SHOWN_BYTE: Final = re.compile(r"\\x[0-9a-f]{2}")


@dataclass(slots=True)
class Letter:
    """One dead letter.

    Attributes:
        content: what was set aside, and why.
        seen: its first record in the dead letter topic.
        copies: how many more there are of it.
    """

    content: SetAside
    seen: Seen
    copies: int = 0

    @property
    def original(self) -> str:
        """Where the record lay that was set aside."""
        return f"{self.content.topic}[{self.content.partition}]@{self.content.offset}"

    @property
    def obstacle(self) -> str:
        """Why it cannot be published again as it was, as a part of a sentence; empty when it can."""
        if self.content.cut:
            parts = " and ".join(f"its {part} ({length:,} bytes)" for part, length in self.content.cut.items())
            return f"{parts} did not fit and was cut when it was set aside: it cannot be whole again"
        if any(_SHOWN_BYTE.search(name) for name, _ in self.content.headers):
            return "the name of one of its headers was not UTF-8, and only what shows it was kept"
        if dead_letter_topic(self.content.topic) != self.seen.record.topic:
            return f"it says that it came from {self.content.topic}, whose dead letters do not lie in {self.seen.record.topic}"
        return ""

    def as_json(self) -> dict[str, Any]:
        """For programs, without the value: `dlq show` has it."""
        content = self.content
        return {
            "id": content.id,
            "set_aside_at": self.seen.at,
            "topic": content.topic,
            "partition": content.partition,
            "offset": content.offset,
            "key": self.seen.key if content.key is not None else None,
            "service": content.service,
            "stage": content.stage,
            "reason": content.reason,
            "message": content.message,
            "cut": dict(content.cut),
            "copies": self.copies,
        }


@dataclass(frozen=True, slots=True)
class Letters:
    """What lies in dead letter topics.

    Attributes:
        letters: in the order of time.
        foreign: how many records there are no dead letters of the mesh.
    """

    letters: Sequence[Letter]
    foreign: int


async def read_letters(settings: Settings, topics: Sequence[str], *, since: datetime | None = None, reason: str = "") -> Letters:
    """Read dead letter topics, and put copies together.

    Args:
        settings: say where Kafka is.
        topics: full names of dead letter topics; empty: all.
        since: nothing older.
        reason: only those; empty: all.

    Raises:
        aiokafka.errors.KafkaError: they cannot be read.
    """
    letters: dict[str, Letter] = {}
    foreign = 0
    async with TopicReader(settings) as reader:
        every = [name for topic in TOPICS if (name := topic.full_name(settings.topic_prefix)).endswith(dead_letter_topic(""))]
        present = await reader.present(topics or every)
        if not present:
            return Letters([], 0)
        async for batch in reader.existing(present, since=since):
            for record in batch:
                content = set_aside(record)
                if content is None:
                    foreign += 1
                elif content.id in letters:
                    letters[content.id].copies += 1
                elif not reason or content.reason == reason:
                    letters[content.id] = Letter(content, Seen(record))
    return Letters(sorted(letters.values(), key=lambda letter: letter.seen.at), foreign)


def find(letters: Letters, given: str) -> Letter:
    """The dead letter with this id, or whose id begins so.

    Raises:
        NotFoundError: there is none.
        CannotError: there is more than one.
    """
    by_id = {letter.content.id: letter for letter in letters.letters}
    if given in by_id:
        return by_id[given]
    matches = [letter for identifier, letter in by_id.items() if len(given) >= _SHORTEST_PREFIX and identifier.startswith(given)]
    if len(matches) > 1:
        message = f"{len(matches)} dead letters have an id that begins with {given}: give more of it."
        raise CannotError(message)
    if not matches:
        message = f"There is no dead letter {shortened(given)}: `caremesh dlq list` shows those that there are."
        raise NotFoundError(message)
    return matches[0]
