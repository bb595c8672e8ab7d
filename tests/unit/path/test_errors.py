"""Which failures pass, which belong to one record, and which end the process."""

import asyncio
from typing import Any

import asyncpg
import pytest
from sqlalchemy.exc import DBAPIError, InterfaceError

from shared.path.errors import Failure, classify, describe
from shared.path.handler import positions_after
from tests.examples import received


class ServerError(Exception):
    """What the server answered, as the driver hands it over."""

    def __init__(self, state: str) -> None:
        super().__init__("words of the server")
        self.sqlstate = state


def through_sqlalchemy(origin: Exception, *, invalidated: bool = False) -> DBAPIError:
    return DBAPIError("INSERT …", {"secret": "Jane Roe"}, origin, connection_invalidated=invalidated)


SERVER_STATES = [
    ("08006", Failure.TRANSIENT),  # connection_failure
    ("40001", Failure.TRANSIENT),  # serialization_failure
    ("40P01", Failure.TRANSIENT),  # deadlock_detected
    ("55P03", Failure.TRANSIENT),  # lock_not_available
    ("57014", Failure.TRANSIENT),  # query_canceled: statement_timeout
    ("57P01", Failure.TRANSIENT),  # admin_shutdown
    ("57P03", Failure.TRANSIENT),  # cannot_connect_now
    ("58030", Failure.TRANSIENT),  # io_error
    ("53100", Failure.TRANSIENT),  # disk_full
    ("53300", Failure.TRANSIENT),  # too_many_connections
    ("XX000", Failure.TRANSIENT),  # internal_error
    ("53200", Failure.TOO_LARGE),  # out of shared memory: the lock table
    ("22003", Failure.RECORD),  # numeric_value_out_of_range
    ("22021", Failure.RECORD),  # character_not_in_repertoire
    ("23505", Failure.OVERTAKEN),  # unique_violation
    ("23514", Failure.RECORD),  # check_violation
    ("28000", Failure.FATAL),  # invalid_authorization_specification
    ("3D000", Failure.FATAL),  # invalid_catalog_name
    ("42501", Failure.FATAL),  # insufficient_privilege
    ("42703", Failure.FATAL),  # undefined_column
    ("42P01", Failure.FATAL),  # undefined_table
]


@pytest.mark.parametrize("state, failure", SERVER_STATES)
def test_the_servers_answer_says_what_to_do(state: str, failure: Failure) -> None:
    assert classify(ServerError(state)) is failure
    assert classify(through_sqlalchemy(ServerError(state))) is failure


@pytest.mark.parametrize(
    "error",
    [
        ConnectionRefusedError("refused"),
        ConnectionResetError("reset"),
        TimeoutError("timed out"),
        asyncio.IncompleteReadError(b"", 8),
        asyncpg.InterfaceError("connection is closed"),
        asyncpg.InternalClientError("protocol is in an unexpected state"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_lost_connection_passes(error: Exception) -> None:
    assert classify(error) is Failure.TRANSIENT
    assert classify(through_sqlalchemy(error)) is Failure.TRANSIENT


def test_what_sqlalchemy_calls_invalidated_passes() -> None:
    assert classify(through_sqlalchemy(Exception("?"), invalidated=True)) is Failure.TRANSIENT


@pytest.mark.parametrize(
    "error",
    [ValueError("a fault"), ZeroDivisionError(), KeyError("x"), OverflowError(), AssertionError(), RuntimeError("ten times in a row")],
    ids=lambda error: type(error).__name__,
)
def test_our_own_faults_belong_to_a_record(error: Exception) -> None:
    assert classify(error) is Failure.RECORD


def test_a_value_that_the_driver_cannot_encode_belongs_to_a_record() -> None:
    error: Any = asyncpg.DataError("invalid input for query argument $1: an integer out of range")
    assert classify(error) is Failure.RECORD
    assert classify(InterfaceError("INSERT …", {}, error)) is Failure.RECORD


def test_an_error_is_described_without_the_statement_and_its_data() -> None:
    described = describe(through_sqlalchemy(ServerError("23505")))
    assert described == "ServerError: words of the server"
    assert "Jane" not in described
    assert describe(Exception("first line\nKey (patient)=(Jane Roe)")) == "Exception: first line"


def test_the_next_position_of_each_partition_follows_its_last_record() -> None:
    batch = [received(partition=0, offset=7), received(partition=2, offset=1), received(partition=0, offset=8)]
    assert positions_after(batch) == {("test.booking.commands.v1", 0): 9, ("test.booking.commands.v1", 2): 2}
    assert positions_after([]) == {}
