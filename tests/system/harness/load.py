"""A load as a platform in trouble makes it: contended slots and patients, answers to anything, copies, and poison."""

import random
from collections.abc import Callable
from typing import Final, NamedTuple

from tests.system.harness import poison
from tests.system.harness.commands import (
    Message,
    accept,
    block,
    book,
    cancel,
    complete,
    confirm,
    decline,
    mark_no_show,
    propose,
    reject,
    slot,
    take_in,
    unblock,
    withdraw,
)

_REMEMBERED = 150


class _Asked(NamedTuple):
    """An appointment that somebody asked for; what became of it, the producer does not know."""

    appointment_id: str
    doctor: str
    patient: str


_Answer = Callable[[_Asked, str], Message]

#: What follows on an appointment, whatever it has come to meanwhile, and how often.
_ANSWERS: Final[tuple[tuple[_Answer, int], ...]] = (
    (lambda asked, name: confirm(asked.appointment_id, asked.doctor, name), 40),
    (lambda asked, name: decline(asked.appointment_id, asked.doctor, name), 15),
    (lambda asked, name: cancel(asked.appointment_id, asked.doctor, name, patient=asked.patient), 25),
    (lambda asked, name: complete(asked.appointment_id, asked.doctor, name), 5),
)
#: What follows on a proposal.
_ANSWERS_TO_PROPOSALS: Final[tuple[tuple[_Answer, int], ...]] = (
    (lambda asked, name: accept(asked.appointment_id, asked.doctor, name, patient=asked.patient), 40),
    (lambda asked, name: reject(asked.appointment_id, asked.doctor, name, patient=asked.patient), 25),
    (lambda asked, name: withdraw(asked.appointment_id, asked.doctor, name), 20),
    (lambda asked, name: cancel(asked.appointment_id, asked.doctor, name, patient=asked.patient), 15),
)
#: What is said of an appointment whose time has come.
_ENDS: Final[tuple[tuple[_Answer, int], ...]] = (
    (lambda asked, name: complete(asked.appointment_id, asked.doctor, name), 50),
    (lambda asked, name: mark_no_show(asked.appointment_id, asked.doctor, name), 50),
)


class Load:
    """Commands of one producer. The same number gives the same commands."""

    def __init__(self, number: int, *, doctors: int = 12, patients: int = 60, slots: int = 400, poisoned: bool = True) -> None:
        self._random = random.Random(number)
        self._number = number
        self._count = 0
        self._doctors, self._patients, self._slots = doctors, patients, slots
        self._poisoned = poisoned
        self._asked: list[_Asked] = []
        self._proposed: list[_Asked] = []
        self._started: list[_Asked] = []
        self._blocked: list[tuple[str, str]] = []
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
        message = self._good(identifier, kind)
        self.readable.add(identifier)
        self._sent.append(message)
        return message

    def _good(self, identifier: str, kind: float) -> Message:
        if kind < 0.18:
            return self._time_off(identifier)
        if kind < 0.26 and self._asked:
            return self._proposal(identifier)
        if kind < 0.37 and self._proposed:
            return self._answer(self._proposed, _ANSWERS_TO_PROPOSALS, identifier)
        if kind < 0.40 and self._started:
            return self._answer(self._started, _ENDS, identifier)
        if kind < 0.60 and self._asked:
            return self._answer(self._asked, _ANSWERS, identifier)
        return self._wish(identifier, is_import=kind > 0.95)

    def _wish(self, identifier: str, *, is_import: bool) -> Message:
        asked = _Asked(f"apt-{identifier}", self._doctor(), f"patient-{self._random.randrange(self._patients)}")
        self._asked = [*self._asked[-_REMEMBERED:], asked]
        if is_import:
            number, status = self._random.randrange(-self._slots, self._slots), self._random.choice(("confirmed", "reschedule_proposed"))
            if number < 0:
                # What has started waits for no answer any more, and it can be said how it went.
                status = "confirmed"
                self._started = [*self._started[-_REMEMBERED:], asked]
            return take_in(asked.doctor, asked.patient, slot(number), identifier, asked.appointment_id, status=status)
        starts_at, minutes = slot(self._random.randrange(self._slots)), self._random.choice((30, 30, 45, 60))
        return book(asked.doctor, asked.patient, starts_at, identifier, asked.appointment_id, minutes)

    def _proposal(self, identifier: str) -> Message:
        asked = self._random.choice(self._asked)
        self._proposed = [*self._proposed[-_REMEMBERED:], asked]
        return propose(asked.appointment_id, asked.doctor, slot(self._random.randrange(self._slots)), identifier)

    def _answer(self, to: list[_Asked], answers: tuple[tuple[_Answer, int], ...], identifier: str) -> Message:
        asked = self._random.choice(to)
        if self._random.random() < 0.03:
            # Now and then a doctor takes an appointment that is another's.
            asked = asked._replace(doctor=self._doctor())
        (answer,) = self._random.choices([answer for answer, _ in answers], [weight for _, weight in answers])
        return answer(asked, identifier)

    def _time_off(self, identifier: str) -> Message:
        if self._blocked and self._random.random() < 0.4:
            time_off_id, doctor = self._random.choice(self._blocked)
            return unblock(time_off_id, doctor, identifier)
        blocked = (f"off-{identifier}", self._doctor())
        self._blocked = [*self._blocked[-_REMEMBERED:], blocked]
        begin = self._random.randrange(self._slots)
        return block(*blocked, slot(begin), slot(begin + self._random.randrange(1, 5)), identifier)

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
