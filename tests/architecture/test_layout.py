"""The same rooms in every service, files that can be read at a sitting, and nothing of any one machine."""

import re
from pathlib import Path

import pytest

from tests.architecture.sources import ROOT, SERVICES, modules, tracked_files

ROOMS = ("__init__.py", "__main__.py", "app.py", "console.py", "migrations/env.py")
#: Of whom others are told something, and whose deadlines pass: notify tells, and what is due to it is no command.
ROOMS_OF_A_PROCESSOR = ("processor.py", "sweeps.py", "notices.py")
WITHOUT_PROCESSOR = {"notify"}
#: Rooms that are a folder where one file would be too long.
ROOMS_OF_ANY_SIZE = ("domain", "store")
MOST_LINES = 400
#: Put together here, or this file would be the first to be found.
REGISTRIES = [".".join(parts) for parts in (("pypi", "org"), ("pythonhosted", "org"), ("repo1", "maven"), ("repo", "maven", "apache"))]
MACHINE_PATHS = re.compile("|".join(f"(?<![A-Za-z0-9_.-])/{folder}/[A-Za-z0-9_.]" for folder in ("work", "root", "home", "Users")))


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_has_the_same_rooms(service: str) -> None:
    folder = ROOT / "services" / service
    rooms = ROOMS if service in WITHOUT_PROCESSOR else ROOMS + ROOMS_OF_A_PROCESSOR
    missing = [room for room in rooms if not (folder / room).is_file()]
    assert not missing, f"{service} lacks {missing}"
    for room in ROOMS_OF_ANY_SIZE:
        assert (folder / f"{room}.py").is_file() or (folder / room / "__init__.py").is_file()
    assert [*(folder / "migrations" / "versions").glob("0001_*.py")]


def test_a_file_past_400_lines_wants_to_be_two() -> None:
    long = {str(path): lines for path in modules("services", "shared", "bench", "tests") if (lines := _lines(path.as_posix())) > MOST_LINES}
    # Written by a machine: the list of jars with their hashes.
    long.pop("shared/embedded/kafka_jars.py", None)
    assert not long


def test_no_registry_is_named_in_any_file() -> None:
    found = [f"{path.relative_to(ROOT)}: {host}" for path in tracked_files() for host in REGISTRIES if host in _text(path)]
    assert not found


def test_no_path_of_a_machine_is_in_any_file() -> None:
    found = [f"{path.relative_to(ROOT)}: {match.group()}" for path in tracked_files() for match in MACHINE_PATHS.finditer(_text(path))]
    assert not found


def test_such_paths_would_be_found() -> None:
    assert MACHINE_PATHS.search("see " + "/ho" + "me/somebody/notes")
    assert not MACHINE_PATHS.search("a folder of its own, at home/work or .caremesh/home/x")


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def _lines(name: str) -> int:
    return len(_text(ROOT / name).splitlines())
