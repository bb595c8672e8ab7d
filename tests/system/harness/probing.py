"""Asking processes over HTTP how they are, as an orchestrator and Prometheus do."""

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families

from tests.system.harness.processes import Process
from tests.system.harness.waiting import until

_TIMEOUT_SECONDS = 5
_SERVED = re.compile(r"Health and metrics are served host=(\S+) port=(\d+)")


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a process said of itself; without a status it said nothing."""

    status: int | None
    body: str = ""

    @property
    def problems(self) -> str:
        return " ".join(json.loads(self.body)["problems"]) if self.body else ""


async def port_of(process: Process) -> int:
    """The port that the process serves its health on, as its log says."""
    await until(lambda: _SERVED.search(process.log()) is not None, f"{process.name} serves its health")
    served = _SERVED.search(process.log())
    assert served is not None
    assert served[1] == "127.0.0.1", "nobody else's business by default"
    return int(served[2])


async def ask(process: Process, page: str) -> Answer:
    """GET a page of a process."""
    return await asyncio.to_thread(_get, f"http://127.0.0.1:{await port_of(process)}/{page}")


def _get(url: str) -> Answer:
    try:
        with urlopen(url, timeout=_TIMEOUT_SECONDS) as response:
            return Answer(status=response.status, body=response.read().decode())
    except HTTPError as refusal:
        with refusal:
            return Answer(status=refusal.code, body=refusal.read().decode())
    except OSError:
        return Answer(status=None)


async def is_ready(process: Process, seconds: float = 30) -> Answer:
    """Return once a process says that it is ready."""
    return await says(process, "readyz", 200, seconds=seconds)


async def says(process: Process, page: str, status: int | None, problem: str = "", seconds: float = 30) -> Answer:
    """Return once a process gives such an answer, with these words in it."""
    answer = Answer(status=None)

    async def is_said() -> bool:
        nonlocal answer
        answer = await ask(process, page)
        return answer.status == status and problem in answer.problems

    try:
        await until(is_said, f"{process.name} says {status} {problem}", seconds=seconds, step=0.2)
    except AssertionError as error:
        message = f"{error} It says: {answer}\n{process.log()[-3000:]}"
        raise AssertionError(message) from None
    return answer


@dataclass(frozen=True)
class Scrape:
    """The metrics of a process at one moment."""

    samples: Mapping[str, list[tuple[dict[str, str], float]]]

    def total(self, name: str, **labels: str) -> float:
        """The sum of a metric's series that have these labels."""
        return sum(value for found, value in self.samples.get(name, []) if labels.items() <= found.items())

    def series(self, name: str, *labels: str) -> dict[Any, float]:
        """The values of a metric by these labels."""
        return {tuple(found[label] for label in labels): value for found, value in self.samples.get(name, [])}


async def scrape(process: Process) -> Scrape:
    """The metrics of a process now."""
    answer = await ask(process, "metrics")
    assert answer.status == 200, answer
    samples: dict[str, list[tuple[dict[str, str], float]]] = {}
    for family in text_string_to_metric_families(answer.body):
        for sample in family.samples:
            samples.setdefault(sample.name, []).append((sample.labels, sample.value))
    return Scrape(samples)
