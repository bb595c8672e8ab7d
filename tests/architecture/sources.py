"""The sources of the project, and what they import."""

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
SERVICES: Final = sorted(path.parent.name for path in (ROOT / "services").glob("*/__init__.py"))


@cache
def tracked_files() -> tuple[Path, ...]:
    """Every file that belongs to the project: as git has it, or, in an archive without git, as it lies there."""
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listing.returncode == 0:
        names = [name for name in listing.stdout.decode().split("\0") if name]
        return tuple(path for name in names if (path := ROOT / name).is_file())
    hidden = (".venv", ".git", ".caremesh", "build", "__pycache__")
    return tuple(path for path in ROOT.rglob("*") if path.is_file() and not any(part in hidden for part in path.parts))


def modules(*folders: str) -> list[Path]:
    """The Python files under these folders, relative to the root."""
    return sorted(path.relative_to(ROOT) for folder in folders for path in (ROOT / folder).rglob("*.py"))


def imports_of(path: Path) -> set[str]:
    """The full names of everything that a file imports, wherever in it: ``a.b`` for ``from a import b``."""
    return set(imports_in_order(path))


def imports_in_order(path: Path) -> list[str]:
    """The same as they stand there; what a function imports comes after all that the file itself does."""
    return list(_imports(ast.parse((ROOT / path).read_text(encoding="utf-8"))))


def _imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports name their whole way"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def lies_in(name: str, *packages: str) -> bool:
    """Whether a full name is one of these packages, or something in one."""
    return any(name == package or name.startswith(f"{package}.") for package in packages)
