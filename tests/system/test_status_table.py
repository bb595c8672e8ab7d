"""The status table, row by row, and time off, at the wire: a plain producer, the topics, and nothing of ours in between.

Every row meets appointments in every status, each of a doctor of its own, so that one mesh plays all of them at once.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
from aiokafka.partitioner import murmur2

from shared.embedded.kafka import KafkaServer
from shared.embedded.postgres import PostgresServer
from tests.conftest import own_database, own_settings
from tests.system.conftest import own_mesh
from tests.system.harness.commands import Message, book, command, in_seconds, slot
from tests.system.harness.mesh import Mesh
from tests.system.harness.reading import Events, Lying, ending
from tests.system.harness.states import Standing, published, standing
from tests.system.harness.waiting import until

OLD, NEW = slot(0), slot(1)
HOUR: Final = 3600
#: What an appointment goes through until it stands in a column; the rest is said in an import.
WAYS: Final[Mapping[str, tuple[str, ...]]] = {
    "pending": ("book",),
    "confirmed": ("book", "confirm"),
    "proposed when pending": ("book", "propose_reschedule"),
    "proposed when confirmed": ("book", "confirm", "propose_reschedule"),
    "cancelled": ("book", "cancel"),
    "completed": ("book", "confirm", "complete"),
    "no_show": ("import no_show",),
}
STATUS: Final = {column: "reschedule_proposed" if column.startswith("proposed") else column for column in WAYS}
ROLES: Final = {
    "book": "patient",
    "cancel": "patient",
    "accept_reschedule": "patient",
    "reject_reschedule": "patient",
    "complete": "system",
    "import": "admin",
}


@dataclass(frozen=True, kw_only=True)
class Row:
    """A command, and where it succeeds: column → the word of its event, and the status that it leads to. All else is a 409.

    Attributes:
        role: of the actor; none for a sweep's command.
        seconds_ago: when the appointments started, for a command that comes after the start; they are imported so.
    """

    action: str
    succeeds: Mapping[str, tuple[str, str]]
    role: str | None = "doctor"
    seconds_ago: int = 0
    more: Mapping[str, str] = field(default_factory=dict)

    def expected(self, column: str) -> tuple[str, str]:
        return self.succeeds.get(column, ("409 wrong_status", STATUS[column]))


def in_both(word: str, status: str) -> dict[str, tuple[str, str]]:
    return {"proposed when pending": (word, status), "proposed when confirmed": (word, status)}


def as_before(word: str) -> dict[str, tuple[str, str]]:
    return {"proposed when pending": (word, "pending"), "proposed when confirmed": (word, "confirmed")}


ROWS: Final[Mapping[str, Row]] = {
    "confirm": Row(action="confirm", succeeds={"pending": ("confirmed", "confirmed")}),
    "decline": Row(action="decline", succeeds={"pending": ("declined", "cancelled")}),
    "cancel": Row(
        action="cancel",
        role="patient",
        succeeds=dict.fromkeys(("pending", "confirmed", *in_both("", "")), ("cancelled", "cancelled")),
    ),
    "cancel by the doctor": Row(
        action="cancel", succeeds=dict.fromkeys(("pending", "confirmed", *in_both("", "")), ("cancelled", "cancelled"))
    ),
    "propose_reschedule": Row(
        action="propose_reschedule",
        more={"starts_at": NEW},
        succeeds=dict.fromkeys(("pending", "confirmed"), ("reschedule_proposed", "reschedule_proposed")),
    ),
    "accept_reschedule": Row(action="accept_reschedule", role="patient", succeeds=in_both("rescheduled", "confirmed")),
    "reject_reschedule": Row(action="reject_reschedule", role="patient", succeeds=as_before("reschedule_rejected")),
    "withdraw_reschedule": Row(action="withdraw_reschedule", succeeds=as_before("reschedule_withdrawn")),
    "complete by the system, before the start": Row(action="complete", role="system", succeeds={"confirmed": ("completed", "completed")}),
    "complete by the doctor, before the start": Row(action="complete", succeeds={"confirmed": ("409 not_due", "confirmed")}),
    "complete by the doctor": Row(action="complete", seconds_ago=60, succeeds={"confirmed": ("completed", "completed")}),
    "mark_no_show before the start": Row(
        action="mark_no_show", more={"absent": "patient"}, succeeds={"confirmed": ("409 not_due", "confirmed")}
    ),
    "mark_no_show": Row(action="mark_no_show", more={"absent": "both"}, seconds_ago=60, succeeds={"confirmed": ("no_show", "no_show")}),
    "mark_no_show by the system, too early": Row(
        action="mark_no_show",
        role="system",
        more={"absent": "doctor"},
        seconds_ago=60,
        succeeds={"confirmed": ("409 not_due", "confirmed")},
    ),
    "mark_no_show by the system": Row(
        action="mark_no_show", role="system", more={"absent": "doctor"}, seconds_ago=HOUR, succeeds={"confirmed": ("no_show", "no_show")}
    ),
    "expire before it is due": Row(
        action="expire", role=None, succeeds={"pending": ("409 not_due", "pending"), **in_both("409 not_due", "reschedule_proposed")}
    ),
    "expire": Row(
        action="expire",
        role=None,
        seconds_ago=60,
        succeeds={"pending": ("expired", "cancelled"), **in_both("expired", "cancelled")},
    ),
}


@dataclass(frozen=True, slots=True)
class Cell:
    """A row in a column: one appointment of a doctor and a patient of its own."""

    row: str
    column: str

    @property
    def name(self) -> str:
        return f"{list(ROWS).index(self.row)}-{list(WAYS).index(self.column)}"

    def ids(self) -> dict[str, Any]:
        return {"doctor_id": f"dr-{self.name}", "appointment_id": f"apt-{self.name}"}

    def say(self, action: str, role: str | None, identifier: str, **more: Any) -> Message:
        """Anything about its appointment, in somebody's name."""
        actors = {"doctor": f"dr-{self.name}", "patient": f"pt-{self.name}", "admin": "admin-1", "system": "calls"}
        actor: dict[str, Any] = {} if role is None else {"actor": {"role": role, "id": actors[role]}}
        return command(f"booking.appointment.{action}.v1", self.ids() | actor | more, identifier=identifier)

    def way(self) -> list[Message]:
        """What leads its appointment into the column."""
        ago = ROWS[self.row].seconds_ago
        ways = (f"import {STATUS[self.column]}",) if ago else WAYS[self.column]
        return [self._step(step, in_seconds(-ago) if ago else OLD, number) for number, step in enumerate(ways)]

    def _step(self, step: str, starts_at: str, number: int) -> Message:
        action, _, status = step.partition(" ")
        more: dict[str, Any] = {"starts_at": NEW} if action == "propose_reschedule" else {}
        if action in {"book", "import"}:
            more = {"patient_id": f"pt-{self.name}", "starts_at": starts_at, "modality": "video"}
        if action == "import":
            more |= {"status": status, "created_at": in_seconds(-2 * HOUR)}
        return self.say(action, ROLES.get(action, "doctor"), f"way-{self.name}-{number}", **more)

    def probe(self, which: str, starts_at: str) -> Message:
        """Somebody else asks for one of its times."""
        stranger = f"{which}-{self.name}"
        data: dict[str, Any] = {"doctor_id": f"dr-{self.name}", "patient_id": stranger, "starts_at": starts_at, "modality": "text"}
        data |= {"appointment_id": stranger, "actor": {"role": "patient", "id": stranger}}
        return command("booking.appointment.book.v1", data, identifier=f"probe-{stranger}")


