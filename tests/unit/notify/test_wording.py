"""What people read: every text in every state of its params, in their language, on their clock."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notify.wording import TEXTS, Reader, Words, word
from shared.messages.billing import Money
from shared.messages.notify import PARAMETERS, ParameterValue, Template

PATIENT, DOCTOR = "patient-1", "doctor-1"
PARAMS: dict[str, ParameterValue] = {
    "appointment_id": "apt_1",
    "call_id": "call_1",
    "session_id": "ses_1",
    "subscription_id": "sub_1",
    "doctor_id": DOCTOR,
    "patient_id": PATIENT,
    "starts_at": "2030-01-08T14:00:00Z",
    "proposed_starts_at": "2030-01-09T08:30:00Z",
    "expires_at": "2030-01-08T12:00:00Z",
    "started_at": "2030-01-08T14:00:00Z",
    "deadline_at": "2030-01-08T14:05:00Z",
    "ends_at": "2030-02-08T14:00:00Z",
    "duration_minutes": 30,
    "modality": "video",
    "user_timezone": "Africa/Blantyre",
    "cancelled_by": "doctor",
    "cancellation_reason": "illness",
    "absent": "doctor",
    "started_by": "patient",
    "ended_by": "system",
    "failure_reason": "Connection timeout after 90 seconds",
    "reason": "inactivity",
    "sessions_used": 0,
    "active_seconds": 3100,
    "connected_seconds": 59,
    "units_deducted": 1,
    "units_refused": 0,
    "units_text": 3,
    "units_voice": 0,
    "units_video": 1,
    "remaining": 2,
    "earning": Money(amount_minor=400_000, currency="MWK"),
}
MALAWI = Reader(PATIENT, "en-GB", "Africa/Blantyre")


def is_well_formed(words: Words) -> bool:
    """One line, and sentences without holes."""
    text = f"{words.title}\n{words.body}"
    assert words.title
    assert "\n" not in words.title
    assert words.body, words
    assert not re.search(r"  | [.,:]|\(\)|\{|\}|None|Undefined|\ba a|on \.|for \.", text), text
    for paragraph in words.body.split("\n\n"):
        assert paragraph == paragraph.strip()
        assert paragraph.startswith("Reference: ") or paragraph.endswith("."), paragraph
    return True


def test_there_are_values_for_every_param_that_a_template_knows() -> None:
    assert {name for names in PARAMETERS.values() for name in names} == PARAMS.keys()
    assert PARAMETERS.keys() == set(Template)


def test_every_template_has_an_english_text_and_there_is_no_other() -> None:
    assert {path.stem for path in (TEXTS / "en").iterdir()} == {*Template, "words"}


@pytest.mark.parametrize("template", Template)
@pytest.mark.parametrize("recipient_id", [PATIENT, DOCTOR])
def test_every_text_is_well_formed_whatever_it_is_told(template: Template, recipient_id: str) -> None:
    known = {name: PARAMS[name] for name in PARAMETERS[template]}
    reader = Reader(recipient_id)
    assert is_well_formed(word(template, known, reader))
    assert is_well_formed(word(template, {}, reader))
    assert is_well_formed(word(template, dict.fromkeys(known), reader))
    for missing in known:
        assert is_well_formed(word(template, {name: value for name, value in known.items() if name != missing}, reader))
    for modality in ("text", "voice", "video", "telepathy"):
        assert is_well_formed(word(template, known | {"modality": modality}, reader))


@pytest.mark.parametrize("template", Template)
def test_a_text_uses_only_what_the_contract_lists_for_it(template: Template) -> None:
    known = {name: PARAMS[name] for name in PARAMETERS[template]}
    assert word(template, PARAMS, MALAWI) == word(template, known, MALAWI)


def test_times_are_told_in_the_recipients_language_and_on_the_recipients_clock() -> None:
    british = word(Template.APPOINTMENT_CONFIRMED, PARAMS, MALAWI)
    assert british.title == "Your appointment on Tuesday, 8 January 2030, 16:00 (Central Africa Time) is confirmed"
    american = word(Template.APPOINTMENT_CONFIRMED, PARAMS, Reader(PATIENT, "en-US", "America/New_York"))
    assert american.title == "Your appointment on Tuesday, January 8, 2030, 9:00\u202fAM (EST) is confirmed".replace("\u202f", " ")


@pytest.mark.parametrize(
    "reader, zone",
    [
        (Reader(PATIENT, None, "Asia/Kolkata"), "GMT+05:30"),
        (Reader(PATIENT), "Central Africa Time"),
        (Reader(DOCTOR), "UTC"),
        (Reader(PATIENT, None, "Mars/Olympus"), "Central Africa Time"),
    ],
)
def test_the_clock_is_the_recipients_own_or_the_one_that_the_patient_booked_by(reader: Reader, zone: str) -> None:
    assert f"({zone})" in word(Template.APPOINTMENT_CONFIRMED, PARAMS, reader).title


def test_doctor_and_patient_read_what_concerns_them() -> None:
    assert "earned MWK" in word(Template.SESSION_SETTLED, PARAMS, Reader(DOCTOR)).body
    patients = word(Template.SESSION_SETTLED, PARAMS, Reader(PATIENT)).body
    assert "used 1 unit" in patients
    assert "MWK" not in patients
    assert "It costs you nothing" in word(Template.APPOINTMENT_NO_SHOW, PARAMS, Reader(PATIENT)).body
    assert "You did not join" in word(Template.APPOINTMENT_NO_SHOW, PARAMS, Reader(DOCTOR)).body


@pytest.mark.parametrize(
    "amount_minor, currency, words",
    [
        (400_000, "MWK", "earned MWK\u00a04,000.00."),
        (450, "USD", "earned US$4.50."),
        (450, "JPY", "earned JP¥450."),
        (0, "XXX", "is settled."),
    ],
)
def test_amounts_are_told_in_their_major_unit(amount_minor: int, currency: str, words: str) -> None:
    earning = Money(amount_minor=amount_minor, currency=currency)
    body = word(Template.SESSION_SETTLED, {"doctor_id": DOCTOR, "earning": earning}, Reader(DOCTOR, "en-GB")).body
    assert words.replace("\u00a0", "") in body.replace("\u00a0", ""), body


@pytest.mark.parametrize(
    "seconds, words",
    [(45, "45 seconds"), (119, "119 seconds"), (600, "10 minutes"), (3_599, "60 minutes"), (0, None), (-3, None), (10**14, None)],
)
def test_durations_are_told_in_seconds_or_minutes(seconds: int, words: str | None) -> None:
    body = word(Template.SESSION_ENDED, {"active_seconds": seconds}, Reader(PATIENT)).body
    assert (f"after {words}" in body) if words else ("after" not in body)


@pytest.mark.parametrize("value", ["tomorrow", "2030-01-08T14:00:00", "", "9999-12-31T23:59:59Z"])
def test_a_time_that_is_none_is_left_out(value: str) -> None:
    words = word(Template.APPOINTMENT_CONFIRMED, {"starts_at": value}, MALAWI)
    assert words.title == "Your appointment is confirmed"


def test_a_language_that_is_not_there_is_english_with_english_dates() -> None:
    for language in ("ny", "pt-MZ", "", "x", "../../etc", "en_US_POSIX_and_more"):
        assert word(Template.APPOINTMENT_CONFIRMED, PARAMS, Reader(PATIENT, language, "UTC")).title.startswith(
            "Your appointment on Tuesday"
        )


def test_a_translation_is_a_folder_and_what_it_lacks_is_said_in_english(tmp_path: Path) -> None:
    (tmp_path / "en").symlink_to(TEXTS / "en")
    (tmp_path / "pt").mkdir()
    (tmp_path / "pt" / "appointment_confirmed.jinja").write_text("Consulta confirmada: {{ starts_at }}\n\nAté breve.\n", encoding="utf-8")
    reader = Reader(PATIENT, "pt-MZ", "Africa/Maputo")
    translated = word(Template.APPOINTMENT_CONFIRMED, PARAMS, reader, texts=tmp_path)
    assert translated.title == "Consulta confirmada: terça-feira, 8 de janeiro de 2030, 16:00 (Hora da África Central)"
    assert translated.body == "Até breve."
    assert word(Template.APPOINTMENT_DECLINED, PARAMS, reader, texts=tmp_path).title.startswith("Your appointment request for Tuesday")


@given(
    values=st.dictionaries(st.sampled_from(sorted(PARAMS)), st.text(max_size=40) | st.integers(-(2**53), 2**53) | st.booleans() | st.none())
)
def test_no_param_breaks_a_text(values: dict[str, ParameterValue]) -> None:
    for template in Template:
        words = word(template, values, MALAWI)
        assert words.title
        assert words.title.isprintable()
        assert all(line.isprintable() for line in words.body.split("\n"))
