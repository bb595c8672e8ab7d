"""The command line as people and scripts meet it: on a mesh that runs, in a pipe, by its exit codes. One mesh for all tests."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.system.command_line import CAREMESH, COMMANDS, DEAD, EVENTS, ROOT, CommandLine, booked, dead_letters, in_days, put, wish
from tests.system.harness.waiting import wait_until


@pytest.fixture(scope="module")
def caremesh() -> Iterator[CommandLine]:
    """The command line beside a mesh that runs."""
    home = Path(tempfile.mkdtemp(prefix="caremesh-command-line-"))
    # PostgreSQL runs as another user when root runs the tests, and has to pass.
    home.chmod(0o711)
    ours = {name: value for name, value in os.environ.items() if not name.startswith("CAREMESH_") or name == "CAREMESH_CACHE"}
    line = CommandLine(ours | {"CAREMESH_HOME": str(home), "CAREMESH_TOPIC_PARTITIONS": "4", "COLUMNS": "80"})
    with (home / "up.err").open("w") as errors:
        up = subprocess.Popen([*CAREMESH, "up"], cwd=ROOT, env=line.environment, stdout=subprocess.PIPE, stderr=errors, text=True)
    try:
        assert up.stdout is not None
        assert up.stdout.readline() == "ready\n", (home / "up.err").read_text()
        yield line
    finally:
        up.send_signal(signal.SIGTERM)
        up.wait(60)
        shutil.rmtree(home, ignore_errors=True)


# send


def test_what_is_sent_happens_and_is_printed_for_people_and_for_programs(caremesh: CommandLine) -> None:
    answer = caremesh("send", "booking.appointment.book.v1", *wish(doctor_id="doctor-of-send"))
    assert answer.code == 0
    assert answer.out.startswith("booked, version 1\n")
    assert "status" in answer.out
    event = booked(caremesh, patient_id="patient-of-send")
    assert (event["type"], event["patient_id"], event["status"]) == ("booking.appointment.booked.v1", "patient-of-send", "pending")
    confirmed = caremesh(
        "send",
        "appointment.confirm",
        f"appointment_id={event['appointment_id']}",
        f"doctor_id={event['doctor_id']}",
        f"actor=doctor:{event['doctor_id']}",
        "--json",
    )
    assert (confirmed.code, confirmed.json["outcome"], confirmed.json["refused"]) == (0, "booking.appointment.confirmed.v1", False)


def test_a_refusal_says_why_and_has_an_exit_code_of_its_own(caremesh: CommandLine) -> None:
    event = booked(caremesh)
    wanted = wish(doctor_id=event["doctor_id"], starts_at=event["starts_at"])
    answer = caremesh("send", "book", *wanted)
    assert answer.code == 1
    assert answer.out.startswith("refused: 409 slot_already_booked: This time slot is already booked.")
    answer = caremesh("send", "book", *wanted, "--json")
    assert (answer.code, answer.json["refused"], answer.json["event"]["conflict"]["appointment_id"]) == (1, True, event["appointment_id"])
    assert event["patient_id"] not in answer.out


def test_the_same_id_comes_to_the_same_outcome(caremesh: CommandLine) -> None:
    wanted = wish(starts_at=in_days(2))
    first, again = (caremesh("send", "book", *wanted, "--id", "same-1", "--json") for _ in range(2))
    assert (first.code, again.code) == (0, 0)
    assert first.json == again.json


def test_an_id_that_was_used_for_another_command_is_told_at_once(caremesh: CommandLine) -> None:
    assert caremesh("send", "book", *wish(starts_at=in_days(2)), "--id", "used-1").code == 0
    began = time.monotonic()
    answer = caremesh("send", "book", *wish(starts_at=in_days(3)), "--id", "used-1", "--timeout", "60")
    assert (answer.code, answer.out) == (1, "")
    assert answer.err.startswith("It cannot be decided: idempotency_conflict: ")
    assert time.monotonic() - began < 30


def test_without_waiting_the_place_of_the_command_is_printed(caremesh: CommandLine) -> None:
    answer = caremesh("send", "book", *wish(starts_at=in_days(2)), "--no-wait", "--json", "--id", "unawaited-1", "--source", "/somebody")
    assert answer.code == 0
    assert answer.json["command"] == {"source": "/somebody", "id": "unawaited-1", "type": "booking.appointment.book.v1"}
    assert answer.json["topic"] == COMMANDS
    wait_until(lambda: len(caremesh("trace", "unawaited-1", "--json").json["steps"]) > 1, "it is decided")


def test_where_nobody_answers_the_exit_code_says_that_it_may_still_happen(caremesh: CommandLine) -> None:
    elsewhere = {"CAREMESH_TOPIC_PREFIX": "unheard"}
    without_topics = caremesh("send", "book", *wish(), **elsewhere)
    assert without_topics.code == 2
    assert "caremesh topics create" in without_topics.err
    assert caremesh("topics", "create", "--json", **elsewhere).code == 0
    answer = caremesh("send", "book", *wish(starts_at=in_days(2)), "--timeout", "1.5", "--id", "unheard-1", **elsewhere)
    assert answer.code == 3
    assert "unheard-1" in answer.err
    assert caremesh("lag", "--at-most", "0", **elsewhere).code == 1


# tail


def test_tail_shows_each_record_in_a_line_whole(caremesh: CommandLine) -> None:
    event = booked(caremesh)
    answer = caremesh("tail", "booking", "--from-beginning", "--no-follow", "--about", event["appointment_id"])
    assert answer.code == 0
    (line,) = [line for line in answer.out.splitlines() if "booked" in line]
    for words in ("booking.events", "appointment booked", event["appointment_id"], event["patient_id"], "pending"):
        assert words in line
    assert "…" not in answer.out


def test_tail_filters_by_key_and_by_type_and_prints_records_for_programs(caremesh: CommandLine) -> None:
    event = booked(caremesh)
    asked = ("--from-beginning", "--no-follow", "--json", "--key", event["doctor_id"])
    records = [json.loads(line) for line in caremesh("tail", "booking", *asked).out.splitlines()]
    assert [record["topic"] for record in records] == [COMMANDS, EVENTS]
    assert records[1]["value"]["id"] == event["id"] == records[1]["headers"]["ce_id"]
    (only,) = caremesh("tail", "telemed.booking.events.v1", *asked, "--type", "booked").out.splitlines()
    assert json.loads(only) == records[1]
    assert not caremesh("tail", "booking.events", *asked, "--type", "rejected").out


def test_tail_follows_until_it_has_seen_enough_or_is_interrupted(caremesh: CommandLine, tmp_path: Path) -> None:
    key = "doctor-who-is-followed"
    bounded = caremesh.start("tail", "booking.events", "--since", "1h", "--key", key, "--limit", "1", "--json")
    endless_out = tmp_path / "out"
    with endless_out.open("w") as out:
        endless = caremesh.start("tail", "booking", "--since", "1h", "--key", key, out=out)
    event = booked(caremesh, doctor_id=key)
    out_text, err = bounded.communicate(timeout=60)
    assert (bounded.returncode, err) == (0, "")
    assert json.loads(out_text)["value"]["id"] == event["id"]
    wait_until(lambda: "booked" in endless_out.read_text(), "the line is there at once, also in a file")
    endless.send_signal(signal.SIGINT)
    _, err = endless.communicate(timeout=30)
    assert (endless.returncode, err) == (130, "")


@pytest.mark.parametrize("form", [(), ("--json",)], ids=["lines", "json"])
def test_tail_ends_in_peace_when_nobody_reads_on(caremesh: CommandLine, form: tuple[str, ...]) -> None:
    booked(caremesh)
    process = caremesh.start("tail", "all", "--from-beginning", *form)
    assert process.stdout is not None
    assert process.stdout.readline()
    process.stdout.close()
    # The next line finds nobody.
    booked(caremesh)
    process.stdout = None
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")


# trace


def test_trace_draws_the_way_from_the_command_to_those_who_are_told(caremesh: CommandLine) -> None:
    event = booked(caremesh, "--id", "traced-1", "--correlation-id", "talk-1", starts_at=in_days(2))

    def steps(identifier: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = caremesh("trace", identifier, "--json", "--since", "1h").json["steps"]
        return found

    # Notify accepts and delivers what each of the two is to be told; of the entity there is also how it stands.
    whole = {"command": 3, "event": 1 + 2 * 2}
    for identifier, expected in {**dict.fromkeys(("traced-1", "talk-1"), whole), event["appointment_id"]: whole | {"state": 1}}.items():
        wait_until(lambda i=identifier, e=expected: Counter(step["kind"] for step in steps(i)) == e, f"the way of {identifier} is whole")  # type: ignore[misc]
    asked, happened, *later = steps("traced-1")
    assert (asked["cause"], asked["after_milliseconds"]) == (None, None)
    assert happened["cause"]["topic"] == COMMANDS
    assert happened["record"]["value"]["id"] == event["id"]
    told = [step for step in later if step["kind"] == "command"]
    assert {step["record"]["value"]["recipient_id"] for step in told} == {event["doctor_id"], event["patient_id"]}
    assert all(step["cause"]["topic"] == EVENTS and step["after_milliseconds"] >= 0 for step in told)

    first, *drawn = caremesh("trace", event["appointment_id"]).out.splitlines()
    assert first.startswith(f"{event['appointment_id']}: 9 records within ")
    assert [line[14:].split("  ")[0] for line in drawn[:2]] == ["● book appointment", "└─ appointment booked"]
    below = Counter(line[17:].lstrip("├└─│ ").split("  ")[0] for line in drawn[2:])
    assert below == {"send notification": 2, "notification accepted": 2, "notification sent": 2, "appointment state": 1}


def test_trace_shows_a_dead_letter_after_its_record_and_finds_nothing_of_what_is_nowhere(caremesh: CommandLine) -> None:
    put(caremesh, b"doctor-of-poison", b"{", [])
    wait_until(lambda: len(dead_letters(caremesh, "doctor-of-poison")) == 1, "it is set aside")
    way = caremesh("trace", "doctor-of-poison", "--json").json["steps"]
    assert [(step["kind"], step["cause"] is not None) for step in way] == [("command", False), ("dead letter", True)]
    nowhere = caremesh("trace", "nowhere-1")
    assert (nowhere.code, nowhere.out) == (1, "")
    assert nowhere.err.startswith("Nothing that is kept names nowhere-1.")
    assert caremesh("trace", "nowhere-1", "--json").json["steps"] == []


# show


def test_show_prints_the_state_of_an_appointment_and_of_a_doctor(caremesh: CommandLine) -> None:
    event = booked(caremesh)
    shown = caremesh("show", "appointment", event["appointment_id"], "--json")
    assert shown.code == 0
    state = shown.json["appointment"]
    assert (state["status"], state["version"], state["holds_slot"]) == ("pending", 1, True)
    assert all(state[name] == event[name] for name in ("doctor_id", "patient_id", "starts_at", "expires_at"))
    for_people = caremesh("show", "appointment", event["appointment_id"])
    assert for_people.code == 0
    assert event["appointment_id"] in for_people.out
    doctor = caremesh("show", "doctor", event["doctor_id"], "--json").json["doctor"]
    assert [appointment["appointment_id"] for appointment in doctor["appointments"]] == [event["appointment_id"]]
    missing = caremesh("show", "appointment", "apt-nowhere")
    assert (missing.code, missing.out) == (1, "")
    assert "caremesh trace apt-nowhere" in missing.err


# sweeps


def test_sweeps_say_who_leads_when_they_looked_and_what_is_due(caremesh: CommandLine) -> None:
    event = booked(caremesh)

    def sweep() -> dict[str, Any]:
        found = {sweep["name"]: sweep for sweep in caremesh("sweeps", "list", "--json").json["sweeps"]}
        assert {"appointments-expire", "appointments-warn"} <= found.keys()
        expire: dict[str, Any] = found["appointments-expire"]
        return expire

    wait_until(lambda: sweep()["last_run"] is not None, "a run is noted")
    expire = sweep()
    assert expire["leader"].startswith("caremesh-booking ")
    assert expire["leader"].endswith(expire["last_run"]["ran_by"])
    assert expire["due"]["count"] == 0
    assert expire["due"]["next"] is not None
    assert expire["due"]["next"] <= event["expires_at"]


def test_a_sweep_by_hand_names_the_holder_of_the_lead_or_runs_beside_it(caremesh: CommandLine) -> None:
    sweep_began = booked(caremesh)["created_at"]
    answer = caremesh("sweeps", "run", "appointments-expire", "--wait", "0.5")
    assert answer.code == 1
    assert answer.err.startswith("appointments-expire is led by caremesh-booking ")
    answer = caremesh("sweeps", "run", "appointments-expire", "--beside", "--debug", "--json")
    assert (answer.code, answer.json["published"], answer.json["commands"]) == (0, 0, [])
    assert answer.json["next"] > sweep_began


# lag


def test_lag_tells_how_far_a_service_is_behind(caremesh: CommandLine) -> None:
    wait_until(lambda: caremesh("lag", "--at-most", "0").code == 0, "everything is read")
    consumer = caremesh("status", "--json").json["services"]["booking"]["pid"]
    os.kill(consumer, signal.SIGSTOP)
    try:
        caremesh("send", "book", *wish(), "--no-wait")
        answer = caremesh("lag", "--at-most", "0", "--json")
    finally:
        os.kill(consumer, signal.SIGCONT)
    assert (answer.code, answer.json["behind"]) == (1, 1)
    (booking,) = [group for group in answer.json["groups"] if group["service"] == "booking"]
    (topic,) = [topic for topic in booking["topics"] if topic["topic"] == COMMANDS]
    assert topic["behind"] == 1
    assert topic["oldest_waits_seconds"] > 0
    assert sum(partition["behind"] for partition in topic["partitions"]) == 1
    wait_until(lambda: caremesh("lag", "--at-most", "0").code == 0, "it has caught up")


# dlq


def test_a_dead_letter_is_listed_shown_and_published_again_as_it_was(caremesh: CommandLine) -> None:
    key, value, headers = "doctor-of-replay", b'{"broken": \xff', [("a", b"1"), ("b", b"\x00\xff"), ("a", b"2")]
    put(caremesh, key.encode(), value, headers)
    wait_until(lambda: len(dead_letters(caremesh, key)) == 1, "it is set aside")
    (letter,) = dead_letters(caremesh, key)
    assert (letter["topic"], letter["reason"], letter["copies"], letter["cut"]) == (COMMANDS, "not_json", 0, {})
    listed = caremesh("dlq", "list", "--topic", "booking.commands")
    assert letter["id"] in listed.out
    assert "not_json" in listed.out
    shown = caremesh("dlq", "show", letter["id"][:8], "--json")
    assert shown.json["headers"] == [["a", "1"], ["b", "\x00�"], ["a", "2"]]
    assert letter["id"] in caremesh("dlq", "show", letter["id"]).out

    replayed = caremesh("dlq", "replay", letter["id"], "--json")
    assert replayed.code == 0
    (place,) = replayed.json["replayed"]
    records = [
        json.loads(line)
        for line in caremesh("tail", "booking.commands", "--from-beginning", "--no-follow", "--key", key, "--json").out.splitlines()
    ]
    first, again = records
    assert (again["partition"], again["offset"]) == (place["partition"], place["offset"])
    assert (again["value"], again["headers"], again["partition"]) == (first["value"], first["headers"], first["partition"])
    # What is wrong with the record itself is wrong again: another dead letter, of another place, with the same content.
    wait_until(lambda: len(dead_letters(caremesh, key)) == 2, "it is set aside again")
    one, other = (caremesh("dlq", "show", letter["id"], "--json").json for letter in dead_letters(caremesh, key))
    assert one["offset"] != other["offset"]
    assert [one[part] for part in ("value", "headers", "key")] == [other[part] for part in ("value", "headers", "key")]


def test_copies_of_a_dead_letter_are_one(caremesh: CommandLine) -> None:
    key = "doctor-of-copies"
    put(caremesh, key.encode(), None, [])
    wait_until(lambda: len(dead_letters(caremesh, key)) == 1, "it is set aside")
    (lies,) = [
        json.loads(line) for line in caremesh("tail", "dlq", "--from-beginning", "--no-follow", "--key", key, "--json").out.splitlines()
    ]
    put(caremesh, key.encode(), None, [(name, text.encode()) for name, text in lies["headers"].items()], topic=DEAD)
    wait_until(lambda: [letter["copies"] for letter in dead_letters(caremesh, key)] == [1], "the copy is counted")
    (letter,) = dead_letters(caremesh, key)
    assert len(caremesh("dlq", "replay", letter["id"], letter["id"][:10], "--json").json["replayed"]) == 1


def test_what_was_cut_is_not_published_again(caremesh: CommandLine) -> None:
    key = "doctor-of-the-cut"
    put(caremesh, key.encode(), b"x" * 70_000, [])
    wait_until(lambda: len(dead_letters(caremesh, key)) == 1, "it is set aside")
    (letter,) = dead_letters(caremesh, key)
    assert letter["cut"] == {"value": 70_000}
    answer = caremesh("dlq", "replay", letter["id"])
    assert (answer.code, answer.out) == (1, "")
    assert "its value (70,000 bytes) did not fit and was cut" in answer.err


def test_many_are_not_published_again_unasked(caremesh: CommandLine) -> None:
    put(caremesh, b"doctor-of-many", b"[]", [])
    wait_until(lambda: len(dead_letters(caremesh, "doctor-of-many")) == 1, "it is set aside")
    answer = caremesh("dlq", "replay", "--all", "--topic", "booking")
    assert answer.code == 2
    assert "say --yes" in answer.err
    assert caremesh("dlq", "replay", "--all", "--reason", "handler_failed", "--yes", "--json").json == {"replayed": [], "refused": []}
    assert caremesh("dlq", "show", "nowhere").code == 1


# All of it


def test_nothing_is_cut_in_a_pipe_however_narrow_the_terminal_is(caremesh: CommandLine) -> None:
    for arguments, words in (
        (("status",), "booking-processor"),
        (("topics",), "telemed.booking.commands.v1.dlq"),
        (("lag",), "telemed-booking-processor"),
        (("sweeps", "list"), "appointments-expire"),
        (("config",), "CAREMESH_PENDING_EXPIRY_SECONDS"),
        (("verify",), "looked at"),
    ):
        answer = caremesh(*arguments)
        assert words in answer.out, arguments
        # Some settings are explained with one.
        assert "…" not in answer.out or arguments == ("config",), arguments
        assert "\x1b" not in answer.out, arguments


def test_what_anybody_wrote_into_a_topic_does_nothing_to_a_terminal(caremesh: CommandLine) -> None:
    evil = b"\x1b]0;owned\x07\x1b[2J"
    put(caremesh, b"doctor-" + evil, evil, [("ce_id", evil), ("ce_type", b"a." + evil + b".b.v1")])
    put(caremesh, b"doctor-" + evil, json.dumps({evil.decode(): evil.decode(), "type": evil.decode()}).encode(), [])
    wait_until(lambda: caremesh("tail", "dlq", "--from-beginning", "--no-follow").out.count("owned") == 2, "both are set aside")
    for arguments in (("tail", "all", "--from-beginning", "--no-follow"), ("dlq", "list"), ("trace", "doctor-of-poison")):
        assert "\x1b" not in caremesh(*arguments).out
    for letter in dead_letters(caremesh, "doctor-" + evil.decode()):
        shown = caremesh("dlq", "show", letter["id"]).out
        assert "owned" in shown
        assert "\x1b" not in shown


def test_after_all_of_this_every_promise_was_kept(caremesh: CommandLine) -> None:
    answer = caremesh("verify", "--wait", "30", "--json")
    assert (answer.code, answer.json["passed"]) == (0, True), answer.out
