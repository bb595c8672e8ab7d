"""What people type becomes a command, or a sentence that says what is wrong."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.cli.fields import Fields, counts_from_now
from shared.cli.reaching import CannotError
from shared.cli.send import command_named
from shared.messages.billing import ActivateSubscription
from shared.messages.booking import BookAppointment
from shared.messages.fields import Actor, Modality, Role
from shared.messages.notify import SetPreferences
from shared.messages.registry import COMMANDS

NOW = datetime(2030, 1, 7, 12, 0, 0, 999_999, tzinfo=UTC)
THIS_SECOND = NOW.replace(microsecond=0)
WISH = ("doctor_id=doctor-1", "patient_id=patient-1", "starts_at=+2d", "modality=video", "actor=patient:patient-1")


def book(*pairs: str) -> BookAppointment:
    replaced = {pair.partition("=")[0] for pair in pairs}
    command = Fields(BookAppointment).command_of([*(pair for pair in WISH if pair.partition("=")[0] not in replaced), *pairs], NOW)
    assert isinstance(command, BookAppointment)
    return command


def problem(*pairs: str) -> str:
    with pytest.raises(CannotError) as refused:
        book(*pairs)
    return str(refused.value)


def test_fields_become_a_command_each_read_as_its_type_says() -> None:
    command = book("duration_minutes=45", "user_timezone=Africa/Blantyre")
    assert command == BookAppointment(
        doctor_id="doctor-1",
        patient_id="patient-1",
        starts_at="2030-01-09T12:00:00Z",  # type: ignore[arg-type]
        duration_minutes=45,
        modality=Modality.VIDEO,
        user_timezone="Africa/Blantyre",
        actor=Actor(role=Role.PATIENT, id="patient-1"),
    )


@pytest.mark.parametrize(
    "text, starts_at",
    [
        ("2030-01-31T11:30:00+02:00", datetime(2030, 1, 31, 9, 30, tzinfo=UTC)),
        ("now", THIS_SECOND),
        ("+90s", THIS_SECOND + timedelta(seconds=90)),
        ("-1.5h", THIS_SECOND - timedelta(hours=1.5)),
    ],
)
def test_times_are_rfc_3339_or_count_from_now(text: str, starts_at: datetime) -> None:
    assert book(f"starts_at={text}").starts_at == starts_at


@pytest.mark.parametrize(
    "pairs", [("actor=patient:a:b",), ("actor.role=patient", "actor.id=a:b"), ('actor={"role":"patient","id":"a:b"}',)]
)
def test_an_actor_is_role_and_id_in_one_in_parts_or_as_json(pairs: tuple[str, ...]) -> None:
    wish = [pair for pair in WISH if not pair.startswith("actor")]
    command = Fields(BookAppointment).command_of([*wish, *pairs], NOW)
    assert getattr(command, "actor") == Actor(role=Role.PATIENT, id="a:b")  # noqa: B009 - mypy knows a Command only


def test_an_id_that_looks_like_a_number_stays_text() -> None:
    assert book("doctor_id=7").doctor_id == "7"


def test_parts_reach_into_what_is_inside() -> None:
    command = Fields(ActivateSubscription).command_of(
        ["patient_id=p", "units.text=5", "units.video=2", "currency=MWK", "ends_at=+30d", "actor=admin:a"], NOW
    )
    assert isinstance(command, ActivateSubscription)
    assert command.units.model_dump() == {"text": 5, "voice": 0, "video": 2}
    preferences = Fields(SetPreferences).command_of(["recipient_id=r", "channels.sms=no", "channels.email=true", "actor=patient:r"], NOW)
    assert isinstance(preferences, SetPreferences)
    assert (preferences.channels.sms, preferences.channels.email) == (False, True)


@pytest.mark.parametrize(
    "pair, words",
    [
        ("doctr_id=1", "has no field doctr_id. Did you mean doctor_id? It has: doctor_id, "),
        ("actor.rol=patient", "has no field actor.rol. Did you mean role?"),
        ("doctor_id", "is no field: a field is typed key=value, such as doctor_id=doctor-7"),
        ("=x", "is no field"),
        ("a b=x", "is no field"),
        ("duration_minutes=4", "duration_minutes: Input should be greater than or equal to 5"),
        ("duration_minutes=4.5", "duration_minutes: "),
        ("duration_minutes=" + "9" * 400, "duration_minutes: "),
        ("modality=fax", "modality: Input should be 'text', 'voice' or 'video'"),
        ("starts_at=noon", "starts_at: a time is RFC 3339 with an offset"),
        ("starts_at=2030-01-31T11:30:00", "starts_at: a time is RFC 3339 with an offset"),
        ("starts_at=+2x", "starts_at: a length of time is a number and a unit"),
        ("starts_at=+99999d", "starts_at: a year lies between 1970 and 2200"),
        ("starts_at=-999999d", "starts_at: -999999d lies outside the calendar"),
        ("user_timezone=Mars", "user_timezone: a time zone is an IANA name"),
        ("actor=patient", "actor: 'patient' is no JSON"),
        ("actor={", "actor: '{' is no JSON"),
        ("actor=ghost:x", "actor.role: Input should be 'patient', 'doctor', 'admin' or 'system'"),
        ("doctor_id=a b", "doctor_id: "),
        ("doctor_id=", "doctor_id: "),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(pair: str, words: str) -> None:
    assert words in problem(pair)


def test_what_is_missing_is_named_with_where_to_look() -> None:
    with pytest.raises(CannotError) as refused:
        Fields(BookAppointment).command_of([], NOW)
    assert "doctor_id: Field required" in str(refused.value)
    assert "`caremesh send booking.appointment.book.v1 --help`" in str(refused.value)


def test_a_field_is_given_once_and_in_one_way() -> None:
    assert problem("doctor_id=a", "doctor_id=b") == "doctor_id is given twice."
    assert problem("actor=patient:a", "actor.id=b") == "actor.id is given twice."
    assert problem("actor.id=b", "actor=patient:a") == "actor is given twice."
    with pytest.raises(CannotError, match="units is given whole and in parts"):
        Fields(ActivateSubscription).command_of(["units=5", "units.text=5"], NOW)


def test_input_has_limits() -> None:
    assert "no command has so many" in problem(*(f"doctor_id={number}" for number in range(201)))
    assert "65,536 are allowed" in problem("doctor_id=" + "x" * 65_536)


def test_no_problem_repeats_what_was_typed_at_length_or_sends_it_to_the_terminal() -> None:
    for pair in ("\x1b[31m" * 100, "actor=\x1b[31m" + "x" * 1000):
        said = problem(pair)
        assert "\x1b" not in said
        assert len(said) < 400


#: Which of its fields go together depends on what they say.
NOT_BY_ITS_FIELDS_ALONE = {"notify.notification.record_delivery.v1"}


@pytest.mark.parametrize("type_", sorted(COMMANDS.keys() - NOT_BY_ITS_FIELDS_ALONE))
def test_every_command_explains_its_fields_and_its_example_passes(type_: str) -> None:
    fields = Fields(COMMANDS[type_])
    explained = list(fields.help())
    assert [field.name for field in explained] == list(COMMANDS[type_].model_fields)
    assert all(field.says for field in explained)
    example = [pair for field in explained if field.required for pair in field.example.split(" ")]
    assert fields.command_of([pair.replace("'", "") for pair in example], NOW).type == type_


@pytest.mark.parametrize(
    "given", ["booking.appointment.book.v1", "booking.appointment.book", "appointment.book", "book", "BOOK", "Book.v1"]
)
def test_a_type_goes_by_as_much_of_it_as_is_unmistakable(given: str) -> None:
    assert command_named(given) is BookAppointment


def test_a_dash_is_as_good_as_an_underscore() -> None:
    assert command_named("warn-expiry").type == "booking.appointment.warn_expiry.v1"


def test_a_type_that_can_be_several_is_answered_with_them() -> None:
    with pytest.raises(CannotError, match=r"start can be calls\.call\.start\.v1, calls\.text_session\.start\.v1"):
        command_named("start")


@pytest.mark.parametrize("given", ["bok", "appointment.bok", "booking.apointment.book.v1", "booking.appointment.boook.v1"])
def test_an_unknown_type_is_answered_with_the_close_ones(given: str) -> None:
    with pytest.raises(CannotError, match=rf"There is no command {given}\. Did you mean .*book"):
        command_named(given)


@pytest.mark.parametrize("pair", ["starts_at=+2d", "ends_at=-90s", "created_at=now"])
def test_a_time_that_counts_from_now_is_known(pair: str) -> None:
    assert counts_from_now(pair)


@pytest.mark.parametrize("pair", ["starts_at=2030-01-31T11:30:00+02:00", "doctor_id=now", "doctor_id=+2d", "starts_at=+2x", "starts_at"])
def test_a_time_of_the_calendar_does_not_count_from_now(pair: str) -> None:
    assert not counts_from_now(pair)
