"""What a service shows at the command line: the protocol of every ``services/<name>/console.py``.

Such a module has one constant, which `caremesh` finds by the module names in ``shared/mesh.py``::

    async def show_call(connection: Connection, identifier: str) -> Shown | None:
        call = await store.call(connection, identifier)
        return None if call is None else Shown(fields=asdict(call))

    CONSOLE: Final = ServiceConsole(
        service="calls",
        shows={"call": show_call, "doctor": show_doctor},                    # caremesh show call ID
        sweeps=lambda settings: sweeps(rules_of(settings)),                  # caremesh sweeps list | run calls-time-out
        applications={"ledger": Application("List a session's entries.", ledger)},  # caremesh ledger …
    )

Several services may show the same kind: `caremesh show doctor ID` puts together what each of them knows. What is shown is
the state in the database, for operators. It holds ids, times, amounts and states; personal data only where a command says so.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

import typer

from shared.database import Connection
from shared.settings import Settings
from shared.sweeps import Sweep


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What one service knows of one thing.

    Values are plain: text, numbers, booleans, times in UTC, ``None``, and mappings of those.

    Attributes:
        fields: name → value, in the order in which people read them.
        lists: name → rows of the same columns, each shown as a table of its own; bounded.
        note: a sentence below it all, such as that a list was cut.
    """

    fields: Mapping[str, object] = field(default_factory=dict)
    lists: Mapping[str, Sequence[Mapping[str, object]]] = field(default_factory=dict)
    note: str = ""


#: (connection in a transaction of the service's own role, id) → what is known; ``None`` when there is no such thing.
Show = Callable[[Connection, str], Awaitable[Shown | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """A command of a service's own: `caremesh <name> …`.

    Attributes:
        summary: one sentence, for the overview.
        app: with one command, or several. Its docstrings are its help; ``shared/cli/terminal.py`` has what it needs to print.
    """

    summary: str
    app: typer.Typer


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceConsole:
    """What one service shows.

    Attributes:
        service: its name.
        shows: kind → how to look, such as ``appointment``.
        sweeps: its sweeps under these settings.
        applications: its own commands, by name.
    """

    service: str
    shows: Mapping[str, Show] = field(default_factory=dict)
    sweeps: Callable[[Settings], Sequence[Sweep]] = lambda _settings: ()
    applications: Mapping[str, Application] = field(default_factory=dict)
