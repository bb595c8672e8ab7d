"""The demonstration as a visitor meets it, and what its mesh answers to the rest of the command line."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from shared.embedded.mail import caught_mails
from shared.mesh import MESH, modules
from tests.system.harness.waiting import wait_until

ROOT = Path(__file__).parents[2]
CAREMESH = [sys.executable, "-m", "shared.cli.main"]
PLAYED = (
    "Double booking prevented",
    "Patient not in two places",
    "Redelivered command decided once",
    "No activity lost in a text session",
    "Told once, by e-mail and in the inbox",
    "The auditor agrees",
)
EXPIRY = "Pending appointment expires, patient told once"
SERVERS = ("kafka", "postgres", "mail")
#: These wait for a deadline: they can be tried on a mesh with short limits alone.
WAITING = (EXPIRY, "Call stuck in connecting fails, patient told once", "Balance never negative")
#: Who is told what in each of them: the end of the person's id, and how the e-mail begins.
TOLD = {
    "both-19": "We have your appointment request",
    "again": "We have your appointment request",
    "race": "Cancelled: the appointment",
    "writing": "Your text session has ended",
}
TOLD_WHO_WAITED = {
    "waiting": "Your appointment request",
    "calling": "Your call could not be connected",
    "paying": "You have no units left",
}


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("CAREMESH_") or name == "CAREMESH_CACHE"}
    return ours | {"CAREMESH_HOME": str(tmp_path / "home")}


def cells(output: str, title: str) -> list[list[str]]:
    """The rows of the table below a line."""
    lines = output.partition(title)[2].splitlines()
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in lines if line.startswith("│")]


def verdicts(output: str) -> dict[str, str]:
    """The table's rows: promise → verdict."""
    return {row[1]: row[0] for row in cells(output.partition("What the tests told people")[0], "promise") if row[0]}


def told(output: str) -> dict[str, str]:
    """The people whom the scenarios told something: id → the e-mail's subject; but for the winner of the race, who is not known before."""
    rows = [row for row in cells(output, "What the tests told people") if "-race-" not in row[0]]
    assert all(since != "-" for _, _, since in rows), "each lies in the inbox"
    return {person: subject for person, subject, _ in rows}


def are_told(found: dict[str, str], expected: dict[str, str]) -> bool:
    return len(found) == len(expected) and all(
        subject.startswith(expected[person.partition("-")[2].partition("-")[2]]) for person, subject in found.items()
    )


def process_ids(home: Path) -> list[int]:
    try:
        return [*json.loads((home / "mesh.json").read_text())["processes"].values()]
    except (FileNotFoundError, ValueError):
        return []


def nothing_is_left(pids: list[int], home: Path) -> bool:
    gone = [psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)]
    return not psutil.wait_procs(gone, timeout=5)[1] and not (home / "mesh.json").exists()


class Demo:
    """``caremesh demo`` in a process of its own, without a terminal."""

    def __init__(self, environment: dict[str, str], *arguments: str) -> None:
        self.home = Path(environment["CAREMESH_HOME"])
        self._path = self.home.parent / "demo.out"
        with self._path.open("w") as output:
            self.process = subprocess.Popen(
                [*CAREMESH, "demo", *arguments], cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )

    def output(self) -> str:
        return self._path.read_text()

    def wait_for(self, words: str, *, seconds: float = 90) -> None:
        deadline = time.monotonic() + seconds
        while words not in self.output():
            assert self.process.poll() is None, self.output()
            assert time.monotonic() < deadline, self.output()
            time.sleep(0.1)

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return self.process.wait(40)


def test_every_promise_that_exists_is_tried_and_nothing_is_left_behind(environment: dict[str, str]) -> None:
    demo = Demo(environment, "--exit")
    demo.wait_for("The mesh is ready")
    pids = process_ids(demo.home)
    assert len(pids) == len(SERVERS) + len(MESH)
    assert demo.process.wait(120) == 0, demo.output()
    found = verdicts(demo.output())
    assert found == dict.fromkeys((*PLAYED, *WAITING), "PASS")
    people = told(demo.output())
    assert are_told(people, TOLD | TOLD_WHO_WAITED), people
    mails = Counter((mail.to.partition("@")[0], mail.subject) for mail in caught_mails(demo.home))
    assert {mails[person] for person in people.items()} == {1}, "each came by SMTP, and once"
    assert nothing_is_left(pids, demo.home)


