"""The entry of the command line, and the map of its commands: each has a module of its own, imported when it is called."""

import logging
import re
import sys
from importlib import import_module
from typing import Any

import typer
from pydantic import ValidationError
from rich.console import Console
from typer.core import TyperGroup

from shared.embedded.errors import EmbeddedError

#: Command → its module in this package, and what the overview says of it. The module has a function of its own name (`verify` in
#: ``verify.py``), or, for a command with commands of its own, a typer application ``app``.
COMMANDS: dict[str, tuple[str, str]] = {
    "up": ("up", "Run the whole mesh until Ctrl-C."),
    "demo": ("demo", "Watch live traffic, and the mission's tests as a table."),
    "status": ("status", "Say whether the mesh is ready, and where it is."),
    "verify": ("verify", "Prove from the topics that the mesh kept its promises."),
    "run": ("run", "Run one service or processor in the foreground."),
    "topics": ("topics", "List the topics, or create those that are missing."),
    "migrate": ("migrate", "Bring every service's schema up to date."),
    "config": ("config", "Print the settings in effect."),
}

#: A setting without a valid value, or a mesh that cannot come up: nothing was looked at, so nothing was found wrong (that would be 1).
_EXIT_ERROR = 2
_EXIT_INTERRUPTED = 130


class _Commands(TyperGroup):
    """Looks commands up in ``COMMANDS``: `caremesh status` need not import what `caremesh demo` does.

    Typer brings a click of its own whose types it does not export, hence Any.
    """

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002  click's signature
        return [*COMMANDS]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002  click's signature
        if cmd_name not in COMMANDS:
            return None
        module_name, summary = COMMANDS[cmd_name]
        module = import_module(f"shared.cli.{module_name}")
        application = getattr(module, "app", None)
        if application is None:
            application = typer.Typer(add_completion=False)
            application.command(name=cmd_name)(getattr(module, module_name))
        command = typer.main.get_command(application)
        command.name = cmd_name
        command.short_help = summary
        # A line break inside a paragraph of a docstring is none for people.
        command.help = re.sub(r"(?<!\n)\n(?!\n)", " ", command.help or "")
        return command


app = typer.Typer(cls=_Commands, add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def _caremesh() -> None:
    """The message mesh that keeps a telemedicine platform honest."""


def main() -> None:
    """Run the command line; what the user can put right is told in a sentence, without a stack."""
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    # What it would say is raised as well, and then told in a sentence.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        app()
    except EmbeddedError as error:
        console.print(str(error), style="red", markup=False)
        sys.exit(_EXIT_ERROR)
    except ValidationError as error:
        for problem in error.errors():
            name = "CAREMESH_" + "_".join(map(str, problem["loc"])).upper() + ": " if problem["loc"] else ""
            console.print(f"{name}{problem['msg'].removeprefix('Value error, ')}", style="red", markup=False)
        sys.exit(_EXIT_ERROR)
    except KeyboardInterrupt:
        sys.exit(_EXIT_INTERRUPTED)


if __name__ == "__main__":
    main()
