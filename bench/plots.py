"""The plots of the report."""

from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.curve import Curve
from bench.latency import Latency, percentiles_of
from bench.lateness import LIMIT_MILLISECONDS, Lateness
from bench.results import Section, Spread
from bench.throughput import Throughput

_MESH, _BASELINE, _TARGET = "#0b6e75", "#b8b2a7", "#c2410c"
_HISTOGRAM_BARS = 60


def plot(section: Section, path: Path) -> None:
    """Draw a section, if it is one of those that one would rather look at."""
    match section:
        case Throughput():
            plot_throughput(section, path)
        case Latency():
            plot_latency(section, path)
        case Curve():
            plot_curve(section, path)
        case Lateness():
            plot_lateness(section, path)
        case _:
            pass


def plot_throughput(throughput: Throughput, path: Path) -> None:
    """Bars of decisions per second, with their ranges."""
    bars: list[tuple[str, Spread, str]] = [("row locks,\n32 connections", throughput.row_locks, _BASELINE)]
    for count, spread in throughput.workers.items():
        bars.append((f"mesh,\n{count} worker{'' if count == 1 else 's'}", spread, _MESH))
    bars.append(("durable limit,\nno decision", throughput.durable_limit, _BASELINE))
    figure, axes = plt.subplots(figsize=(8, 4.2))
    medians = [spread.median for _, spread, _ in bars]
    below = [spread.median - spread.lowest for _, spread, _ in bars]
    above = [spread.highest - spread.median for _, spread, _ in bars]
    drawn = axes.bar(
        [name for name, _, _ in bars], medians, yerr=[below, above], capsize=4, color=[color for _, _, color in bars], ecolor="#444444"
    )
    axes.bar_label(drawn, labels=[f"{median:,.0f}" for median in medians], padding=4)
    needed = 8 * throughput.row_locks.median
    axes.axhline(needed, color=_TARGET, linestyle="--", linewidth=1)
    axes.text(-0.4, needed, "8 × row locks", color=_TARGET, va="bottom", fontsize=9)
    axes.set_ylabel("booking decisions per second")
    axes.set_title("Kafka in, every rule, PostgreSQL, Kafka out")
    axes.margins(y=0.12)
    _finish(figure, [axes], path)


def plot_latency(latency: Latency, path: Path) -> None:
    """For each rate, the share of commands whose outcome came within a time."""
    figure, several = plt.subplots(1, len(latency.mesh), figsize=(8, 4.2), sharey=True, squeeze=False)
    shares = list(range(1, 100))
    for axes, rate in zip(several[0], latency.mesh, strict=True):
        axes.plot(percentiles_of(latency.echo[rate]), shares, color="#8a8378", linewidth=2, label="bare Kafka echo")
        axes.plot(percentiles_of(latency.mesh[rate]), shares, color=_MESH, linewidth=2, label="mesh")
        axes.set_xlim(left=0)
        axes.set_xlabel("milliseconds from command to outcome")
        axes.set_title(f"{rate:,} commands per second")
        axes.grid(axis="x", color="#e5e2dc")
    several[0][0].set_ylabel("% of commands")
    several[0][0].legend(loc="lower right", frameon=False)
    _finish(figure, list(several[0]), path)


def plot_curve(curve: Curve, path: Path) -> None:
    """Latency against the offered rate: the middle as a line, up to the 99th percentile as a band."""
    figure, axes = plt.subplots(figsize=(8, 4.2))
    rates = list(curve.mesh)
    for name, runs, color in (("bare Kafka echo", curve.echo, "#8a8378"), ("mesh", curve.mesh, _MESH)):
        middles = [runs[rate].p50 for rate in rates]
        axes.plot(rates, middles, color=color, linewidth=2, marker="o", markersize=4, label=f"{name}, p50 and up to p99")
        axes.fill_between(rates, middles, [runs[rate].p99 for rate in rates], color=color, alpha=0.15, linewidth=0)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks(rates, [f"{rate:,}" for rate in rates])
    axes.minorticks_off()
    axes.yaxis.set_major_formatter(lambda milliseconds, _: f"{milliseconds:g}")
    axes.set_xlabel("commands per second offered to one worker")
    axes.set_ylabel("milliseconds from command to outcome")
    axes.grid(color="#e5e2dc")
    axes.legend(loc="upper left", frameon=False)
    _finish(figure, [axes], path)


def plot_lateness(lateness: Lateness, path: Path) -> None:
    """For each kind of deadline, how many were kept how late; the few that were later than the axis reaches are in its last bar."""
    figure, several = plt.subplots(1, len(lateness.kinds), figsize=(8, 4.2), sharey=True, squeeze=False)
    longest = 1.2 * max(LIMIT_MILLISECONDS, *(kind.percentile(99).median for kind in lateness.kinds))
    edges = [number * longest / _HISTOGRAM_BARS for number in range(_HISTOGRAM_BARS + 1)]
    for axes, kind in zip(several[0], lateness.kinds, strict=True):
        p99 = kind.percentile(99).median
        shown = [min(max(late, 0), longest) for late in kind.late_milliseconds]
        axes.hist(shown, bins=edges, weights=[100 / len(shown)] * len(shown), color=_MESH)
        axes.axvline(p99, color="#444444", linewidth=1)
        axes.axvline(LIMIT_MILLISECONDS, color=_TARGET, linestyle="--", linewidth=1)
        for place, name, color in ((p99, "p99", "#444444"), (LIMIT_MILLISECONDS, "p99 at the most", _TARGET)):
            axes.text(
                place, 0.99, f"{name} ", color=color, rotation=90, ha="right", va="top", fontsize=9, transform=axes.get_xaxis_transform()
            )
        axes.set_xlim(0, longest)
        axes.set_xlabel("milliseconds after the deadline")
        axes.set_title(f"{kind.what},\n{kind.due}", fontsize=11)
    several[0][0].set_ylabel("% of them")
    _finish(figure, list(several[0]), path)


def _finish(figure: Figure, several: list[Axes], path: Path) -> None:
    for axes in several:
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_axisbelow(True)
    figure.tight_layout()
    figure.savefig(path.with_suffix(".svg"), metadata={"Date": None})
    figure.savefig(path.with_suffix(".png"), dpi=150)
    plt.close(figure)
