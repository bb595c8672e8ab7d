"""Random days: what people and sweeps do, in log order, close enough together to meet."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from hypothesis import strategies as st

from shared.codec.decode import Received
from shared.messages.booking import AppointmentStatus, BookingCommand, NewAppointment
from tests.examples import (
    MILLISECOND,
    NOW,
    example_acceptance,
    example_block,
    example_booking,
    example_cancel,
    example_completion,
    example_confirm,
    example_decline,
    example_expire,
    example_import,
    example_no_show,
    example_proposal,
    example_rejection,
    example_unblock,
    example_warning,
    example_withdrawal,
    hours,
    minutes,
    patient,
    received,
    system,
)

Example = Callable[..., BookingCommand]
#: Verb → what says so, and who.
_ABOUT: Final[dict[str, tuple[Example, str]]] = {
    "confirm": (example_confirm, "doctor"),
    "decline": (example_decline, "doctor"),
    "cancel": (example_cancel, "patient"),
    "accept": (example_acceptance, "patient"),
    "reject": (example_rejection, "patient"),
    "withdraw": (example_withdrawal, "doctor"),
    "complete": (example_completion, "doctor"),
    "no_show": (example_no_show, "doctor"),
    "system_complete": (example_completion, "system"),
    "system_no_show": (example_no_show, "system"),
    "expire": (example_expire, "system"),
    "warn_expiry": (example_warning, "system"),
}

_FIRST_HALF: Final = [*["book"] * 5, "confirm", "decline", "cancel", "expire", "expire", "warn_expiry"]
_SECOND_HALF: Final = [
    *["book"] * 5,
    *["propose"] * 5,
    *["accept", "reject", "withdraw"] * 2,
    *["confirm", "cancel", "expire", "warn_expiry", "complete", "no_show", "system_complete", "system_no_show"],
    *["import"] * 2,
    *["block"] * 2,
    "unblock",
]


@dataclass(frozen=True, kw_only=True)
class Step:
    """One command in the making; what it is about depends on the steps before."""

    verb: str
    doctor: int
    patient: int
    quarters_ahead: int
    shift: int
    duration_minutes: int
    target: int
    is_lost: bool
    pause: timedelta
    status: AppointmentStatus


@dataclass
class _Day:
    """What the steps before have made."""

    now: datetime = NOW
    made: list[NewAppointment] = field(default_factory=list)
    blocked: list[tuple[str, str]] = field(default_factory=list)

    def command(self, step: Step) -> BookingCommand:
        """What a step comes to."""
        match step.verb:
            case "block" | "unblock":
                return self._time_off(step)
            case "import":
                return self._imported(step)
            case verb if verb == "book" or not self.made:
                return self._booking(step)
            case verb:
                return self._about(verb, step, self.made[-1 - step.target % len(self.made)])

    def _about(self, verb: str, step: Step, target: NewAppointment) -> BookingCommand:
        assert target.appointment_id is not None
        doctor_id = "doctor-9" if step.is_lost else target.doctor_id
        if verb == "propose":
            return example_proposal(appointment_id=target.appointment_id, doctor_id=doctor_id, starts_at=self._start(step))
        example, actor = _ABOUT[verb]
        actors = {"patient": patient(target.patient_id), "system": system(), "doctor": None}
        return example(appointment_id=target.appointment_id, doctor_id=doctor_id, actor=actors[actor])

    def _start(self, step: Step) -> datetime:
        quarter = NOW + (self.now - NOW) // minutes(15) * minutes(15)
        return quarter + minutes(15 * step.quarters_ahead) + step.shift * MILLISECOND

    def _identifier(self, step: Step) -> str:
        used = self.made[0].appointment_id if self.made and step.is_lost else None
        return used or f"apt-{len(self.made)}"

    def _booking(self, step: Step) -> BookingCommand:
        command = example_booking(
            appointment_id=self._identifier(step),
            doctor_id=f"doctor-{step.doctor}",
            patient_id=f"patient-{step.patient}",
            starts_at=self._start(step),
            duration_minutes=step.duration_minutes,
        )
        self.made.append(command)
        return command

    def _imported(self, step: Step) -> BookingCommand:
        starts_at = self._start(step) - hours(step.target)
        has_proposal = step.status is AppointmentStatus.RESCHEDULE_PROPOSED and step.target % 2 == 0
        command = example_import(
            appointment_id=self._identifier(step),
            doctor_id=f"doctor-{step.doctor}",
            patient_id=f"patient-{step.patient}",
            starts_at=starts_at,
            duration_minutes=step.duration_minutes,
            status=step.status,
            created_at=self.now + hours(step.shift * 3),
            proposed_starts_at=starts_at + hours(1) if has_proposal else None,
        )
        self.made.append(command)
        return command

    def _time_off(self, step: Step) -> BookingCommand:
        if step.verb == "unblock" and self.blocked:
            identifier, doctor_id = self.blocked[-1 - step.target % len(self.blocked)]
            return example_unblock(time_off_id=identifier, doctor_id="doctor-9" if step.is_lost else doctor_id)
        doctor_id, starts_at = f"doctor-{step.doctor}", self._start(step)
        identifier = self.blocked[0][0] if self.blocked and step.is_lost else f"off-{len(self.blocked)}"
        self.blocked.append((identifier, doctor_id))
        return example_block(
            time_off_id=identifier, doctor_id=doctor_id, starts_at=starts_at, ends_at=starts_at + minutes(step.duration_minutes)
        )


def _steps(verbs: list[str], *, most: int) -> st.SearchStrategy[list[Step]]:
    step = st.builds(
        Step,
        verb=st.sampled_from(verbs),
        doctor=st.integers(0, 1),
        patient=st.integers(0, 2),
        # Starts and deadlines that meet exactly, and by a millisecond not.
        quarters_ahead=st.sampled_from([0, 1, 2, 3, 4, 5, 6, 8, 20, 24, 26, 28]),
        shift=st.sampled_from([0, 0, 0, 0, 1, -1]),
        duration_minutes=st.sampled_from([15, 30, 60, 480]),
        target=st.integers(0, 5),
        is_lost=st.sampled_from([*[False] * 9, True]),
        pause=st.sampled_from([*[timedelta()] * 5, MILLISECOND, minutes(15), minutes(30), hours(6), hours(6) + MILLISECOND]),
        status=st.sampled_from(AppointmentStatus),
    )
    return st.lists(step, min_size=8, max_size=most)


def _at_their_times(steps: Iterable[Step], *, back: timedelta = timedelta()) -> list[Received]:
    day = _Day()
    commands = []
    for index, step in enumerate(steps):
        day.now += step.pause
        commands.append(received(day.command(step), identifier=f"command-{index}", at=day.now - back * (index % 2), offset=index))
    return commands


#: Bookings and answers alone, and all that there is: the first finds its way into corners that the second seldom sees.
_any_steps = st.one_of(_steps(_FIRST_HALF, most=30), _steps(_SECOND_HALF, most=40))
#: What happens on a day: commands in log order.
days = _any_steps.map(_at_their_times)
#: The same, from two partitions whose records do not come in the order of time.
days_of_two_partitions = st.builds(
    lambda steps, back: _at_their_times(steps, back=back),
    _any_steps,
    st.sampled_from([timedelta(), timedelta(), MILLISECOND, hours(1), hours(6)]),
)
#: How many records each poll hands over.
cuts = st.lists(st.sampled_from([1, 2, 5, 30]), min_size=1, max_size=5)
