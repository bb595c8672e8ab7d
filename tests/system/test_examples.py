"""The examples of plain producers, really run against the real booking, wherever their runtime is at hand."""

import asyncio
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from shared.topics import partition_of
from tests.architecture.sources import ROOT
from tests.system.harness.commands import slot
from tests.system.harness.mesh import Mesh

EXAMPLES = ROOT / "docs" / "examples"
INSTALL_SECONDS = 240
RUN_SECONDS = 120


def prepared(language: str, folder: Path, needs: str, *install: str) -> Path:
    """A copy of an example with what it depends on; skips where that cannot be had."""
    if shutil.which(needs) is None:
        pytest.skip(f"there is no {needs} here")
    project = folder / language
    shutil.copytree(EXAMPLES / language, project, ignore=shutil.ignore_patterns("node_modules", "target"))
    if install:
        try:
            subprocess.run(install, cwd=project, check=True, capture_output=True, text=True, timeout=INSTALL_SECONDS)
        except subprocess.CalledProcessError as error:
            pytest.skip(f"what the example needs cannot be installed here: {(error.stdout + error.stderr)[-300:]}")
        except subprocess.TimeoutExpired:
            pytest.skip(f"what the example needs was not installed within {INSTALL_SECONDS} seconds")
    return project


async def run(mesh: Mesh, project: Path, *command: str) -> str:
    # What Maven does is over before a thorough compiler pays for itself.
    options = {"MAVEN_OPTS": "-XX:TieredStopAtLevel=1"}
    environment = os.environ | options | {"KAFKA": mesh.bootstrap_servers, "PREFIX": mesh.settings.topic_prefix}
    process = await asyncio.create_subprocess_exec(
        *command, cwd=project, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        output, errors = await asyncio.wait_for(process.communicate(), RUN_SECONDS)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, (output.decode(), errors.decode())
    # Maven ends its colours even where there are none.
    return re.sub(r"\x1b\[[0-9;]*m", "", output.decode()).strip()


async def books_once_and_is_refused_then(mesh: Mesh, project: Path, command: Sequence[str], *, in_one_argument: bool = False) -> None:
    mesh.consumer()
    # The topics were just created: their partitions have no leader for a moment.
    await mesh.ends(mesh.events_topic)

    async def book(*arguments: str) -> str:
        return await run(mesh, project, *command, *([" ".join(arguments)] if in_one_argument else arguments))

    first, second = (next(doctor for doctor in map("doctor-{}".format, range(99)) if partition_of(doctor.encode(), 4) == n) for n in (1, 2))
    booked = await book(first, "patient-1", slot(0), "asked-1")
    assert booked.startswith("booked apt_")
    assert await book(first, "patient-1", slot(0), "asked-1") == booked, "the same id comes to the same outcome"
    refused = await book(first, "patient-2", slot(0))
    assert refused.startswith("refused 409 slot_already_booked: ")
    assert (await book(second, "patient-2", slot(0))).startswith("booked apt_")
    events = [record.json for record in await mesh.read("booking.events.v1")]
    assert {event["decision"]["partition"] for event in events if event["doctor_id"] == first} == {1}, "murmur2 of the key"
    assert {event["decision"]["partition"] for event in events if event["doctor_id"] == second} == {2}
    await mesh.decided()
    await mesh.is_clean()


async def test_the_example_in_java(mesh: Mesh, tmp_path: Path) -> None:
    # Without a line to run, the plug-in that runs it is fetched all the same.
    project = prepared("java", tmp_path, "mvn", "mvn", "--batch-mode", "--quiet", "compile", "exec:help")
    await books_once_and_is_refused_then(
        mesh, project, ["sh", "-c", 'mvn --batch-mode --quiet exec:java -Dexec.args="$0"'], in_one_argument=True
    )


async def test_the_example_for_node(mesh: Mesh, tmp_path: Path) -> None:
    project = prepared("node", tmp_path, "npm", "npm", "ci", "--no-audit", "--no-fund")
    await books_once_and_is_refused_then(mesh, project, ["node", "book.js"])


async def test_the_example_in_php(mesh: Mesh, tmp_path: Path) -> None:
    project = prepared("php", tmp_path, "php")
    extensions = subprocess.run(["php", "-m"], check=True, capture_output=True, text=True).stdout.split()
    if "rdkafka" not in extensions:
        pytest.skip("this PHP has no extension rdkafka")
    await books_once_and_is_refused_then(mesh, project, ["php", "book.php"])
