"""The load: bookings whose outcomes are known beforehand, in whatever order the doctors' commands are decided."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from shared.codec.encode import encode_command
from shared.codec.record import OutgoingMessage
from shared.messages.booking import BookAppointment
from shared.messages.fields import Actor, Modality, Role

SOURCE: Final = "/bench/clinic"
_SLOT: Final = timedelta(minutes=30)
_AHEAD: Final = timedelta(days=2)
_ONE_CONFLICT_IN: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Commands, and what must come of them."""

    messages: Sequence[OutgoingMessage]
    booked: int
    refused: int

    def first(self, count: int) -> "Load":
        """The first so many of them."""
        messages = self.messages[:count]
        refused = sum(1 for index in range(len(messages)) if is_conflict(index)) if self.refused else 0
        return Load(messages=messages, booked=len(messages) - refused, refused=refused)


def is_conflict(index: int) -> bool:
    """Whether a command asks for a slot that an earlier one takes: every tenth does."""
    return index % _ONE_CONFLICT_IN == _ONE_CONFLICT_IN - 1


def make_load(count: int, *, doctors: int, patients: int, conflicts: bool = True, name: str = "book", seed: int = 20_300_131) -> Load:
    """Make commands to book.

    Doctors come in random order; each doctor's slots are given in their order, to patients drawn at random from all. A
    patient is drawn at most once for any moment, so the only rule that refuses is the one about the doctor's slot: a
    conflict asks for a random earlier slot of its doctor.

    Args:
        count: how many.
        doctors: how many doctors there are.
        patients: how many patients there are; at least twice as many.
        conflicts: whether every tenth command is a conflict.
        name: the commands' ids begin with it.
        seed: the same commands come of the same seed.
    """
    beginning = (datetime.now(UTC) + _AHEAD).replace(hour=0, minute=0, second=0, microsecond=0)
    messages = []
    for index, (doctor, slot, patient) in enumerate(_requests(count, doctors, patients, conflicts=conflicts, seed=seed)):
        patient_id = f"{name}-patient-{patient:05}"
        command = BookAppointment(
            doctor_id=f"{name}-doctor-{doctor:04}",
            patient_id=patient_id,
            starts_at=(beginning + slot * _SLOT).isoformat(),  # type: ignore[arg-type]  # the model reads RFC 3339
            modality=Modality.VIDEO,
            user_timezone="Africa/Blantyre",
            actor=Actor(role=Role.PATIENT, id=patient_id),
        )
        messages.append(
            encode_command(command, topic="", source=SOURCE, identifier=f"{name}-{index:06}", time=datetime.now(UTC)),
        )
    refused = sum(1 for index in range(count) if is_conflict(index)) if conflicts else 0
    return Load(messages=messages, booked=count - refused, refused=refused)


def _requests(count: int, doctors: int, patients: int, *, conflicts: bool, seed: int) -> Iterator[tuple[int, int, int]]:
    """Doctor, number of the slot, patient."""
    chance = random.Random(seed)
    drawn: list[list[int]] = []
    taken = [0] * doctors
    free_for_conflict: list[list[int]] = [[] for _ in range(doctors)]
    for index in range(count):
        if conflicts and is_conflict(index):
            doctor = chance.randrange(doctors)
            while not free_for_conflict[doctor]:
                doctor = chance.randrange(doctors)
            slots = free_for_conflict[doctor]
            slot = slots.pop(chance.randrange(len(slots)))
            yield doctor, slot, drawn[slot][doctors + doctor]
            continue
        doctor = chance.randrange(doctors)
        slot = taken[doctor]
        taken[doctor] += 1
        if slot == len(drawn):
            # For each moment: a patient for each doctor, and another for the conflict; nobody twice.
            drawn.append(chance.sample(range(patients), 2 * doctors))
        free_for_conflict[doctor].append(slot)
        yield doctor, slot, drawn[slot][doctor]
