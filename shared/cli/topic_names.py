"""How people name topics: `booking.events` is enough, and `booking` means what goes in and what comes out."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from shared.cli.reaching import named
from shared.topics import TOPICS, commands_topic, dead_letter_topic, events_topic

_VERSION: Final = ".v1"
_ALL: Final = "all"
_DEAD_LETTERS: Final = "dlq"
_DEAD_LETTER_SUFFIX: Final = dead_letter_topic("")


def topics_named(given: Iterable[str], prefix: str) -> list[str]:
    """The full names of topics.

    Args:
        given: each a topic, with or without the prefix and the version; a service: its commands and events; ``dlq``: all dead
            letters; ``all``.
        prefix: of the mesh's topics.

    Raises:
        CannotError: there is no such topic; the message lists those that there are.
    """
    groups = _groups(prefix)
    known: dict[str, Sequence[str]] = {**{short_name(name, prefix): (name,) for name in groups[_ALL]}, **groups}
    found: list[str] = []
    for name in given:
        without_prefix = name.removeprefix(f"{prefix}.")
        found += named("topic", _without_version(without_prefix), known)
    return list(dict.fromkeys(found))


def short_name(topic: str, prefix: str) -> str:
    """A topic as people call it: ``booking.commands.dlq``."""
    return _without_version(topic.removeprefix(f"{prefix}."))


def is_dead_letter_topic(topic: str) -> bool:
    """Whether dead letters lie there."""
    return topic.endswith(_DEAD_LETTER_SUFFIX)


def _without_version(name: str) -> str:
    return (
        f"{_without_version(name[: -len(_DEAD_LETTER_SUFFIX)])}{_DEAD_LETTER_SUFFIX}"
        if is_dead_letter_topic(name)
        else name.removesuffix(_VERSION)
    )


def _groups(prefix: str) -> Mapping[str, Sequence[str]]:
    """The names that stand for several topics."""
    names = [topic.full_name(prefix) for topic in TOPICS]
    groups: dict[str, Sequence[str]] = {
        _ALL: names,
        _DEAD_LETTERS: [name for name in names if is_dead_letter_topic(name)],
    }
    for topic in TOPICS:
        service = topic.name.partition(".")[0]
        talk = {commands_topic(prefix, service), events_topic(prefix, service)}
        groups[service] = [name for name in names if name in talk]
    return groups