CELLS: Final = [Cell(row, column) for row in ROWS for column in WAYS]


def of_time_off(action: str, identifier: str, time_off_id: str, **more: Any) -> Message:
    data = {"time_off_id": time_off_id, "doctor_id": "dr-off", "actor": {"role": "doctor", "id": "dr-off"}} | more
    return command(f"booking.time_off.{action}.v1", data, identifier=f"off-{identifier}")


#: Time off, in the order of the log: what each command comes to.
TIME_OFF: Final = [
    (of_time_off("block", "1", "a", starts_at=OLD, ends_at=NEW), "blocked"),
    (book("dr-off", "pt-off-1", OLD, "off-2"), "409 slot_already_booked"),
    (of_time_off("block", "3", "a", starts_at=NEW, ends_at=slot(2)), "409 time_off_exists"),
    (book("dr-off", "pt-off-1", NEW, "off-4"), "booked"),
    (of_time_off("block", "5", "b", starts_at=OLD, ends_at=slot(9)), "409 slot_already_booked"),
    (of_time_off("block", "6", "c", starts_at=NEW, ends_at=OLD), "422 invalid_data"),
    (of_time_off("unblock", "7", "a"), "unblocked"),
    (of_time_off("unblock", "8", "a"), "409 wrong_status"),
    (of_time_off("unblock", "9", "b"), "404 time_off_not_found"),
    (of_time_off("unblock", "10", "a", actor={"role": "patient", "id": "pt-off-1"}), "403 not_a_party"),
    (book("dr-off", "pt-off-2", OLD, "off-11"), "booked"),
]


