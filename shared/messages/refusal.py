"""Refusals: a command that is well-formed or at least readable, and that a rule or its data forbids."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum


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


class DataReason(StrEnum):
    """Why a command's data is refused before any rule is asked."""

    #: A field is missing, unknown, or has a value outside its type or bounds.
    INVALID_DATA = "invalid_data"
    #: The record's key is not the id in the body.
    KEY_MISMATCH = "key_mismatch"


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
    reason: StrEnum
    message: str
    conflict: Mapping[str, object] | None = None
