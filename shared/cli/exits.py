"""The exit codes of the command line, the same for every command."""

from enum import IntEnum


class Exit(IntEnum):
    """What a script can tell a command's end by."""

    #: It is done, or it is so.
    OK = 0
    #: It was looked at, and the answer is no: refused, not found, not ready, a promise broken.
    NO = 1
    #: Nothing was done or looked at: wrong usage, a setting without a valid value, no mesh, no Kafka, no database.
    CANNOT = 2
    #: It was published, and nobody answered in time; the outcome may still come.
    UNANSWERED = 3
    #: Ctrl-C.
    INTERRUPTED = 130
