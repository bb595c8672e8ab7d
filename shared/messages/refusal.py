"""Refusals: a command that is well-formed or at least readable, and that a rule or its data forbids."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Self

from shared.messages.fields import EventData, Identifier


class StatusCode(IntEnum):
    """The HTTP code that a web tier can pass on."""

    #: The actor is not a party to it, or not in that role.
    FORBIDDEN = 403
    #: No such entity.
    NOT_FOUND = 404
    #: The state forbids it.
    CONFLICT = 409
    #: The data is wrong.
    UNPROCESSABLE = 422


class RefusalReason(StrEnum):
    """Why a command is refused, in order of precedence: of two that hold at once, the first is given.

    Each member is its word on the wire, its status code, and what it means to the reader of the published contract.
    """

    status_code: StatusCode
    meaning: str

    def __new__(cls, word: str, status_code: StatusCode, meaning: str) -> Self:
        """Make a member."""
        member = str.__new__(cls, word)
        member._value_ = word
        member.status_code = status_code
        member.meaning = meaning
        return member


class DataReason(RefusalReason):
    """Why a command's data is refused before any rule is asked."""

    INVALID_DATA = "invalid_data", StatusCode.UNPROCESSABLE, "A field is missing, unknown, or has a value outside its type or bounds."
    KEY_MISMATCH = "key_mismatch", StatusCode.UNPROCESSABLE, "The record's key is not the id in the body that it must equal."


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a command is refused.

    Attributes:
        status_code: 403, 404, 409 or 422.
        reason: a value of the entity's enumeration of reasons.
        message: a sentence for people.
        conflict: what stands in the way, never with another patient's id.
    """

    status_code: StatusCode
    reason: RefusalReason
    message: str
    conflict: Mapping[str, object] | None = None


class Rejected(EventData):
    """A command was refused, and nothing has changed. Each entity has an event of its own for it, with the reasons that it knows.

    It names the ids of the command as far as they are valid.
    """

    command: Identifier
    """The type of the command that was refused."""
    status_code: StatusCode
    """The HTTP code that a web tier can pass on."""
    reason: str
    """Why, for programs: one of the reasons of this entity."""
    message: str
    """Why, for people."""
