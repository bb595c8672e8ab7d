"""Help that teaches: every command says what it does, how it ends, and how it is typed; and the examples are true."""

import shlex
from collections.abc import Iterator
from typing import Any

import pytest
import typer

from shared.cli.main import COMMANDS, app
from shared.cli.terminal import PROSE_WIDTH

#: Their output is a picture, or what they start writes it.
WITHOUT_JSON = {"up", "demo"}


def commands() -> Iterator[tuple[str, Any]]:
    """Every command that does something, by how it is called."""
    root: Any = typer.main.get_command(app)
    for name in root.list_commands(None):
        yield from _leaves(name, root.get_command(None, name))


def _leaves(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    parts = getattr(command, "commands", {})
    if not parts or command.invoke_without_command:
        yield name, command
    for part, inner in parts.items():
        yield from _leaves(f"{name} {part}", inner)


EVERY = dict(commands())


def examples(name: str) -> list[str]:
    _, _, lines = EVERY[name].help.partition("Examples:\n")
    return [line.strip().replace("\\[", "[") for line in lines.splitlines() if line.strip()]


def test_all_commands_of_the_contract_are_there() -> None:
    assert {
        "up", "status", "run", "demo", "send", "tail", "trace", "show", "sweeps list", "sweeps run", "dlq list", "dlq show", "dlq replay",
        "lag", "topics", "topics create", "migrate", "config", "verify",
    } <= EVERY.keys()  # fmt: skip


@pytest.mark.parametrize("name", EVERY)
def test_help_says_what_it_does_and_shows_how_it_is_typed(name: str) -> None:
    first, _, _ = EVERY[name].help.partition(".")
    assert len(first.split()) > 3
    assert examples(name)


@pytest.mark.parametrize("name", sorted(EVERY.keys() - {"up"}))
def test_help_says_how_it_ends(name: str) -> None:
    assert "Exit code 0" in EVERY[name].help


@pytest.mark.parametrize("name", sorted(EVERY.keys() - WITHOUT_JSON))
def test_everything_speaks_json(name: str) -> None:
    assert "--json" in {option for parameter in EVERY[name].params for option in parameter.opts}


@pytest.mark.parametrize("name", EVERY)
def test_every_option_and_argument_is_explained(name: str) -> None:
    assert [parameter.name for parameter in EVERY[name].params if not parameter.help] == []


@pytest.mark.parametrize("name, example", [(name, example) for name in EVERY for example in examples(name)])
def test_an_example_is_a_command_with_options_that_it_has(name: str, example: str) -> None:
    assert len(example) < PROSE_WIDTH - 8, "it would be folded"
    called = example.partition(" | ")[0].partition("; ")[0].partition(" > ")[0].removeprefix("until ")
    words = [word for word in shlex.split(called) if not word.startswith("CAREMESH_")]
    assert words[0] == "caremesh"
    (whole,) = [known for known in sorted(EVERY, key=len, reverse=True) if words[1:][: len(known.split())] == known.split()][:1]
    assert whole.startswith(name.split(" ", maxsplit=1)[0])
    known_options = {option for parameter in EVERY[whole].params for option in (*parameter.opts, *parameter.secondary_opts)} | {"--help"}
    assert {word for word in words if word.startswith("-")} <= known_options


def test_the_overview_says_a_sentence_about_each() -> None:
    assert all(summary.endswith(".") and len(summary) < 80 for _, summary in COMMANDS.values())
