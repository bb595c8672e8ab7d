"""``caremesh verify``: audit a mesh from its topics alone, and print what proves a broken promise."""

import asyncio
from typing import Annotated, Final

import orjson
import typer
from rich.console import Console
from rich.table import Table

from shared.auditor import CannotLookError, RecordReference, Report, audit
from shared.embedded.endpoints import resolve
from shared.embedded.errors import EmbeddedError
from shared.kafka_client import client_options
from shared.settings import Settings

_EXIT_KEPT: Final = 0
_EXIT_BROKEN: Final = 1
_EXIT_CANNOT_LOOK: Final = 2


def verify(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")] = False,
    wait_seconds: Annotated[
        float,
        typer.Option("--wait", min=0, metavar="SECONDS", help="First wait so long at the most until the mesh has nothing left to do."),
    ] = 0,
) -> None:
    """Prove from the topics that the mesh kept its promises. Exit code 0 if it did, 1 if not, 2 if it could not be looked at."""
    output = Console(soft_wrap=True, highlight=False)
    try:
        settings = resolve(Settings())
        report = asyncio.run(audit(client_options(settings), settings.topic_prefix, wait_seconds=wait_seconds))
    except (CannotLookError, EmbeddedError, OSError) as error:
        if as_json:
            typer.echo(orjson.dumps({"passed": None, "problem": str(error)}))
        else:
            Console(stderr=True, soft_wrap=True, highlight=False).print(str(error), style="red", markup=False)
        raise typer.Exit(_EXIT_CANNOT_LOOK) from error
    if as_json:
        typer.echo(orjson.dumps(report.as_dict(), option=orjson.OPT_INDENT_2))
    else:
        _print(report, output)
    raise typer.Exit(_EXIT_KEPT if report.passed else _EXIT_BROKEN)


command = verify


def _print(report: Report, output: Console) -> None:
    """The counts, then every violation with the records that prove it."""
    counts = Table("looked at", "count")
    for name, count in report.as_dict()["counts"].items():
        if isinstance(count, dict):
            for part, number in count.items():
                counts.add_row(f"{name.replace('_', ' ')}: {part}", str(number))
        else:
            counts.add_row(name.replace("_", " "), str(count))
    output.print(counts)
    if report.passed:
        under_way = report.counts.in_flight_commands + report.counts.in_flight_notifications
        more = f" {under_way} are still under way: `--wait SECONDS` waits for them." if under_way else ""
        output.print(f"Every promise was kept.{more}", style="green", markup=False)
        return
    proofs = Table("broken promise", "what happened", "proof", show_lines=True)
    for violation in report.violations:
        proofs.add_row(violation.kind, violation.sentence, "\n".join(map(_shown, violation.records)))
    output.print(proofs)
    for kind, total in report.totals.items():
        shown = sum(violation.kind is kind for violation in report.violations)
        more = f" ({shown} of them shown)" if shown < total else ""
        output.print(f"{kind}: {total}{more}", style="red", markup=False)


def _shown(record: RecordReference) -> str:
    """A record as one line that can be copied into any Kafka tool."""
    parts = (f"key {record.key}" if record.key else "", f"id {record.id}" if record.id else "")
    return " ".join(part for part in (f"{record.topic}[{record.partition}]@{record.offset}", *parts) if part)