def test_ctrl_c_while_it_starts_ends_what_was_started(environment: dict[str, str]) -> None:
    demo = Demo(environment)
    wait_until(lambda: any((demo.home / "run").glob("*.pid")), "something is started", step=0.02)
    pids = [json.loads(record.read_text())["pid"] for record in (demo.home / "run").glob("*.pid")]
    assert demo.end(signal.SIGINT) == 130
    assert nothing_is_left(pids, demo.home)


@pytest.fixture
def staying(environment: dict[str, str]) -> Iterator[Demo]:
    """A mesh with about the limits of every day, which stays up after the table."""
    every_day = {"PENDING_EXPIRY_SECONDS": "86400", "CALL_CONNECT_TIMEOUT_SECONDS": "90", "BILLING_PERIOD_SECONDS": "601"}
    demo = Demo(environment | {f"CAREMESH_{name}": value for name, value in every_day.items()})
    yield demo
    if demo.process.poll() is None:
        demo.end(signal.SIGTERM)


def test_a_mesh_that_stays_up_answers_the_command_line_until_sigterm(staying: Demo, environment: dict[str, str]) -> None:
    staying.wait_for("The mesh stays up")
    assert {verdicts(staying.output())[title] for title in WAITING} == {"not run"}
    assert "caremesh" in staying.output()
    assert "-X partitioner=murmur2_random" in staying.output()
    people = told(staying.output())
    assert are_told(people, TOLD), people

    def caremesh(*arguments: str) -> tuple[int, Any]:
        done = subprocess.run([*CAREMESH, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        assert "Traceback" not in done.stderr, done.stderr
        return done.returncode, json.loads(done.stdout) if "--json" in arguments else done.stdout

    code, status = caremesh("status", "--json")
    assert (code, status["ready"]) == (0, True)
    code, topics = caremesh("topics", "--json")
    assert code == 0
    assert {topic["name"]: topic["partitions"] for topic in topics["topics"]}["telemed.booking.commands.v1"] == 8
    assert all(topic["problems"] == [] for topic in topics["topics"])
    assert caremesh("topics", "create", "--json") == (0, {"created": []})
    assert caremesh("migrate", "--json") == (0, {"migrated": [module.rpartition(".")[2] for module in modules()]})
    code, config = caremesh("config", "--json")
    assert (config["CAREMESH_KAFKA_BOOTSTRAP_SERVERS"], config["CAREMESH_BILLING_PERIOD_SECONDS"]) == (status["kafka"], 601)
    assert caremesh("verify", "--json", "--wait", "20")[1]["passed"] is True

    # What somebody was told, as they and an operator see it.
    [(patient, subject)] = [(person, subject) for person, subject in people.items() if person.endswith("-again")]
    code, inbox = caremesh("inbox", patient, "--json")
    assert (code, inbox["unread"], [entry["template"] for entry in inbox["entries"]]) == (0, 1, ["appointment_booked"])
    code, mails = caremesh("mail", "--to", f"{patient}@demo.example", "--json")
    assert (code, [mail["subject"] for mail in mails]) == (0, [subject])

    # A second play on the mesh that runs: it says what it cannot try here, and leaves the mesh as it is.
    code, output = caremesh("demo")
    assert code == 0
    found = verdicts(output)
    assert {found[title] for title in WAITING} == {"not run"}
    assert "CAREMESH_PENDING_EXPIRY_SECONDS=6" in output.replace("\n", "")
    assert {found[title] for title in PLAYED} == {"PASS"}

    # A second worker joins, and leaves in order.
    worker = subprocess.Popen([*CAREMESH, "run", "booking"], cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)
    wait_until(lambda: caremesh("status", "--json")[1]["services"]["booking"]["members"] == 2, "the second is a member", seconds=40)
    worker.terminate()
    assert worker.wait(20) == 0

    pids = process_ids(staying.home)
    assert staying.end(signal.SIGTERM) == 0
    assert nothing_is_left(pids, staying.home)
