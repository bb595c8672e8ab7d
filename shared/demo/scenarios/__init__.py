"""The mission's tests, each on real topics and the real clock."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from shared.auditor import Rules, audit
from shared.demo.findings import BrokenPromiseError, Finding, Verdict, promise
from shared.demo.scenarios.billing import balance_never_negative
from shared.demo.scenarios.booking import delivered_often_decided_once, fifty_race_for_one_slot, one_patient_two_doctors, pending_expires
from shared.demo.scenarios.calls import no_activity_lost, stuck_call_fails
from shared.demo.stage import Stage
from shared.kafka_client import client_options

_AUDIT_WAIT_SECONDS: Final = 20


@dataclass(frozen=True, slots=True)
class Scenario:
    """One promise, and how to try it.

    Attributes:
        title: what is promised.
        play: tries it.
        waits: it mostly waits for a deadline, and so goes on beside the others.
    """

    title: str
    play: Callable[[Stage], Awaitable[Finding]]
    waits: bool = False


async def auditor_agrees(stage: Stage) -> Finding:
    """The auditor reads all topics from the beginning, as ``caremesh verify`` does."""
    settings = stage.settings
    report = await audit(
        client_options(settings),
        settings.topic_prefix,
        rules=Rules.of(settings),
        wait_seconds=_AUDIT_WAIT_SECONDS,
    )
    broken = ", ".join(f"{total} × {kind}" for kind, total in report.totals.items())
    promise(report.passed, f"{broken}: `caremesh verify` shows the records")
    return Finding(Verdict.PASS, f"{report.commands:,} commands of this mesh looked at, every promise kept")


#: The rows of the table, in its order. The last one is played after all others, when nothing moves any more.
SCENARIOS: Final[Sequence[Scenario]] = (
    Scenario("Double booking prevented", fifty_race_for_one_slot),
    Scenario("Patient not in two places", one_patient_two_doctors),
    Scenario("Redelivered command decided once", delivered_often_decided_once),
    Scenario("Pending appointment expires, patient told once", pending_expires, waits=True),
    Scenario("Call stuck in connecting fails, patient told once", stuck_call_fails, waits=True),
    Scenario("No activity lost in a text session", no_activity_lost),
    Scenario("Balance never negative", balance_never_negative, waits=True),
)
LAST_SCENARIO: Final = Scenario("The auditor agrees", auditor_agrees)


async def play(scenario: Scenario, stage: Stage) -> Finding:
    """Try one promise. Whatever goes wrong is a failure, said in a sentence."""
    try:
        return await scenario.play(stage)
    except BrokenPromiseError as error:
        return Finding(Verdict.FAIL, str(error))
    except Exception as error:  # noqa: BLE001 - a row of the table says what went wrong, whatever it was
        return Finding(Verdict.FAIL, f"{type(error).__name__}: {error}")
