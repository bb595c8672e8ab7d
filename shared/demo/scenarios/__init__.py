"""The mission's tests, each on real topics and the real clock."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from shared.auditor import Rules, audit
from shared.demo.findings import BrokenPromiseError, Finding, Verdict, promise
from shared.demo.scenarios import billing, booking, calls
from shared.demo.scenarios.telling import check_once
from shared.demo.stage import Cast, Stage
from shared.kafka_client import client_options

_AUDIT_WAIT_SECONDS: Final = 20


@dataclass(frozen=True, slots=True)
class Scenario:
    """One promise, and how to try it.

    Attributes:
        title: what is promised.
        play: tries it.
        cast: those who are told something in it.
        waits: it mostly waits for a deadline, and so goes on beside the others.
    """

    title: str
    play: Callable[[Stage], Awaitable[Finding]]
    cast: Cast = Cast()  # noqa: RUF009 - it cannot be changed
    waits: bool = False


async def each_told_once(stage: Stage) -> Finding:
    """All that people were told in the scenarios, looked at again when nothing moves any more."""
    receipts = await stage.look_for_receipts()
    promise(receipts, "nobody was told anything")
    for receipt in receipts:
        check_once(stage, receipt)
    by_mail = "1 e-mail by SMTP" if stage.mailbox.is_here else "1 e-mail (to another mail server than the mesh's own)"
    return Finding(Verdict.PASS, f"{len(receipts)} notices of these tests: each {by_mail}, 1 entry in the inbox")


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


#: The rows of the table, in its order.
SCENARIOS: Final[Sequence[Scenario]] = (
    Scenario("Double booking prevented", booking.fifty_race_for_one_slot, booking.RACING),
    Scenario("Patient not in two places", booking.one_patient_two_doctors, booking.TORN),
    Scenario("Redelivered command decided once", booking.delivered_often_decided_once, booking.PERSISTENT),
    Scenario("Pending appointment expires, patient told once", booking.pending_expires, booking.WAITING, waits=True),
    Scenario("Call stuck in connecting fails, patient told once", calls.stuck_call_fails, calls.CALLING, waits=True),
    Scenario("No activity lost in a text session", calls.no_activity_lost, calls.WRITING),
    Scenario("Balance never negative", billing.balance_never_negative, billing.PAYING, waits=True),
)
#: These are played after all others, when nothing moves any more.
LAST_SCENARIOS: Final[Sequence[Scenario]] = (
    Scenario("Told once, by e-mail and in the inbox", each_told_once),
    Scenario("The auditor agrees", auditor_agrees),
)


async def play(scenario: Scenario, stage: Stage) -> Finding:
    """Try one promise. Whatever goes wrong is a failure, said in a sentence."""
    try:
        return await scenario.play(stage)
    except BrokenPromiseError as error:
        return Finding(Verdict.FAIL, str(error))
    except Exception as error:  # noqa: BLE001 - a row of the table says what went wrong, whatever it was
        return Finding(Verdict.FAIL, f"{type(error).__name__}: {error}")
