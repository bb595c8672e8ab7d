import os
from pathlib import Path

import pytest

from shared.embedded import launch
from shared.embedded.errors import EmbeddedError
from shared.embedded.postgres_user import unprivileged_user

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root needs another user for PostgreSQL")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home that everybody can pass to."""
    for folder in (tmp_path, *tmp_path.parents):
        if folder != Path("/tmp") and folder.stat().st_uid == 0 and len(folder.parts) > 2:
            folder.chmod(0o755)
    return tmp_path


@pytest.fixture
def closed(home: Path) -> Path:
    """A folder below one that is closed to all but root."""
    (home / "closed").mkdir(mode=0o700)
    (home / "closed" / "inner").mkdir()
    return home / "closed" / "inner"


def test_an_open_home_needs_no_capability(home: Path) -> None:
    user = unprivileged_user(home, reads=[home])
    assert user.user_id != 0
    assert user.capabilities == ()


def test_the_owner_of_the_home_is_the_first_choice(home: Path) -> None:
    owned = home / "owned"
    owned.mkdir()
    os.chown(owned, 12_345, 54_321)
    user = unprivileged_user(owned, reads=[owned])
    assert (user.user_id, user.group_id) == (12_345, 54_321)


def test_a_closed_folder_on_the_way_costs_the_capability_to_read_and_search(closed: Path) -> None:
    assert unprivileged_user(closed, reads=[closed]).capabilities == (launch.CAP_DAC_READ_SEARCH,)


def test_a_container_that_lacks_it_uses_the_wider_one(closed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "permitted_capabilities", lambda: 1 << launch.CAP_DAC_OVERRIDE)
    assert unprivileged_user(closed, reads=[closed]).capabilities == (launch.CAP_DAC_OVERRIDE,)


def test_without_either_the_message_says_what_to_do(closed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "permitted_capabilities", lambda: 0)
    with pytest.raises(EmbeddedError, match="CAREMESH_DATABASE_URL"):
        unprivileged_user(closed, reads=[closed])


def test_the_permissions_of_the_folders_on_the_way_stay_as_they_were(closed: Path) -> None:
    unprivileged_user(closed, reads=[closed])
    assert closed.parent.stat().st_mode & 0o777 == 0o700
