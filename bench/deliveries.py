"""E-mails per second by real SMTP: the mesh beside a plain loop that sends one in each transaction."""

import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from bench.ground import Ground, Stage
from bench.mesh_drain import stopped
from bench.processes import Crew
from bench.progress import Steps
from bench.results import Spread, Table, Target
from bench.sizes import Sizes
from bench.traffic import Outcome, Reader, VoidError, load_commands
from bench.workers import start_workers, wait_ready
from bench.workload import REQUEST, notification_requests
from shared.embedded.mail import MailCatcher, folder_of
from shared.messages.notify import NotifyEventType

_WORKERS: Final = 2
_STALL_SECONDS: Final = 60
_PATIENCE_SECONDS: Final = 600
_RECIPIENTS: Final = 500
_WARM_UP: Final = 50
#: Accepted, in the inbox, and the e-mail sent.
_EVENTS_EACH: Final = 3


@dataclass(frozen=True, slots=True)
class Deliveries:
    """What was measured: e-mails per second, round by round."""

    mesh: Spread
    plain_loop: Spread

    @property
    def ratio(self) -> Spread:
        """The mesh beside the loop."""
        return Spread.ratios(self.mesh, self.plain_loop)

    def targets(self) -> list[Target]:
        """The mesh beside the loop."""
        what = f"e-mails per second, mesh ({_WORKERS} workers) / a loop with one transaction for each"
        return [Target(what=what, measured=self.ratio, limit=1, at_least=True, unit=" ×")]

    def table(self) -> Table:
        """Every figure."""
        header = ("what", "mesh, 2 workers", "plain loop", "ratio")
        return Table("E-mails per second", header, [("by real SMTP", self.mesh.text(), self.plain_loop.text(), f"{self.ratio.median:.2f}")])

    def as_json(self) -> dict[str, Any]:
        """All of it."""
        return {"mesh_per_second": self.mesh.as_json(), "plain_loop_per_second": self.plain_loop.as_json()}


def steps_of(sizes: Sizes) -> int:
    """How many steps it takes."""
    return sizes.rounds * 2


async def measure_deliveries(ground: Ground, sizes: Sizes, steps: Steps) -> Deliveries:
    """Measure both in turn, round by round."""
    mesh, plain_loop = [], []
    for number in range(sizes.rounds):
        label = f"round {number + 1} of {sizes.rounds}"
        with steps.step(f"e-mails, {label}: plain loop"):
            plain_loop.append(await _measure_plain_loop(ground, sizes.plain_loop_mails))
        with steps.step(f"e-mails, {label}: mesh"):
            mesh.append(await _measure_mesh(ground, sizes.mails))
        steps.say(f"e-mails: mesh {mesh[-1]:,.0f}/s, plain loop {plain_loop[-1]:,.0f}/s")
    return Deliveries(Spread.of(mesh), Spread.of(plain_loop))


async def _measure_mesh(ground: Ground, mails: int) -> float:
    async with (
        ground.stage("mails", service="notify") as stage,
        _catcher(stage) as catcher,
        Crew(stage.folder) as crew,
        Reader(stage.settings, stage.events_topic) as events,
    ):
        await _import_addresses(stage)
        workers = start_workers(crew, stage, _WORKERS, {"CAREMESH_NOTIFY_EMAIL_URL": catcher.url})
        await wait_ready(crew, stage, groups={stage.consumer_group: _WORKERS})
        await load_commands(stage, notification_requests(_WARM_UP, _RECIPIENTS, name="warm"))
        await events.wait_for(_WARM_UP * _EVENTS_EACH, timeout_seconds=_STALL_SECONDS, check=crew.check)
        await stage.settle()
        with stopped(workers):
            await load_commands(stage, notification_requests(mails, _RECIPIENTS))
            started_at_seconds = time.time()
        await events.wait_for((_WARM_UP + mails) * _EVENTS_EACH, timeout_seconds=_STALL_SECONDS, check=crew.check)
        sent = [outcome for outcome in await events.outcomes() if outcome.type == NotifyEventType.SENT]
        _verify(stage, sent, _WARM_UP + mails)
    return mails / (max(outcome.appended_at_seconds for outcome in sent) - started_at_seconds)


async def _measure_plain_loop(ground: Ground, mails: int) -> float:
    async with ground.stage("plain loop", service="notify") as stage, _catcher(stage) as catcher, Crew(stage.folder) as crew:
        configuration = {"mail_server": catcher.url, "mails": mails, "warm_up": _WARM_UP}
        result = await crew.start_module("plain-loop", "bench.mail_loop", configuration, stage.environment()).result(_PATIENCE_SECONDS)
        _verify_count(stage, mails + _WARM_UP)
    per_second: float = result["per_second"]
    return per_second


@asynccontextmanager
async def _catcher(stage: Stage) -> AsyncIterator[MailCatcher]:
    catcher = MailCatcher(stage.folder)
    await catcher.start()
    try:
        await catcher.wait_ready()
        yield catcher
    finally:
        await catcher.stop()


async def _import_addresses(stage: Stage) -> None:
    file = stage.folder / "recipients.csv"
    file.write_text("recipient_id,email\n" + "".join(f"patient-{number:05},{number}@example.org\n" for number in range(_RECIPIENTS)))
    async with Crew(stage.folder) as crew:
        importing = crew.start("import", ["-m", "shared.cli.main", "recipients", "import", str(file)], stage.environment())
        if await importing.child.wait():
            raise importing.failed()


def _verify(stage: Stage, sent: list[Outcome], mails: int) -> None:
    """See that each was told once by each way.

    Raises:
        VoidError: it was not.
    """
    # The inbox is decided with the request itself.
    by_way = Counter(outcome.command_id.startswith((REQUEST, "warm")) for outcome in {one.event_id: one for one in sent}.values())
    if by_way != {True: mails, False: mails}:
        message = f"{by_way[True]} lie in inboxes and {by_way[False]} e-mails are sent, of {mails}. The measurement is void."
        raise VoidError(message)
    _verify_count(stage, mails)


def _verify_count(stage: Stage, mails: int) -> None:
    arrived = len(list(folder_of(stage.folder).iterdir()))
    if arrived != mails:
        message = f"{arrived} e-mails arrived, and not {mails}. The measurement is void."
        raise VoidError(message)
