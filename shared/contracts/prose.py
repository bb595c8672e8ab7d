"""The rules that no schema can say, for people; what is a number or a word in the code is taken from there."""

from typing import Final

from shared.codec.dead_letters import MAX_KEY_AND_HEADERS_BYTES, UndecidableReason
from shared.codec.decode import UnreadableReason
from shared.codec.record import MAX_VALUE_BYTES
from shared.messages.fields import IDENTIFIER_PATTERN, SOURCE_PATTERN
from shared.messages.refusal import DataReason, RefusalReason

_KIB: Final = 1024

SUMMARY: Final = (
    "Services publish commands to Kafka, keyed by the doctor; caremesh decides them in the order of the log and publishes what became of "
    "each. Every readable command gets exactly one outcome: the thing that happened, or its refusal."
)

RECORD: Final = f"""\
| part | rule |
| --- | --- |
| key | UTF-8 text, equal to the field of the body that is named with each message: `doctor_id`, for subscriptions `patient_id`, for notify `recipient_id`; in state topics the entity's own id |
| partition | murmur2 of the key, as Java's and aiokafka's producers have it by default. With librdkafka (kcat, PHP, Go and Node bindings) set `partitioner=murmur2_random`; kafkajs: `Partitioners.DefaultPartitioner`. A record on another partition is still decided safely, but outside its doctor's order |
| value | one JSON object in UTF-8, {MAX_VALUE_BYTES // _KIB} KiB at most. Fields that nobody declared are refused in commands; readers of events ignore them |
| headers | CloudEvents 1.0 in binary mode, as text: `ce_specversion` (`1.0`), `ce_id`, `ce_source`, `ce_type`. Optional: `content-type` (`application/json`), `ce_time`, `ce_subject`, `ce_partitionkey`, `ce_correlationid`, `ce_causationid`, `traceparent` |
| timestamp | commands topics have `LogAppendTime`: the broker's time of a command is its business time ("in the past", "created at"), on no publisher's clock |

- **ids** (`ce_id`, `ce_correlationid`, `ce_type` and every `…_id`) match `{IDENTIFIER_PATTERN}`; `ce_source` is a URI reference, `{SOURCE_PATTERN}`.
  They are opaque: no names, contacts or complaints in any key, header or value.
- **times** are RFC 3339 with an offset, of the years 1970 to 2200; finer than a microsecond is cut off. What we publish is UTC with `Z`.
- **money** is integer minor units and an ISO 4217 code.
- Header names are in lower case. Of several headers with one name the last one counts; headers that are not named here are ignored, and
  kept in dead letters. A `ce_time` that is no time, a `ce_correlationid` that is no id and a `traceparent` that is none are taken as
  absent: they never cost a command its outcome. Without a `ce_correlationid` the command's own id takes its place in all that it causes.
- **Structured mode** is taken, too: without any `ce_…` header, or with a `content-type` that begins with `application/cloudevents`, the value
  is `{{"specversion": "1.0", "id", "source", "type", "data": {{…}}}}`, optionally with `time`, `correlationid` and `traceparent`. The record still
  needs its key. So a command is one line piped into kcat. We publish in binary mode alone.
- **Transactions** of Kafka are honoured: a command that is published in one is decided once it is committed, and never if it is aborted. While
  one is open, what lies behind it on its partitions waits, until its producer's `transaction.timeout.ms` at the most: keep it short."""

OUTCOMES: Final = """\
**A command is its `ce_source` and `ce_id`.** Published again, however often and from anywhere, it leads to no second decision: the recorded
outcome is published again, with the same id and the same bytes. (A sweep's command is not answered again.) The same identity with another type
or body is a dead letter, and the first outcome stands.

**To await an outcome:** assign the events topic's partitions at their ends, publish, wait for the event whose `decision.command` has your
`source` and `id` and whose `decision.index` is 0 (the header `ce_causationid` is that id, too). When it does not come in time, publish the
same record again. [Programs that do so](../examples/README.md), in several languages.

**An outcome is an event**, either the one that the command asked for or `<service>.<entity>.rejected.v1`. A decision may publish further
events after the outcome, with `decision.index` 1, 2, …"""

READING: Final = """\
- Copies occur, also after newer events: drop a `ce_id` that you have seen.
- Every event carries its entity's whole state, and `version`: 1, 2, 3 … without gaps, raised by changes of state only. Ignore one that is older
  than what you hold. Refusals and reminders repeat the current version (0 if the entity does not exist).
- Ignore types that you do not know, and fields that you do not know.
- State topics are compacted: the last record of a key is the entity as it stands, for ever. They carry no stale copies."""

VERSIONS: Final = """\
Within `.v1` the contract only grows: a command may gain optional fields and values, and never takes less than before; an event may gain fields,
and never loses one or says something that its readers do not know. New types may come; new reasons of a refusal may come, so go by its
`status_code` where you do not know the reason. Anything else is a new type, `.v2`. A test holds each change against the
[released schemas](released/v1); `python -m shared.contracts release` adds the present ones to them, unless they break what is there."""

REFUSALS: Final = """\
A refusal carries the HTTP code that a web tier can pass on: 403 not a party to it, 404 no such entity, 409 the state forbids it, 422 the data is
wrong. Of two reasons that hold at once the first in the table is given. `conflict` says what stands in the way, and never whose it is. These
come before all others, and besides its `rejected` the record is a dead letter:"""

DEAD_LETTERS: Final = f"""\
What cannot be decided is set aside in `<topic>.dlq`, with its key, value and headers as they were (the value cut at {MAX_VALUE_BYTES // _KIB} KiB, key and
headers at {MAX_KEY_AND_HEADERS_BYTES // _KIB} KiB in all, then with `caremesh_…_sha256` and `caremesh_…_length` of the whole), `caremesh_dead_letter_id` (copies of a dead letter have the same)
and Kafka Connect's headers `__connect.errors.topic`, `.partition`, `.offset`, `.stage`, `.class.name` (the service),
`.exception.class.name` (the reason) and `.exception.message`."""


def reasons_table(*kinds: type[RefusalReason]) -> str:
    """Why something is refused, in order of precedence."""
    rows = [f"| {reason.status_code.value} | `{reason}` | {reason.meaning} |" for kind in kinds for reason in kind]
    return "\n".join(["| code | reason | when |", "| --- | --- | --- |", *rows])


def dead_letters_table() -> str:
    """Why something is a dead letter."""
    rows = [f"| `{reason}` | {reason.meaning} |" for reason in (*UnreadableReason, *UndecidableReason)]
    rows += [f"| `{reason}` | {reason.meaning} Its `rejected` is published as well. |" for reason in DataReason]
    return "\n".join(["| reason | when |", "| --- | --- |", *rows])


def rules() -> str:
    """All of it, in order."""
    parts = {
        "A record": RECORD,
        "From a command to its outcome": OUTCOMES,
        "Refusals": f"{REFUSALS}\n\n{reasons_table(DataReason)}",
        "For those who read events": READING,
        "Dead letters": f"{DEAD_LETTERS}\n\n{dead_letters_table()}",
        "Versions": VERSIONS,
    }
    return "\n\n".join(f"## {title}\n\n{text}" for title, text in parts.items())
