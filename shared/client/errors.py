"""What a caller of the client is told when there is no outcome. A refusal is an outcome, and no error."""

from collections.abc import Mapping
from typing import Any


class CaremeshError(Exception):
    """There is no outcome; the message says why, and what to do."""


class UnreachableError(CaremeshError):
    """The client could not connect: no broker is to be reached, or it does not let us in."""


class RequestError(CaremeshError):
    """There is no outcome of this command.

    Attributes:
        identifier: the command's id. The same command with the same id can be asked again at any time.
    """

    def __init__(self, message: str, identifier: str) -> None:
        """Say what happened, and what to do."""
        super().__init__(message)
        self.identifier = identifier


class NotPublishedError(RequestError):
    """Nothing was published: the command is not decided, and never will be unless it is asked again."""


class NoOutcomeError(RequestError):
    """It is not known whether the command was decided, or will be: ask again, with the same id."""


class UnreadableOutcomeError(RequestError):
    """The command was decided, but the outcome is not one that this version of caremesh can read.

    Attributes:
        event: the outcome as it was published.
    """

    def __init__(self, message: str, identifier: str, event: Mapping[str, Any]) -> None:
        """Say what happened, and what to do."""
        super().__init__(message, identifier)
        self.event = event
