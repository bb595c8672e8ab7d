"""What was measured, for people and machines."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table as RichTable

from bench.ground import MAX_PENDING_PER_PATIENT
from bench.results import Section, Table, Target
from bench.sizes import Sizes
from shared.settings import Settings

_METHOD: Final = Path(__file__).with_name("method.md")
_TARGET_HEADER: Final = ("what", "measured", "target", "verdict")


def print_report(console: Console, sections: dict[str, Section]) -> None:
    """Show the figures, and then the ratios with their targets."""
    for section in sections.values():
        table = section.table()
        shown = RichTable(*table.header, title=table.title, title_justify="left")
        for row in table.rows:
            shown.add_row(*row)
        console.print(shown)
    ratios = RichTable(*_TARGET_HEADER, title="Targets", title_justify="left")
    for target in _targets(sections):
        style = "green" if target.passed else "red"
        ratios.add_row(target.what, target.figure_text(), target.target_text(), f"[{style}]{target.verdict}")
    console.print(ratios)


def write_report(output: Path, sections: dict[str, Section], machine: dict[str, Any], sizes: Sizes) -> list[Path]:
    """Write JSON, plots and the page.

    Args:
        output: the folder for JSON and plots; the page lies beside it, under the same name.
        sections: what was measured.
        machine: on what.
        sizes: how much of it.

    Returns:
        What was written, without the plots.
    """
    output.mkdir(parents=True, exist_ok=True)
    results = {
        "machine": machine,
        "targets": [target.as_json() for target in _targets(sections)],
        **{name: section.as_json() for name, section in sections.items()},
    }
    data = output / "results.json"
    data.write_text(json.dumps(results, indent=2, ensure_ascii=False) + "\n")
    _plot(output, sections)
    page = output.with_suffix(".md")
    page.write_text(_page(output, sections, machine, sizes))
    return [page, data]


def _plot(output: Path, sections: dict[str, Section]) -> None:
    # matplotlib takes a second to import, and not every run draws.
    from bench import plots

    for name, section in sections.items():
        plots.plot(section, output / name)


def _targets(sections: dict[str, Section]) -> list[Target]:
    return [target for section in sections.values() for target in section.targets()]


def _page(output: Path, sections: dict[str, Section], machine: dict[str, Any], sizes: Sizes) -> str:
    folder = output.name
    rows = [(target.what, target.figure_text(), target.target_text(), target.verdict) for target in _targets(sections)]
    parts = [
        "# Benchmark",
        f"Written by `make bench`, with every figure also in [results.json]({folder}/results.json). {_machine_in_words(machine)}",
        _markdown(Table("", _TARGET_HEADER, rows)),
        "A figure is the median of the rounds, with the lowest and the highest in parentheses.",
    ]
    for name, section in sections.items():
        table = section.table()
        parts += [f"## {table.title}"]
        if (output / name).with_suffix(".svg").exists():
            parts.append(f"![{table.title}]({folder}/{name}.svg)")
        parts.append(_markdown(table))
    parts.append(_method(sizes))
    return "\n\n".join(parts)


def _markdown(table: Table) -> str:
    def line(cells: Sequence[str]) -> str:
        return f"| {' | '.join(cells)} |"

    return "\n".join([line(table.header), line(["---"] * len(table.header)), *(line(row) for row in table.rows)])


def _machine_in_words(machine: dict[str, Any]) -> str:
    changed = ", ".join(f"{name}={value}" for name, value in machine["changed_settings"].items())
    libraries = ", ".join(f"{name} {number}" for name, number in machine["libraries"].items())
    return (
        f"Measured on {machine['measured_at'][:10]}, on {machine['cores']} cores ({machine['processor']}) that the load, the mesh, Kafka and "
        f"PostgreSQL share, {machine['memory_gigabytes']} GB, {machine['system']}; load average before the run: {machine['load_before']}. "
        f"A step of an empty loop took this Python {machine['loop_nanoseconds']} ns then, one through memory in random order "
        f"{machine['memory_nanoseconds']} ns. "
        f"Python {machine['python']}, PostgreSQL {machine['postgresql']}, {libraries}. "
        + (f"Settings other than by default: {changed}." if changed else "Every setting as by default, but for those named below.")
    )


def _method(sizes: Sizes) -> str:
    named = {
        "doctors": sizes.doctors,
        "patients": sizes.patients,
        "max_pending": MAX_PENDING_PER_PATIENT,
        "commands": sizes.commands,
        "row_lock_commands": sizes.row_lock_commands,
        "batch_records": Settings().batch_max_records,
        "latency_seconds": sizes.latency_seconds,
        "latency_warm_up_seconds": sizes.latency_warm_up_seconds,
        "curve_seconds": sizes.curve_seconds,
        "filled_appointments": sizes.filled_appointments,
        "active_sessions": sizes.active_sessions,
        "requests": sizes.requests,
        "row_lock_requests": sizes.row_lock_requests,
        "mails": sizes.mails,
        "plain_loop_mails": sizes.plain_loop_mails,
        "memory_commands": sizes.memory_commands,
        "lateness_due": sizes.lateness_due,
        "lateness_window_seconds": sizes.lateness_window_seconds,
        "lateness_after_seconds": sizes.lateness_after_seconds,
        "lateness_traffic_per_second": sizes.lateness_traffic_per_second,
        "idle_seconds": sizes.idle_seconds,
    }
    return _METHOD.read_text().format(**{name: f"{value:,g}" if value < 1_000_000 else f"{value:,}" for name, value in named.items()})
