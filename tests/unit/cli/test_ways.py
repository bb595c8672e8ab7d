"""What follows from what, and how it is drawn."""

from shared.cli.drawing import draw
from shared.cli.seen import Seen
from shared.cli.ways import Step, first_and_last, way_of
from tests.unit.cli.records import COMMANDS, PREFIX, command, event, request, seen


def places(step: Step) -> list[object]:
    """The tree below a step, by offsets and ids."""
    return [step.seen.id, [places(effect) for effect in step.effects]]


def drawn(*records: Seen) -> list[str]:
    return [line.plain.rstrip() for line in draw(way_of(records), PREFIX)]


def test_an_event_follows_from_the_command_at_its_place_and_a_request_from_the_event_that_it_names() -> None:
    asked = command(offset=4)
    happened = event(of=asked, identifier="e-1")
    told = request(of=happened)
    assert [places(root) for root in way_of([told, happened, asked])] == [["c-1", [["e-1", [["n-1", []]]]]]]


def test_without_its_cause_a_record_begins_a_way_of_its_own() -> None:
    happened = event(of=command())
    assert [places(root) for root in way_of([happened])] == [["e-1", []]]


def test_copies_of_a_message_are_one_step() -> None:
    first, again = command(offset=1), command(offset=9, after_ms=50)
    happened, published_again = event(1, of=first), event(7, of=first, after_ms=60)
    (root,) = way_of([again, first, published_again, happened])
    assert root.seen is first
    assert root.copies == [(COMMANDS, 0, 9)]
    assert [len(effect.copies) for effect in root.effects] == [1]


def test_an_event_of_a_copy_follows_from_the_same_step() -> None:
    first, again = command(offset=1), command(offset=9, after_ms=50)
    (root,) = way_of([first, again, event(of=again, after_ms=60)])
    assert [effect.seen.id for effect in root.effects] == ["e-1"]


def test_a_record_that_is_found_twice_is_one() -> None:
    asked = command()
    (root,) = way_of([asked, asked])
    assert not root.copies


def test_records_without_ids_are_steps_of_their_own() -> None:
    assert len(way_of([seen(offset=1, value=b"{"), seen(offset=2, value=b"{")])) == 2


def test_a_state_follows_from_the_event_that_made_it_so() -> None:
    asked, again = command(0), command(1, "c-2", after_ms=10)
    booked, refused = event(0, of=asked, version=1), event(1, of=again, identifier="e-2", after_ms=11, version=1)
    state = seen(
        "telemed.booking.appointments.v1", after_ms=20, value={"version": 1}, subject="apt-1", id="s", type="booking.appointment.state.v1"
    )
    assert [places(root) for root in way_of([state, refused, booked, again, asked])] == [
        ["c-1", [["e-1", [["s", []]]]]],
        ["c-2", [["e-2", []]]],
    ]


def test_no_record_is_its_own_cause() -> None:
    odd = seen(value={}, id="x", source="/s", type="a.b.c.v1", causationid="x")
    assert [places(root) for root in way_of([odd])] == [["x", []]]


def test_the_way_is_drawn_with_the_times_between_the_steps() -> None:
    asked = command(0, "c-1")
    booked = event(0, of=asked, after_ms=5)
    expire = command(1, "c-2", after_ms=20_000)
    assert drawn(asked, booked, request(of=booked, after_ms=9), expire) == [
        "17:46:40.000  ● book appointment       booking.commands[0]@0  doctor doctor-1  (c-1 of /tests)",
        "      + 5 ms  └─ appointment booked    booking.events[0]@0    doctor doctor-1",
        "      + 4 ms     └─ send notification  notify.commands[0]@0   appointment_booked  to patient-1  about appointment apt-1  (n-1 of /caremesh/booking)",
        "           ⋮  20.0 s later",
        "17:47:00.000  ● book appointment       booking.commands[0]@1  doctor doctor-1  (c-2 of /tests)",
    ]


def test_branches_are_drawn_through() -> None:
    asked = command()
    booked, activated = event(0, of=asked), event(1, of=asked, identifier="e-2", after_ms=6)
    lines = drawn(asked, booked, activated, request(0, of=booked, identifier="n-1"), request(1, of=booked, identifier="n-2"))
    assert [line[14:].split(" a")[0].split(" s")[0].split(" b")[0] for line in lines] == ["●", "├─", "│  ├─", "│  └─", "└─"]


def test_markup_in_a_record_is_no_markup() -> None:
    (line,) = drawn(command(note="[bold red]x[/]"))
    assert "note=[bold red]x[/]" in line


def test_a_way_reaches_from_its_earliest_record_to_its_latest() -> None:
    asked = command()
    late = request(of=event(of=asked), after_ms=90)
    first, last = first_and_last(way_of([asked, event(of=asked), late]))
    assert (first, last) == (asked, late)
