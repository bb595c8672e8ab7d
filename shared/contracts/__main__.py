"""Write the contract to docs/contracts (``make contracts``), or note it down as released.

python -m shared.contracts             write what the models say now
python -m shared.contracts release     … and from now on refuse whatever breaks it
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import orjson

from shared.contracts.asyncapi import document
from shared.contracts.compatibility import breaks
from shared.contracts.pages import pages
from shared.contracts.schemas import documents

FOLDER: Final = Path("docs/contracts")
_RELEASED: Final = "released/v1"


def generated() -> dict[str, str]:
    """Every file of the contract by its path in the folder, as the models say now."""
    schemas = {f"schemas/{type_}.json": _as_json(schema) for type_, schema in documents().items()}
    return {"asyncapi.json": _as_json(document()), **schemas, **pages()}


def released(folder: Path) -> dict[str, dict[str, Any]]:
    """The schemas that are released, by type."""
    return {path.name.removesuffix(".json"): orjson.loads(path.read_bytes()) for path in sorted((folder / _RELEASED).glob("*.json"))}


def write(folder: Path) -> None:
    """Write all files, and remove schemas of what is gone."""
    files = generated()
    for path in (folder / "schemas").glob("*.json"):
        if f"schemas/{path.name}" not in files:
            path.unlink()
    _write(folder, files)


def release(folder: Path) -> Sequence[str]:
    """Note the current schemas down as released, unless they break what is.

    Returns:
        What they break; nothing is written then.
    """
    current = documents()
    problems = breaks(released(folder), current)
    if not problems:
        _write(folder / _RELEASED, {f"{type_}.json": _as_json(schema) for type_, schema in current.items()})
    return problems


def _write(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def _as_json(value: object) -> str:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()


def main(arguments: list[str]) -> int:
    """Run the command; the exit code."""
    if arguments not in ([], ["release"]):
        sys.stderr.write(f"{__doc__}")
        return 2
    try:
        write(FOLDER)
    except LookupError as error:
        sys.stderr.write(f"{error.args[0]}\n")
        return 1
    if arguments == ["release"]:
        problems = release(FOLDER)
        for problem in problems:
            sys.stderr.write(f"{problem}\n")
        return 1 if problems else 0
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
