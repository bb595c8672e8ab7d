"""What every process of the mesh does around its work: the event loop, signals, and the way out."""

import asyncio
import gc
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final

import structlog

from shared.database import DatabaseUnfitError
from shared.path.errors import FatalError

#: The exit code of a process that cannot go on before somebody mends the set-up.
EXIT_FATAL: Final = 78

_log = structlog.get_logger()


def run_process(main: Coroutine[Any, Any, None]) -> None:
    """Run until done, on the fastest event loop there is; exit with a sentence when it cannot go on."""
    _calm_garbage_collection()
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(main)
    except (FatalError, DatabaseUnfitError) as error:
        _log.critical(str(error))
        sys.exit(EXIT_FATAL)


def _calm_garbage_collection() -> None:
    """Look for cycles seldom: a batch makes many objects and hardly a cycle, so searching them was an eighth of all time."""
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)
    # Every entry disables it while it loads.
    gc.enable()


def on_termination(stop: Callable[[], Awaitable[None] | None]) -> None:
    """Call this on SIGTERM and on Ctrl-C."""
    loop = asyncio.get_running_loop()

    def _handle() -> None:
        result = stop()
        if result is not None:
            task = asyncio.ensure_future(result)
            task.add_done_callback(lambda done: done.exception())

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _handle)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
