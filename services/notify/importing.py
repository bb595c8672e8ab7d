"""Reading recipients from a file: CSV with a line of names, or one JSON object a line. A bad line holds up none of the others."""

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

import orjson
from pydantic import AfterValidator, BeforeValidator, StringConstraints, ValidationError

from services.notify.store.recipients import FIELDS
from shared.codec.decode import describe_invalid
from shared.messages.fields import Identifier, Message, TimeZoneName
from shared.messages.notify import Channel, QuietHours

_EMAIL: Final = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9.-]+")
_PHONE: Final = re.compile(r"\+[1-9][0-9]{6,14}")
_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*")
_QUIET_HOURS: Final = re.compile(r"(\d\d:\d\d) *- *(\d\d:\d\d) +(\S+)")
_ENCODING: Final = "utf-8-sig"


def _matching(pattern: re.Pattern[str], sentence: str) -> AfterValidator:
    def check(value: str) -> str:
        if not pattern.fullmatch(value):
            raise ValueError(sentence)
        return value

    return AfterValidator(check)


def _without_spaces(value: Any) -> Any:
    return re.sub(r"[ ().-]", "", value) if isinstance(value, str) else value


def _choices(value: Any) -> Any:
    return value.replace(",", " ").split() if isinstance(value, str) else value


def parse_quiet_hours(value: Any) -> Any:
    """Read ``22:00-07:00 Africa/Blantyre``; anything else stays for the model to judge."""
    if not isinstance(value, str):
        return value
    found = _QUIET_HOURS.fullmatch(value.strip())
    if found is None:
        message = "quiet hours are two times and a time zone, such as 22:00-07:00 Africa/Blantyre"
        raise ValueError(message)
    return dict(zip(("start", "end", "timezone"), found.groups(), strict=True))


def _nothing_if_empty(value: Any) -> Any:
    return None if isinstance(value, str) and not value.strip() else value


_Token = Annotated[str, StringConstraints(max_length=512), _matching(re.compile(r"\S+"), "an address has no spaces")]
_Email = Annotated[str, StringConstraints(max_length=254), _matching(_EMAIL, "an e-mail address is name@domain, in ASCII")]
_Phone = Annotated[str, _matching(_PHONE, "a number for text messages is + and the country's code, such as +265991234567")]
_Language = Annotated[str, _matching(_LANGUAGE, "a language is a BCP 47 tag, such as en or pt-MZ")]
_Empty = BeforeValidator(_nothing_if_empty)


class RecipientLine(Message):
    """What one line says of one recipient. What it does not name stays as it is; what it leaves empty is erased."""

    recipient_id: Identifier
    email: Annotated[_Email | None, _Empty] = None
    push: Annotated[_Token | None, _Empty] = None
    sms: Annotated[Annotated[_Phone, BeforeValidator(_without_spaces)] | None, _Empty] = None
    chat: Annotated[_Token | None, _Empty] = None
    language: Annotated[_Language | None, _Empty] = None
    timezone: Annotated[TimeZoneName | None, _Empty] = None
    unwanted: Annotated[list[Channel] | None, BeforeValidator(_choices)] = None
    quiet_hours: Annotated[Annotated[QuietHours, BeforeValidator(parse_quiet_hours)] | None, _Empty] = None

    @property
    def values(self) -> dict[str, str | None]:
        """The addresses, the language and the time zone that it names."""
        return {name: getattr(self, name) for name in FIELDS if name in self.model_fields_set}

    @property
    def says_preferences(self) -> bool:
        """Whether it names preferences."""
        return not self.model_fields_set.isdisjoint({"unwanted", "quiet_hours"})


class GoodLine(NamedTuple):
    """A line that can be taken in."""

    number: int
    recipient: RecipientLine


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that cannot.

    Attributes:
        number: in the file, from 1.
        problem: what is wrong, without what was in it: that is personal.
        text: the line.
    """

    number: int
    problem: str
    text: str


class NotATableError(Exception):
    """Nothing can be made of the file; the message says why."""


def read_recipients(path: Path) -> Iterator[GoodLine | BadLine]:
    """Read a file line by line, in its order.

    Raises:
        OSError: the file cannot be read.
        NotATableError: it is neither CSV with a line of names nor JSON lines.
    """
    if _is_json(path):
        yield from _read_json_lines(path)
    else:
        yield from _read_csv(path)


def parse(fields: Mapping[str, Any]) -> RecipientLine:
    """Check what is said of a recipient.

    Raises:
        pydantic.ValidationError: a field is wrong, or unknown.
    """
    return RecipientLine.model_validate_json(orjson.dumps(dict(fields)))


def _is_json(path: Path) -> bool:
    with path.open(encoding=_ENCODING, errors="replace") as file:
        return next((line for line in file if line.strip()), "").lstrip().startswith("{")


def _read_json_lines(path: Path) -> Iterator[GoodLine | BadLine]:
    with path.open(encoding=_ENCODING, errors="surrogateescape") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                fields = orjson.loads(line.encode("utf-8", errors="surrogateescape"))
            except orjson.JSONDecodeError:
                yield BadLine(number, "it is not one JSON object in UTF-8", line.rstrip("\r\n"))
                continue
            yield _judged(number, line.rstrip("\r\n"), fields)


def _read_csv(path: Path) -> Iterator[GoodLine | BadLine]:
    with path.open(encoding=_ENCODING, errors="surrogateescape") as file:
        # Line by line, for no cell here holds a line break: a quotation mark that is never closed spoils its own line alone.
        names = [name.strip() for name in next(csv.reader(file), [])]
        _check_names(names)
        for number, line in enumerate(file, start=2):
            text = line.rstrip("\r\n")
            if not text.strip():
                continue
            try:
                [cells] = csv.reader([text], strict=True)
            except csv.Error as error:
                yield BadLine(number, f"it is not CSV: {error}", text)
                continue
            if len(cells) == len(names):
                yield _judged(number, text, dict(zip(names, cells, strict=True)))
            else:
                yield BadLine(number, f"it has {len(cells)} cells, and the first line names {len(names)}", text)


def _check_names(names: list[str]) -> None:
    known = set(RecipientLine.model_fields)
    if "recipient_id" not in names:
        message = f"The first line names the columns, recipient_id and any of {', '.join(sorted(known - {'recipient_id'}))}; it does not."
        raise NotATableError(message)
    unknown = [name for name in names if name not in known]
    if unknown or len(set(names)) < len(names):
        what = f"has unknown columns ({', '.join(unknown)})" if unknown else "names a column twice"
        message = f"The first line {what}. There are: {', '.join(RecipientLine.model_fields)}."
        raise NotATableError(message)


def _judged(number: int, text: str, fields: Any) -> GoodLine | BadLine:
    if not isinstance(fields, dict):
        return BadLine(number, "it is not one JSON object", text)
    try:
        return GoodLine(number, parse(fields))
    except ValidationError as error:
        return BadLine(number, describe_invalid(error), text)
    except orjson.JSONEncodeError:
        return BadLine(number, "it is not UTF-8", text)
