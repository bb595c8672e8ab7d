"""Which user PostgreSQL runs as when root starts it: it refuses to run as root."""

import os
import pwd
import stat
import sys
from collections.abc import Iterable
from pathlib import Path

from shared.embedded import launch
from shared.embedded.errors import EmbeddedError
from shared.embedded.process import RunAs

_NOBODY = 65_534


def unprivileged_user(home: Path, *, reads: Iterable[Path]) -> RunAs:
    """Return the owner of the home if that is not root, else ``nobody``, with what it needs to reach ``reads``.

    The permissions of no folder are changed: where the user cannot pass a folder on the way (a checkout under a home of mode 0700), the
    process keeps one capability of root, to read and search, and no other.

    Raises:
        EmbeddedError: a folder is closed to the user, and the capability is not to be had.
    """
    owner = home.stat()
    user = RunAs(user_id=owner.st_uid, group_id=owner.st_gid) if owner.st_uid != 0 else _nobody()
    paths = [*reads]
    if all(_reaches(user, path) for path in paths):
        return user
    if sys.platform != "linux":
        closed = next(path for path in paths if not _reaches(user, path))
        message = f"PostgreSQL refuses to run as root, and user {user.user_id} cannot reach {closed}: run this as an ordinary user."
        raise EmbeddedError(message)
    return RunAs(user_id=user.user_id, group_id=user.group_id, capabilities=(_capability(user, paths),))


def hand_over(path: Path, user: RunAs) -> None:
    """Make the user the owner of this file or folder."""
    os.chown(path, user.user_id, user.group_id, follow_symlinks=False)


def _nobody() -> RunAs:
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        return RunAs(user_id=_NOBODY, group_id=_NOBODY)
    return RunAs(user_id=entry.pw_uid, group_id=entry.pw_gid)


def _reaches(user: RunAs, path: Path) -> bool:
    resolved = path.resolve()
    if path.is_dir() and not all(_allows(user, program, stat.S_IXUSR) for program in resolved.glob("postgres")):
        return False
    return all(_allows(user, folder, stat.S_IXUSR) for folder in resolved.parents if folder.exists())


def _allows(user: RunAs, path: Path, owner_bit: int) -> bool:
    status = path.stat()
    if status.st_uid == user.user_id:
        return bool(status.st_mode & owner_bit)
    if status.st_gid == user.group_id:
        return bool(status.st_mode & (owner_bit >> 3))
    return bool(status.st_mode & (owner_bit >> 6))


def _capability(user: RunAs, paths: list[Path]) -> int:
    """Return the least capability that opens the way: reading and searching, or, in containers that lack it, overriding."""
    permitted = launch.permitted_capabilities()
    programs_closed = any(not _allows(user, program, stat.S_IXUSR) for path in paths if path.is_dir() for program in path.glob("postgres"))
    wanted = (launch.CAP_DAC_OVERRIDE,) if programs_closed else (launch.CAP_DAC_READ_SEARCH, launch.CAP_DAC_OVERRIDE)
    for capability in wanted:
        if permitted & (1 << capability):
            return capability
    message = (
        f"PostgreSQL refuses to run as root, and user {user.user_id} cannot reach {paths[0]} without the capability "
        "CAP_DAC_READ_SEARCH, which this process lacks: run this as an ordinary user, use folders that others may pass (mode o+x), or "
        "name a database with CAREMESH_DATABASE_URL."
    )
    raise EmbeddedError(message)
