"""What lies in the topics that billing reads, and what its database says in the end."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import Any

from services.billing.domain.session import SessionNews
from shared.codec.record import OutgoingMessage, StoredRecord
from shared.messages.fields import Command
from tests.examples import NOW
from tests.examples_of_billing import command_record, news_record
from tests.integration.worker import value_of


@dataclass
class Log:
    """One partition of billing's commands topic, and the same of the topic of calls."""

    partition: int = 0
    _offsets: Any = field(default_factory=lambda: defaultdict(count))

    def append(self, command: Command, *, identifier: str | None = None, at: datetime = NOW) -> StoredRecord:
        """The next command."""
        offset = next(self._offsets["commands"])
        identifier = identifier or f"command-{self.partition}-{offset}"
        return command_record(command, identifier=identifier, at=at, partition=self.partition, offset=offset)

    def tell(self, news: SessionNews) -> StoredRecord:
        """The next that calls tell."""
        return news_record(news, partition=self.partition, offset=next(self._offsets["news"]))


@dataclass(frozen=True)
class Books:
    """Billing's tables, as an accountant looks at them."""

    connection: Any

    async def remaining(self, patient_id: str = "patient-1") -> dict[str, int]:
        """What is left of each modality, which is what active subscriptions hold and what the ledger adds up to."""
        rows = await self.connection.fetch("SELECT modality, remaining FROM balances WHERE patient_id = $1", patient_id)
        await self.check()
        return dict(rows)

    async def earned(self, doctor_id: str = "doctor-1") -> dict[str, int]:
        """What a doctor earned, by currency."""
        rows = await self.connection.fetch(
            "SELECT currency, sum(CASE kind WHEN 'deducted' THEN amount_minor ELSE -amount_minor END)::bigint FROM ledger"
            " WHERE doctor_id = $1 GROUP BY currency",
            doctor_id,
        )
        return dict(rows)

    async def entries(self) -> list[tuple[str, int, int, int]]:
        """The ledger in the order of its sequences: kind, sequence, before, after."""
        rows = await self.connection.fetch("SELECT kind, sequence, before, after FROM ledger ORDER BY patient_id, modality, sequence")
        return [tuple(row) for row in rows]

    async def check(self) -> None:
        """Everything adds up: each prefix of the ledger, the balances with it, and the subscriptions with them."""
        ledger: dict[tuple[str, str], list[Any]] = defaultdict(list)
        for row in await self.connection.fetch("SELECT * FROM ledger ORDER BY patient_id, modality, sequence"):
            ledger[row["patient_id"], row["modality"]].append(row)
        for entries in ledger.values():
            assert [entry["sequence"] for entry in entries] == list(range(1, len(entries) + 1))
            befores, afters = [entry["before"] for entry in entries], [entry["after"] for entry in entries]
            assert befores == [0, *afters[:-1]]
        balances = {(row["patient_id"], row["modality"]): row for row in await self.connection.fetch("SELECT * FROM balances")}
        assert balances.keys() == ledger.keys()
        for key, balance in balances.items():
            assert (balance["remaining"], balance["sequence"]) == (ledger[key][-1]["after"], ledger[key][-1]["sequence"])
        held: dict[tuple[str, str], int] = defaultdict(int)
        for row in await self.connection.fetch("SELECT * FROM subscriptions"):
            for modality in ("text", "voice", "video"):
                held[row["patient_id"], modality] += row[f"remaining_{modality}"]
        assert {key: balance["remaining"] for key, balance in balances.items()} == {key: held[key] for key in balances}


def of_type(messages: Sequence[OutgoingMessage], word: str) -> list[dict[str, Any]]:
    """The events of which the type ends so."""
    return [value for message in messages if (value := value_of(message)).get("type", "").endswith(f".{word}.v1")]
