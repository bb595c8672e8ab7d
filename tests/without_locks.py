"""What a batch of a worker that takes no lock needs: for showing that the locks are what keeps the promises."""

from collections.abc import Collection, Mapping

from shared.path.needs import Needs, needs_of
from shared.path.service import Locks


def needs_nothing(service: str, locks: Mapping[int, Locks], _must: Collection[int]) -> Needs:
    """Stands in for ``needs_of``."""
    return needs_of(service, dict.fromkeys(locks, Locks(())), ())
