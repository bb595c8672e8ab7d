"""``caremesh send``: publish a command, and wait for what becomes of it."""

import asyncio
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Final
from uuid import uuid4

import typer
from rich.table import Table
from rich.text import Text

from shared.cli.asking import Asked, publish, request
from shared.cli.exits import Exit
from shared.cli.fields import Fields, counts_from_now
from shared.cli.inputs import closest, identifier_argument, shortened
from shared.cli.publishing import Place
from shared.cli.reaching import CannotError, kafka_settings, reaching_kafka, told
from shared.cli.terminal import hint, line_console, print_json, table_console
from shared.cli.wording import printable, shown
from shared.mesh import modules
from shared.messages.fields import SOURCE_PATTERN, Command, EventData, service_of, type_of
from shared.messages.refusal import Rejected
from shared.messages.registry import COMMANDS

SOURCE: Final = "/caremesh-cli"
_SOURCE: Final = re.compile(SOURCE_PATTERN.removesuffix("$") + r"\Z")
_VERSION: Final = ".v1"
#: The envelope of an event, which says little about what has happened.
_ENVELOPE: Final = ("type", "id", "time", "decision")

app = typer.Typer(add_completion=False)


def _source(text: str) -> str:
    if not _SOURCE.match(text):
        message = "a source is a URI reference of at most 128 characters, such as /by-hand"
        raise typer.BadParameter(message)
    return text


