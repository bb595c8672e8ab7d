"""``<home>/mesh.json``: what runs in a home, for whoever wants to talk to it."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from shared.embedded.process import Identity, write_atomically


@dataclass(frozen=True, kw_only=True)
class MeshState:
    """What a supervisor says about the mesh that it runs. The file holds the database's password: only its owner may read it."""

    supervisor: Identity
    kafka: str
    database: str
    #: Where e-mails are caught; empty: they are not.
    mail: str = ""
    #: Process ids by name; without an entry: not running at the moment.
    processes: dict[str, int] = field(default_factory=dict)
    #: How often each was started again since the mesh came up, by name.
    restarts: dict[str, int] = field(default_factory=dict)
    #: Where each serves /healthz, /readyz and /metrics on 127.0.0.1, by name.
    health_ports: dict[str, int] = field(default_factory=dict)
    #: What its processes decide by, by the name of the setting: whoever speaks to it goes by the same.
    settings: dict[str, Any] = field(default_factory=dict)

    def write(self, home: Path) -> None:
        """Replace the file, for readers at once and whole."""
        write_atomically(home / "mesh.json", json.dumps(asdict(self), indent=2) + "\n")

    @staticmethod
    def read(home: Path) -> "MeshState | None":
        """Return what runs in this home, or None if no supervisor is alive there."""
        try:
            fields = json.loads((home / "mesh.json").read_text())
            fields["supervisor"] = Identity(**fields["supervisor"])
            state = MeshState(**fields)
        except (FileNotFoundError, ValueError, TypeError, KeyError):
            return None
        return state if state.supervisor.alive() else None

    @staticmethod
    def remove(home: Path) -> None:
        """Take the file away: nothing runs here any more."""
        (home / "mesh.json").unlink(missing_ok=True)
