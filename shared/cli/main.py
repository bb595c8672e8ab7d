"""The entry of the command line, and the map of its commands: each has a module of its own, imported when it is called."""

import logging
import sys
from importlib import import_module
from typing import Any

import structlog
import typer
from pydantic import ValidationError
from pydantic_settings import SettingsError
from typer.core import TyperGroup

from shared.cli.consoles import consoles
from shared.cli.exits import Exit
from shared.cli.help import fold_for_pipes, tidy
from shared.cli.terminal import complain
from shared.embedded.errors import EmbeddedError

#: Command → its module in this package, and what the overview says of it. The module has a function of its own name (`verify` in
#: ``verify.py``), or, for a command with commands of its own, a typer application ``app``.
COMMANDS: dict[str, tuple[str, str]] = {
    "up": ("up", "Run the whole mesh until Ctrl-C."),
    "demo": ("demo", "Watch live traffic, and the mission's tests as a table."),
    "status": ("status", "Say whether the mesh is ready, and where it is."),
    "send": ("send", "Publish a command, and print what becomes of it."),
    "tail": ("tail", "Watch what goes through the topics, as it happens."),
    "trace": ("trace", "Follow one id across all topics, with the times between the steps."),
    "lag": ("lag", "Show how far each service is behind its topics."),
    "dlq": ("dlq", "List, show or replay dead letters."),
    "show": ("show", "Show one thing as it stands, such as an appointment or a doctor's time."),
    "sweeps": ("sweeps", "List what falls due by itself, or run one sweep by hand."),
    "mail": ("mail", "Show the e-mails that an embedded mesh has caught."),
    "verify": ("verify", "Prove from the topics that the mesh kept its promises."),
    "run": ("run", "Run one service or processor in the foreground."),
    "topics": ("topics", "List the topics, or create those that are missing."),
    "migrate": ("migrate", "Bring every service's schema up to date."),
    "config": ("config", "Print the settings in effect."),
}


class _Commands(TyperGroup):
    """Looks commands up in ``COMMANDS``, and then among those of the services: `caremesh status` need not import what `caremesh demo` does.

    Typer brings a click of its own whose types it does not export, hence Any.
    """

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002  click's signature
        return [*COMMANDS, *_applications()]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name in COMMANDS:
            module_name, summary = COMMANDS[cmd_name]
            module = import_module(f"shared.cli.{module_name}")
            application = getattr(module, "app", None) or _of_function(cmd_name, getattr(module, module_name, None))
        elif cmd_name in _applications():
            found = _applications()[cmd_name]
            summary, application = found.summary, found.app
        else:
            # Typer looks here for names that are close.
            self.commands: Any = dict.fromkeys(self.list_commands(ctx))
            return None
        command = typer.main.get_command(application)
        command.name = cmd_name
        command.short_help = summary
        return tidy(command)


def _of_function(name: str, function: Any) -> typer.Typer:
    application = typer.Typer(add_completion=False)
    application.command(name=name)(function)
    return application


def _applications() -> dict[str, Any]:
    return {name: application for console in consoles() for name, application in console.applications.items()}


app = typer.Typer(cls=_Commands, add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def _caremesh() -> None:
    """The message mesh that keeps a telemedicine platform honest."""


def main() -> None:
    """Run the command line; what the user can put right is told in a sentence, without a stack."""
    # What it would say is raised as well, and then told in a sentence.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    if not structlog.is_configured():
        # Standard output is for what was asked for; it may be JSON.
        structlog.configure(
            wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING), logger_factory=structlog.PrintLoggerFactory(sys.stderr)
        )
    fold_for_pipes()
    try:
        app()
    except EmbeddedError as error:
        complain(str(error))
        sys.exit(Exit.CANNOT)
    except ValidationError as error:
        for problem in error.errors():
            name = "CAREMESH_" + "_".join(map(str, problem["loc"])).upper() + ": " if problem["loc"] else ""
            complain(f"{name}{problem['msg'].removeprefix('Value error, ')}")
        sys.exit(Exit.CANNOT)
    except SettingsError as error:
        # It names the field, and is raised before anything looks at the value.
        field = str(error).partition('"')[2].partition('"')[0]
        complain(f"CAREMESH_{field.upper()}: is to be JSON.")
        sys.exit(Exit.CANNOT)
    except KeyboardInterrupt:
        sys.exit(Exit.INTERRUPTED)


if __name__ == "__main__":
    main()
