"""The plots of the report."""

from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.latency import Latency, percentiles_of
from bench.results import Spread
from bench.throughput import Throughput

_MESH, _BASELINE, _TARGET = "#0b6e75", "#b8b2a7", "#c2410c"


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


def _finish(figure: Figure, several: list[Axes], path: Path) -> None:
    for axes in several:
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_axisbelow(True)
    figure.tight_layout()
    figure.savefig(path.with_suffix(".svg"), metadata={"Date": None})
    figure.savefig(path.with_suffix(".png"), dpi=150)
    plt.close(figure)