@dataclass(frozen=True, kw_only=True)
class Played:
    """What the topics hold after all, and the tables after the commands and at the end."""

    events: Events
    states: list[Lying]
    requests: list[Lying]
    rows: Standing
    rows_at_the_end: Standing
    published_at_the_end: Standing


async def play(mesh: Mesh) -> Played:
    """First all ways, then all commands, then strangers who ask for the times; at last somebody reads the events."""
    mesh.consumer()
    await mesh.assigned()
    async with mesh.native_producer() as producer:
        for wave in (
            [*(message for cell in CELLS for message in cell.way()), *(message for message, _ in TIME_OFF)],
            [cell.say(row.action, row.role, f"cell-{cell.name}", **row.more) for cell in CELLS for row in [ROWS[cell.row]]],
            [cell.probe(which, starts_at) for cell in CELLS for which, starts_at in (("old", OLD), ("new", NEW))],
        ):
            await producer.publish(wave)
            await mesh.decided()
    rows = await standing(mesh)
    # Only now: its sweeps would have closed what is due before the commands here did.
    mesh.processor()
    await mesh.assigned(group=f"{mesh.group}-processor")
    await until(lambda: nothing_is_due(mesh), "all that was imported too late is swept up")
    await mesh.end_sweeps()
    await mesh.is_clean(producer.acknowledged)
    return Played(
        events=await mesh.read_events(),
        states=await mesh.read("booking.appointments.v1"),
        requests=await mesh.read("notify.commands.v1"),
        rows=rows,
        rows_at_the_end=await standing(mesh),
        published_at_the_end=await published(mesh),
    )


async def nothing_is_due(mesh: Mesh) -> bool:
    return await mesh.query("SELECT 1 FROM appointments WHERE expires_at < clock_timestamp()") == []


@pytest.fixture(scope="module")
def played(postgres: PostgresServer, kafka: KafkaServer, tmp_path_factory: pytest.TempPathFactory) -> Played:
    folder = tmp_path_factory.mktemp("status-table")

    async def play_all() -> Played:
        async with own_database(postgres) as url:
            settings = own_settings(url, folder).model_copy(update={"kafka_bootstrap_servers": kafka.bootstrap_servers})
            async with own_mesh(settings, folder) as mesh:
                return await play(mesh)

    return asyncio.run(play_all())


@pytest.mark.parametrize("column", WAYS)
def test_the_columns_are_what_they_say(column: str, played: Played) -> None:
    outcomes = played.events.outcomes()
    for cell in (cell for cell in CELLS if cell.column == column):
        words = [ending(outcomes[f"way-{cell.name}-{number}"]) for number in range(len(cell.way()))]
        assert all(not word.startswith("4") for word in words), (cell, words)
        assert outcomes[f"way-{cell.name}-{len(words) - 1}"]["status"] == STATUS[column]


