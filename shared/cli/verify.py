"""``caremesh verify``: audit a mesh from its topics alone, and print what proves a broken promise."""

import asyncio
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer
from rich.table import Table

from shared.auditor import SERVICE_NAMES, CannotLookError, RecordReference, Report, Rules, audit
from shared.cli.exits import Exit
from shared.cli.reaching import CannotError, kafka_settings, reaching_kafka, told
from shared.cli.terminal import line_console, print_json, table_console
from shared.kafka_client import client_options


def _known(services: list[str] | None) -> list[str] | None:
    unknown = sorted({*(services or ())} - {*SERVICE_NAMES})
    if unknown:
        message = f"{', '.join(unknown)} is none of {', '.join(SERVICE_NAMES)}."
        raise typer.BadParameter(message)
    return services or None


def verify(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")] = False,
    services: Annotated[
        list[str] | None,
        typer.Option(
            "--service",
            metavar="SERVICE",
            callback=_known,
            help="Look at this service's topics alone; may be given several times. All by default.",
        ),
    ] = None,
    settings_changed: Annotated[
        bool,
        typer.Option(
            "--settings-changed",
            help="Leave out what today's settings would say of a time when they were others: billing period, rates, sessions per doctor.",
        ),
    ] = False,
    wait_seconds: Annotated[
        float,
        typer.Option("--wait", min=0, metavar="SECONDS", help="First wait so long at the most until the mesh has nothing left to do."),
    ] = 0,
) -> None:
    """Prove from the topics that the mesh kept its promises, or print the records that show which was not.

    It can run beside live traffic: what is still under way is not held against the mesh.

    Exit code 0 if every promise was kept, 1 if not, 2 if it could not be looked at.

    Examples:
        caremesh verify
        caremesh verify --wait 60 --json
    """
    with told(as_json=as_json):
        settings = kafka_settings()
        try:
            with reaching_kafka(settings):
                report = asyncio.run(
                    audit(
                        client_options(settings),
                        settings.topic_prefix,
                        services=services,
                        rules=None if settings_changed else Rules.of(settings),
                        wait_seconds=wait_seconds,
                    )
                )
        except CannotLookError as error:
            message = f"Kafka at {settings.kafka_bootstrap_servers} is not to be reached, or cannot be read whole. {error}"
            raise CannotError(message) from error
    if as_json:
        print_json(report.as_dict())
    else:
        _print(report)
    raise typer.Exit(Exit.OK if report.passed else Exit.NO)


def _print(report: Report) -> None:
    """The counts, then every violation with the records that prove it."""
    output, lines = table_console(), line_console()
    for service, found in report.as_dict()["counts"].items():
        counts = Table(f"looked at of {service}", "count")
        for name, number in _flat(found):
            counts.add_row(name, str(number))
        output.print(counts)
    if report.passed:
        more = f" {report.in_flight} are still under way: `--wait SECONDS` waits for them." if report.in_flight else ""
        lines.print(f"Every promise was kept.{more}", style="green", markup=False)
        return
    proofs = Table("broken promise", "what happened", "proof", show_lines=True)
    for violation in report.violations:
        proofs.add_row(violation.kind, violation.sentence, "\n".join(map(_shown, violation.records)))
    output.print(proofs)
    for kind, total in report.totals.items():
        shown = sum(violation.kind is kind for violation in report.violations)
        more = f" ({shown} of them shown)" if shown < total else ""
        lines.print(f"{kind}: {total}{more}", style="red", markup=False)


def _flat(counts: Mapping[str, Any], place: str = "") -> Iterator[tuple[str, int]]:
    """The counts, each with the names of what it is in."""
    for name, count in counts.items():
        # Types and statuses are shown as they are on the wire.
        shown = f"{place}: {name}" if place else name.replace("_", " ")
        if isinstance(count, Mapping):
            yield from _flat(count, shown)
        else:
            yield shown, count


def _shown(record: RecordReference) -> str:
    """A record as one line that can be copied into any Kafka tool."""
    parts = (f"key {record.key}" if record.key else "", f"id {record.id}" if record.id else "")
    return " ".join(part for part in (f"{record.topic}[{record.partition}]@{record.offset}", *parts) if part)
