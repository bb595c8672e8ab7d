"""A load as a platform in trouble makes it: contended slots and patients, answers to anything, copies, and poison."""

import random
from typing import NamedTuple

from tests.system.harness import poison
from tests.system.harness.commands import Message, book, cancel, confirm, decline, slot

_REMEMBERED = 150


class _Asked(NamedTuple):
    appointment_id: str
    doctor: str
    patient: str


class Load:
    """Commands of one producer. The same number gives the same commands."""

    def __init__(self, number: int, *, doctors: int = 12, patients: int = 60, slots: int = 400, poisoned: bool = True) -> None:
        self._random = random.Random(number)
        self._number = number
        self._count = 0
        self._doctors, self._patients, self._slots = doctors, patients, slots
        self._poisoned = poisoned
        self._asked: list[_Asked] = []
        self._sent: list[Message] = []
        #: The identities of the readable commands.
        self.readable: set[str] = set()
        #: How many records call for a dead letter.
        self.bad_records = 0

    def chunk(self, size: int) -> list[Message]:
        """The next commands."""
        return [self._next() for _ in range(size)]

    def _next(self) -> Message:
        self._count += 1
        identifier = f"{self._number}-{self._count}"
        kind = self._random.random()
        if kind < 0.08 and self._sent:
            return self._random.choice(self._sent[-_REMEMBERED:])
        if kind < 0.14 and self._poisoned:
            return self._poison()
        message = self._answer(identifier) if kind < 0.45 and self._asked else self._wish(identifier)
        self.readable.add(identifier)
        self._sent.append(message)
        return message

    def _wish(self, identifier: str) -> Message:
        asked = _Asked(f"apt-{identifier}", self._doctor(), f"patient-{self._random.randrange(self._patients)}")
        self._asked = [*self._asked[-_REMEMBERED:], asked]
        starts_at, minutes = slot(self._random.randrange(self._slots)), self._random.choice((30, 30, 45, 60))
        return book(asked.doctor, asked.patient, starts_at, identifier, asked.appointment_id, minutes)

    def _answer(self, identifier: str) -> Message:
        asked = self._random.choice(self._asked)
        answer = self._random.random()
        if answer < 0.4:
            # Now and then a doctor takes an appointment that is another's.
            return confirm(asked.appointment_id, asked.doctor if answer > 0.02 else self._doctor(), identifier)
        if answer < 0.6:
            return decline(asked.appointment_id, asked.doctor, identifier)
        return cancel(asked.appointment_id, asked.doctor, identifier, patient=asked.patient)

    def _poison(self) -> Message:
        self.bad_records += 1
        number = self._number * 1_000_000 + self._count
        if self._random.random() < 0.5:
            return self._random.choice([*poison.unreadable(number).values()])
        kind, message = self._random.choice([*poison.refused_for_its_data(number).items()])
        self.readable.add(f"wrong-{kind}-{number}")
        return message

    def _doctor(self) -> str:
        return f"doctor-{self._random.randrange(self._doctors)}"