@pytest.mark.parametrize("row", ROWS)
def test_each_row_of_the_table(row: str, played: Played) -> None:
    outcomes = played.events.outcomes()
    cells = {column: Cell(row, column) for column in WAYS}
    expected = {column: ROWS[row].expected(column) for column in WAYS}
    assert {
        column: (ending(outcomes[f"cell-{cell.name}"]), played.rows[f"apt-{cell.name}"][0]) for column, cell in cells.items()
    } == expected
    for column, cell in cells.items():
        outcome = outcomes[f"cell-{cell.name}"]
        if expected[column][0] == "409 wrong_status":
            conflict = outcome["conflict"]
            assert (conflict["appointment_id"], conflict["status"]) == (f"apt-{cell.name}", STATUS[column])
            assert conflict["command"] == {"type": command_type(cell.way()[-1]), "id": f"way-{cell.name}-{len(cell.way()) - 1}"}
        elif not expected[column][0].startswith("4"):
            assert outcome["status"] == expected[column][1]


@pytest.mark.parametrize("row", [row for row in ROWS if not ROWS[row].seconds_ago])
def test_each_row_leaves_the_times_held_that_its_statuses_hold(row: str, played: Played) -> None:
    outcomes = played.events.outcomes()
    for column in WAYS:
        word, status = ROWS[row].expected(column)
        holds = {"pending": "old", "confirmed": "new" if word == "rescheduled" else "old", "reschedule_proposed": "old and new"}
        for which in ("old", "new"):
            expected = "409 slot_already_booked" if which in holds.get(status, "") else "booked"
            assert ending(outcomes[f"probe-{which}-{Cell(row, column).name}"]) == expected, (column, which)


def test_time_off_and_appointments_keep_out_of_each_others_way(played: Played) -> None:
    outcomes = played.events.outcomes()
    assert [ending(outcomes[f"off-{number + 1}"]) for number in range(len(TIME_OFF))] == [word for _, word in TIME_OFF]
    assert outcomes["off-2"]["conflict"]["time_off_id"] == "a"
    assert outcomes["off-5"]["conflict"]["appointment_id"] == outcomes["off-4"]["appointment_id"]
    refused = {value["type"] for value in played.events.values if value["type"].endswith("rejected.v1") and "time_off_id" in value}
    assert refused == {"booking.time_off.rejected.v1"}


def test_what_was_done_is_told_to_whom_the_contract_names_once(played: Played) -> None:
    told = {
        "booked": ("appointment_requested", "appointment_booked"),
        "confirmed": ("appointment_confirmed",),
        "declined": ("appointment_declined",),
        "cancelled": ("appointment_cancelled",),
        "reschedule_proposed": ("reschedule_proposed",),
        "rescheduled": ("rescheduled",),
        "reschedule_rejected": ("reschedule_rejected",),
        "reschedule_withdrawn": ("reschedule_withdrawn",),
        "no_show": ("appointment_no_show", "appointment_no_show"),
        "expired": ("appointment_expired",),
    }
    words = Counter(event["type"].split(".")[2] for event in played.events.values)
    expected: Counter[str] = Counter()
    for word, templates in told.items():
        for template in templates:
            expected[template] += words[word]
    requests = {record.header("ce_id"): record.json for record in played.requests}
    assert Counter(request["template"] for request in requests.values()) == expected
    assert {request["priority"] for request in requests.values() if request["template"] == "appointment_expired"} == {"critical"}


def test_the_compacted_topic_says_how_each_appointment_stands_on_its_doctors_partition(played: Played) -> None:
    assert played.published_at_the_end == played.rows_at_the_end
    for record in played.states:
        assert record.json["appointment_id"] == (record.key or b"").decode()
        assert record.partition == (murmur2(record.json["doctor_id"].encode()) & 0x7FFFFFFF) % 4


def command_type(message: Message) -> str:
    return dict(message.headers)["ce_type"].decode()
