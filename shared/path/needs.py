"""Which locks a batch needs, and what can be decided of it while somebody else holds some of them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from shared.codec.decode import Received
from shared.path.locks import lock_key
from shared.path.service import Locks


@dataclass(frozen=True, slots=True)
class Needs:
    """The locks of a batch.

    Attributes:
        waited: the keys of those to wait for, in the order in which everybody takes them.
        tried: the keys of those to take where they are free.
    """

    waited: Sequence[int]
    tried: Sequence[int]
    _of_each: Mapping[int, Locks]
    _key_of: Mapping[str, int]

    def split(self, batch: Mapping[int, Received], busy: Collection[int]) -> tuple[Mapping[int, Received], Collection[Received]]:
        """What can be decided now, and what is left.

        Left is what needs a busy lock, and whatever follows it under the same key or identity: nothing may overtake.
        """
        if not busy:
            return batch, ()
        names = {name for name, key in self._key_of.items() if key in busy}
        now: dict[int, Received] = {}
        left: list[Received] = []
        waiting: set[object] = set()
        for index, received in batch.items():
            key, identity = received.record.key, (received.source, received.id)
            if key in waiting or identity in waiting or not names.isdisjoint(self._of_each[index].shared):
                waiting |= {key, identity}
                left.append(received)
            else:
                now[index] = received
        return now, left


def needs_of(service: str, locks: Mapping[int, Locks], must: Collection[int]) -> Needs:
    """The locks of a batch.

    Args:
        service: whose they are.
        locks: of each command.
        must: the commands whose shared locks are waited for, too.
    """
    ordered = {lock_key(service, name) for needed in locks.values() for name in needed.ordered}
    shared = {name: lock_key(service, name) for needed in locks.values() for name in needed.shared}
    awaited = {shared[name] for index in must for name in locks[index].shared}
    return Needs(sorted(ordered) + sorted(awaited), sorted(set(shared.values()) - awaited), locks, shared)
