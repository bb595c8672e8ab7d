"""What the services bring to the command line, found by their names: no service is imported before it is asked for."""

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from shared.mesh import modules

if TYPE_CHECKING:
    # It reaches for the database, and `caremesh status` is to be quick.
    from shared.console import ServiceConsole


@cache
def consoles() -> tuple["ServiceConsole", ...]:
    """The console of each service of the mesh."""
    return tuple(import_module(f"{module}.console").CONSOLE for module in modules())