@app.command(context_settings={"help_option_names": []})
def send(
    context: typer.Context,
    type_: Annotated[
        str,
        typer.Argument(metavar="TYPE", help="Such as booking.appointment.book.v1; as much of it as is unmistakable.", show_default=False),
    ] = "",
    fields: Annotated[
        list[str] | None,
        typer.Argument(metavar="KEY=VALUE …", help="Its data. `caremesh send TYPE --help` explains them.", show_default=False),
    ] = None,
    *,
    identifier: Annotated[
        str | None,
        typer.Option(
            "--id",
            parser=identifier_argument,
            metavar="ID",
            help="The command's id: the same again is not decided again.",
            show_default="a new one",
        ),
    ] = None,
    source: Annotated[
        str, typer.Option("--source", parser=_source, metavar="URI", help="Who asks; with the id it is the command's identity.")
    ] = SOURCE,
    correlation_id: Annotated[
        str | None,
        typer.Option(
            "--correlation-id",
            parser=identifier_argument,
            metavar="ID",
            help="What `caremesh trace` can follow.",
            show_default="the command's id",
        ),
    ] = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Await the outcome; or end when Kafka has the command.")] = True,
    timeout_seconds: Annotated[float, typer.Option("--timeout", min=0.1, max=3_600, metavar="SECONDS", help="How long to wait.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    wants_help: Annotated[bool, typer.Option("--help", help="Explain this command; after a type, its fields.")] = False,
) -> None:
    """Publish a command, and print what becomes of it: what happened, or why it was refused.

    While no answer comes, the same record is published again: that leads to no second decision. To be sure after a crash, name the command
    with --id and send it again, as often as you like: the same outcome comes back. Times are RFC 3339, or, without --id, count from now:
    +2h, +3d, now.

    Exit code 0 when it happened, 1 if it was refused or can never be decided, 2 if nothing was published, 3 if nobody answered in time: then
    it may still happen.

    Examples:
        caremesh send booking.appointment.book.v1 --help
        caremesh send book doctor_id=doctor-7 patient_id=patient-1 starts_at=+2d modality=video actor=patient:patient-1
        caremesh send appointment.confirm appointment_id=apt_… doctor_id=doctor-7 actor=doctor:doctor-7 --id confirm-1
        caremesh send book --no-wait doctor_id=doctor-7 patient_id=patient-2 starts_at=+3d modality=text actor.role=admin actor.id=admin-1
    """
    with told(as_json=as_json):
        if wants_help:
            _explain(type_, context)
            return
        asked = Asked(
            command=_command(type_, fields or [], is_named=identifier is not None),
            identifier=identifier or str(uuid4()),
            source=source,
            correlation_id=correlation_id,
        )
        settings = kafka_settings()
        with reaching_kafka(settings):
            if not wait:
                _report_published(asked, asyncio.run(publish(settings, asked)), as_json=as_json)
                return
            outcome = asyncio.run(request(settings, asked, timeout_seconds=timeout_seconds))
    _report_outcome(outcome, as_json=as_json)
    raise typer.Exit(Exit.NO if isinstance(outcome, Rejected) else Exit.OK)


def _command(type_: str, fields: Sequence[str], *, is_named: bool) -> Command:
    """The command that was typed.

    Raises:
        CannotError: it cannot be published so; the message says why.
    """
    if not type_:
        message = "Say which command: `caremesh send --help` lists them."
        raise CannotError(message)
    model = command_named(type_)
    if is_named and (counted := [pair for pair in fields if counts_from_now(pair)]):
        message = f"{', '.join(counted)} is another time whenever it is sent, and --id names one command: give a time of the calendar."
        raise CannotError(message)
    command = Fields(model).command_of(fields, datetime.now(UTC))
    if not _is_decided_here(command.type):
        message = f"Nobody here decides {command.type}: {service_of(command.type)} is no part of this mesh."
        raise CannotError(message)
    return command


def command_named(given: str) -> type[Command]:
    """The command of this type, or whose type ends so.

    Raises:
        CannotError: there is none, or more than one.
    """
    short = {type_.removesuffix(_VERSION): command for type_, command in COMMANDS.items()}
    wanted = given.lower().replace("-", "_").removesuffix(_VERSION)
    matches = [command for name, command in short.items() if name == wanted or name.endswith(f".{wanted}")]
    # What nobody here decides is hardly meant.
    matches = [command for command in matches if _is_decided_here(command.type)] or matches
    if len(matches) == 1:
        return matches[0]
    if matches:
        message = f"{shortened(given)} can be {', '.join(command.type for command in matches)}: say more of it."
        raise CannotError(message)
    # Somebody may have mistyped the whole, or the last words of it.
    endings = {".".join(name.split(".")[depth:]) for name in short for depth in range(3)}
    message = f"There is no command {shortened(given)}.{closest(wanted, endings)} `caremesh send --help` lists all commands."
    raise CannotError(message)


def _is_decided_here(type_: str) -> bool:
    return service_of(type_) in {module.rpartition(".")[2] for module in modules()}


def _report_published(asked: Asked, place: Place, *, as_json: bool) -> None:
    type_, identifier = asked.command.type, asked.identifier
    if as_json:
        print_json({"command": {"source": asked.source, "id": identifier, "type": type_}, **place._asdict()})
    else:
        line_console().print(f"{type_} {identifier} lies in {place.topic}[{place.partition}]@{place.offset}.", markup=False)
        hint(f"`caremesh trace {identifier}` shows what becomes of it.")


def _report_outcome(outcome: EventData, *, as_json: bool) -> None:
    if as_json:
        refused = isinstance(outcome, Rejected)
        print_json({"outcome": outcome.type, "refused": refused, "event": outcome.model_dump(mode="json")})
        return
    decision = outcome.decision
    if isinstance(outcome, Rejected):
        headline = Text(f"refused: {outcome.status_code} {outcome.reason}: {printable(outcome.message)}", style="yellow")
    else:
        headline = Text(f"{outcome.type.split('.')[2].replace('_', ' ')}, version {outcome.version}", style="green")
    line_console().print(headline)
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    hidden = (
        {*_ENVELOPE, "version", "command", "status_code", "reason", "message"} if isinstance(outcome, Rejected) else {*_ENVELOPE, "version"}
    )
    for name, value in outcome.model_dump(mode="json", exclude_none=True).items():
        if name not in hidden:
            table.add_row(name, Text(shown(value)))
    table.add_row("command", Text(f"{decision.command.id} of {decision.command.source}"))
    table_console().print(table)


def _explain(type_: str, context: typer.Context) -> None:
    if type_:
        _print_fields(command_named(type_))
    else:
        typer.echo(context.get_help(), nl=False)
        _print_types()


def _print_types() -> None:
    table = Table("type", "what it asks for", title="Commands", title_justify="left")
    for type_, command in COMMANDS.items():
        table.add_row(type_, Text(_says(command)))
    table_console().print(table)


def _print_fields(model: type[Command]) -> None:
    output = table_console()
    output.print(f"{model.type}: {_says(model)}", markup=False)
    table = Table("field", "typed as", "default", "what it is")
    examples = []
    for field in Fields(model).help():
        default = "[red]required" if field.required else Text(field.default or "-")
        table.add_row(Text(field.name, style="bold"), Text(field.kind), default, Text(field.says))
        examples += [field.example] if field.required else []
    output.print(table)
    outcomes = " or ".join(type_of(event) for event in model.outcomes)
    line_console().print(f"\nIt comes to {outcomes}, or is refused.", markup=False)
    line_console().print(f"\n    caremesh send {model.type} {' '.join(examples)}", markup=False)


def _says(model: type[Command]) -> str:
    return " ".join((model.__doc__ or "").replace("``", "`").split())
