"""The exit codes are a promise to scripts: they are what the documentation says."""

import re
from pathlib import Path

from shared.cli.exits import Exit

OPERATIONS = Path(__file__).parents[3] / "docs" / "operations.md"


def test_the_documentation_lists_every_exit_code_and_no_other() -> None:
    section = OPERATIONS.read_text(encoding="utf-8").partition("## Exit codes")[2].partition("\n## ")[0]
    assert [int(code) for code in re.findall(r"^\| (\d+) \|", section, re.MULTILINE)] == [*Exit]


def test_the_codes_never_change() -> None:
    assert {code.name: code.value for code in Exit} == {"OK": 0, "NO": 1, "CANNOT": 2, "UNANSWERED": 3, "INTERRUPTED": 130}
