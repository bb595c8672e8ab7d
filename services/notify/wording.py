"""What a notification says, in the recipient's language and on the recipient's clock.

Each language is a folder of ``texts``, with one file for each template: a title, an empty line, and paragraphs. To translate,
copy ``texts/en`` and change the words; what a language lacks is said in English. A param that is missing is empty, so each text
asks before it uses one.
"""

import re
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Final, Literal, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import jinja2
from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_time, format_timedelta, get_timezone_name
from babel.numbers import format_currency, get_currency_precision

from shared.messages.fields import parse_time
from shared.messages.money import Money
from shared.messages.notify import ParameterValue, Template

TEXTS: Final = Path(__file__).parent / "texts"
ENGLISH: Final = "en"
#: How long something took is told in minutes from here on.
_MINUTES_FROM_SECONDS: Final = 120
#: Longer than a hundred years nothing takes: it is a mistake, and not told. A timedelta would not hold it, either.
_LONGEST_SECONDS: Final = 100 * 365 * 24 * 60 * 60
#: Babel would say "1 hour" from 51 minutes on.
_NEVER_ROUNDED_UP: Final = 100
_EMPTY_LINES: Final = re.compile(r"\n\s*\n+")
_SPACE: Final = re.compile(r"\s+")
_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,3}(_[A-Za-z0-9]{2,8})*")


class Words(NamedTuple):
    """A notification as people read it.

    Attributes:
        title: one line.
        body: paragraphs, with an empty line between them.
    """

    title: str
    body: str


class Reader(NamedTuple):
    """Who reads it.

    Attributes:
        recipient_id: by which a text knows whether it speaks to the doctor or to the patient.
        language: a BCP 47 tag.
        timezone: an IANA name.
    """

    recipient_id: str
    language: str | None = None
    timezone: str | None = None


def word(template: Template, params: Mapping[str, ParameterValue], reader: Reader, texts: Path = TEXTS) -> Words:
    """Put a notification into words. Never fails for what is in the params: what they lack is left out.

    Args:
        template: what to say.
        params: ids, times and amounts to say it with.
        reader: to whom.
        texts: the folder of the languages.
    """
    found, locale = _find(template, reader.language, texts)
    zone = _zone(params, reader)
    values = {name: _prepared(name, value, locale, zone) for name, value in params.items()}
    rendered = found.render(values, to_doctor=params.get("doctor_id") == reader.recipient_id)
    title, *paragraphs = (_SPACE.sub(" ", paragraph).strip() for paragraph in _EMPTY_LINES.split(rendered.strip()))
    return Words(title, "\n\n".join(paragraph for paragraph in paragraphs if paragraph))


def _find(template: Template, language: str | None, texts: Path) -> tuple[jinja2.Template, Locale]:
    """The text in the first language that has it, and how that language writes dates: as the recipient's country does, if it can."""
    wanted = (language or ENGLISH).replace("-", "_")
    if not _LANGUAGE.fullmatch(wanted):
        wanted = ENGLISH
    for tag in (wanted, wanted.partition("_")[0]):
        if (texts / tag / f"{template}.jinja").is_file():
            return _environment(texts / tag).get_template(f"{template}.jinja"), _locale(wanted)
    return _environment(texts / ENGLISH).get_template(f"{template}.jinja"), _locale(ENGLISH)


@cache
def _environment(folder: Path) -> jinja2.Environment:
    loader = jinja2.FileSystemLoader(folder)
    # Plain text: there is no markup to escape.
    return jinja2.Environment(loader=loader, line_statement_prefix="%", keep_trailing_newline=True, autoescape=False)  # noqa: S701


@cache
def _locale(tag: str) -> Locale:
    try:
        return Locale.parse(tag)
    except (UnknownLocaleError, ValueError):
        return Locale.parse(ENGLISH)


def _zone(params: Mapping[str, ParameterValue], reader: Reader) -> ZoneInfo:
    """The recipient's clock; a patient's may also be known from the booking."""
    booked_in = params.get("user_timezone") if params.get("patient_id") == reader.recipient_id else None
    for name in (reader.timezone, booked_in):
        if isinstance(name, str) and name:
            try:
                return ZoneInfo(name)
            except (ZoneInfoNotFoundError, ValueError, OSError):
                continue
    return ZoneInfo("UTC")


def _prepared(name: str, value: ParameterValue, locale: Locale, zone: ZoneInfo) -> str | int | None:
    """A param as a text can use it: what its name says is a time or a duration, and what is money, is put into words."""
    match value:
        case Money():
            return _amount(value, locale)
        case str() if name.endswith("_at"):
            return _moment(value, locale, zone)
        case str():
            return "".join(character for character in value if character.isprintable())
        case int() if name.endswith("_seconds"):
            return _duration(value, locale)
        case _:
            return value


def _moment(value: str, locale: Locale, zone: ZoneInfo) -> str | None:
    try:
        moment = parse_time(value).astimezone(zone)
    except ValueError:
        return None
    name = get_timezone_name(moment, "short", locale=locale)
    if not name.isalpha():
        name = get_timezone_name(moment, "long", locale=locale)
    date, time = format_date(moment, "full", locale=locale), format_time(moment, "short", tzinfo=zone, locale=locale)
    return f"{date}, {time} ({name})"


def _amount(money: Money, locale: Locale) -> str | None:
    """An amount in its major unit; nothing is not worth a word."""
    if money.amount_minor == 0:
        return None
    amount = Decimal(money.amount_minor).scaleb(-get_currency_precision(money.currency))
    return format_currency(amount, money.currency, locale=locale)


def _duration(seconds: int, locale: Locale) -> str | None:
    if not 0 < seconds <= _LONGEST_SECONDS:
        return None
    granularity: Literal["minute", "second"] = "minute" if seconds >= _MINUTES_FROM_SECONDS else "second"
    return format_timedelta(timedelta(seconds=seconds), granularity=granularity, threshold=_NEVER_ROUNDED_UP, locale=locale)
