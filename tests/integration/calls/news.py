"""Booking's events as calls reads them."""

from itertools import count
from typing import Any

from shared.codec.record import StoredRecord
from tests.calls_examples import example_heard_value
from tests.examples import DOCTOR, NOW, milliseconds


class News:
    """One partition of booking's events topic: gives out records at ascending offsets."""

    def __init__(self) -> None:
        self._offsets = count()

    def append(self, *, doctor_id: str = DOCTOR, **fields: Any) -> StoredRecord:
        """The next record."""
        value = example_heard_value(doctor_id=doctor_id, **fields)
        headers = [("ce_source", b"/caremesh/booking")]
        return StoredRecord("test.booking.events.v1", 0, next(self._offsets), milliseconds(NOW), doctor_id.encode(), value, headers)
