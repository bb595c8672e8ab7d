"""Recipients from a file: good lines are taken, bad ones are told by their number, none is lost."""

from pathlib import Path

import pytest

from services.notify.importing import BadLine, GoodLine, NotATableError, RecipientLine, read_recipients

HEADER = "recipient_id,email,sms,language,timezone,unwanted,quiet_hours"


def lines_of(folder: Path, content: str | bytes, name: str = "recipients.csv") -> list[GoodLine | BadLine]:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(read_recipients(path))


def good(lines: list[GoodLine | BadLine]) -> list[RecipientLine]:
    assert all(isinstance(line, GoodLine) for line in lines), lines
    return [line.recipient for line in lines if isinstance(line, GoodLine)]


def test_a_line_names_addresses_and_preferences(tmp_path: Path) -> None:
    text = f'{HEADER}\r\np-1, a@example.org,+265 (99) 123-45.67,pt-MZ,Africa/Maputo,"sms, chat",22:00 - 07:00 Africa/Maputo\r\n'
    [line] = good(lines_of(tmp_path, text.replace(" a@", "a@")))
    assert line.values == {"email": "a@example.org", "sms": "+265991234567", "language": "pt-MZ", "timezone": "Africa/Maputo"}
    assert line.unwanted == ["sms", "chat"]
    assert line.quiet_hours is not None
    assert (f"{line.quiet_hours.start:%H:%M}", line.quiet_hours.timezone) == ("22:00", "Africa/Maputo")


def test_what_is_empty_is_erased_and_what_is_not_named_stays(tmp_path: Path) -> None:
    [line] = good(lines_of(tmp_path, "recipient_id,email\np-1,\n"))
    assert line.values == {"email": None}
    assert not line.says_preferences
    [line] = good(lines_of(tmp_path, "recipient_id,unwanted,quiet_hours\np-1,,\n"))
    assert line.values == {}
    assert line.says_preferences
    assert (line.unwanted, line.quiet_hours) == ([], None)


def test_json_lines_say_the_same(tmp_path: Path) -> None:
    text = """
{"recipient_id": "p-1", "email": "a@example.org", "unwanted": ["sms"], "quiet_hours": {"start": "22:00", "end": "07:00", "timezone": "UTC"}}

{"recipient_id": "p-2", "email": null, "quiet_hours": "13:00-14:00 UTC"}
"""
    first, second = lines_of(tmp_path, text, "recipients.jsonl")
    assert isinstance(first, GoodLine)
    assert isinstance(second, GoodLine)
    assert (first.number, second.number) == (2, 4)
    assert (first.recipient.unwanted, second.recipient.values) == (["sms"], {"email": None})
    assert second.recipient.quiet_hours is not None


@pytest.mark.parametrize(
    "cells, problem",
    [
        ("p 1,a@example.org,,,,,", "recipient_id"),
        (",a@example.org,,,,,", "recipient_id"),
        ("p-1,amina,,,,,", "email"),
        ("p-1,a@b@c,,,,,", "email"),
        ("p-1,a b@example.org,,,,,", "email"),
        ("p-1,ämina@example.org,,,,,", "email"),
        ("p-1,,0991234567,,,,", "sms"),
        ("p-1,,+26599x,,,,", "sms"),
        ("p-1,,,english please,,,", "language"),
        ("p-1,,,,Blantyre,,", "timezone"),
        ("p-1,,,,,fax,", "unwanted"),
        ("p-1,,,,,,22:00-07:00", "quiet_hours"),
        ("p-1,,,,,,22:00-22:00 UTC", "quiet_hours"),
        ("p-1,,,,,,25:00-07:00 UTC", "quiet_hours"),
        ("p-1,a@example.org", "cells"),
        ("p-1,,,,,,,", "cells"),
        ('p-1,"a"b,,,,,', "CSV"),
    ],
)
def test_a_bad_line_is_told_by_its_number_and_holds_up_no_other(tmp_path: Path, cells: str, problem: str) -> None:
    before, bad, after = lines_of(tmp_path, f"{HEADER}\nfirst,,,,,,\n{cells}\nlast,,,,,,\n")
    assert isinstance(before, GoodLine)
    assert isinstance(after, GoodLine)
    assert (before.number, after.number) == (2, 4)
    assert isinstance(bad, BadLine)
    assert (bad.number, bad.text) == (3, cells)
    assert problem in bad.problem


def test_what_is_wrong_is_told_without_what_was_there(tmp_path: Path) -> None:
    [bad] = lines_of(tmp_path, f"{HEADER}\np-1,amina banda at home,555-0101,,,,\n")
    assert isinstance(bad, BadLine)
    assert "amina" not in bad.problem
    assert "555" not in bad.problem


def test_a_quotation_mark_that_is_never_closed_spoils_its_own_line_alone(tmp_path: Path) -> None:
    bad, fine = lines_of(tmp_path, 'recipient_id,email\np-1,"a@example.org\np-2,b@example.org\n')
    assert isinstance(bad, BadLine)
    assert isinstance(fine, GoodLine)


def test_bytes_that_are_no_text_spoil_their_own_line_alone(tmp_path: Path) -> None:
    bad, fine = lines_of(tmp_path, b"recipient_id,email\np-1,\xff@example.org\np-2,b@example.org\n")
    assert isinstance(bad, BadLine)
    assert isinstance(fine, GoodLine)
    bad, fine = lines_of(tmp_path, b'{"recipient_id": "p-1", "email": "\xff@x"}\n{"recipient_id": "p-2"}\n', "r.jsonl")
    assert isinstance(bad, BadLine)
    assert isinstance(fine, GoodLine)


@pytest.mark.parametrize("text", ["[]", '{"recipient_id": "p-1"', '"p-1"', '{"recipient_id": "p-1", "shoe_size": 9}', '{"email": "a@b"}'])
def test_a_line_that_is_no_recipient_is_a_bad_one(tmp_path: Path, text: str) -> None:
    _, bad = lines_of(tmp_path, f'{{"recipient_id": "p-0"}}\n{text}\n', "r.jsonl")
    assert isinstance(bad, BadLine)
    assert bad.number == 2


@pytest.mark.parametrize("text", ["", "name,address\nAmina,a@b\n", "recipient_id,shoe_size\n", "recipient_id,email,email\n"])
def test_a_file_without_known_names_is_refused_as_a_whole(tmp_path: Path, text: str) -> None:
    with pytest.raises(NotATableError, match=r"first line"):
        lines_of(tmp_path, text)


def test_a_mark_at_the_beginning_as_spreadsheets_write_it_is_no_part_of_a_name(tmp_path: Path) -> None:
    [line] = good(lines_of(tmp_path, b"\xef\xbb\xbfrecipient_id,email\np-1,a@example.org\n"))
    assert line.recipient_id == "p-1"
