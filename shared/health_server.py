"""``/healthz``, ``/readyz`` and ``/metrics`` of one process.

Served by a thread with an event loop of its own, because what it tells about may be the event loop of the process.
"""

import asyncio
import errno
import socket
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Final, TypeVar

import structlog

from shared import metrics
from shared.health import ANSWER_SECONDS, Health, Report
from shared.path.errors import FatalError
from shared.settings import Settings

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

#: An event loop that has not turned for so long hangs. Asking the servers takes a part of it.
LOOP_SECONDS: Final = ANSWER_SECONDS + 1.0
_STOP_SECONDS: Final = 2.0
_HUNG: Final = f"The event loop has not turned for {LOOP_SECONDS:g} seconds."
_OK, _UNAVAILABLE = 200, 503

Answer = TypeVar("Answer")

_log = structlog.get_logger()


class HealthServer:
    """Serves what ``Health`` finds out."""

    def __init__(self, settings: Settings, health: Health) -> None:
        """Make it, in the event loop that it tells about.

        Args:
            settings: say where to listen.
            health: of this process.

        Raises:
            FatalError: there is no such address here, or no right to listen on that port.
        """
        self._health = health
        self._loop = asyncio.get_running_loop()
        self._socket = _listen(settings.health_host, settings.health_port)
        #: Where it listens.
        self.port: int = self._socket.getsockname()[1]
        self._stopped: Future[None] = Future()
        self._thread = threading.Thread(target=self._serve, name="health", daemon=True)

    def start(self) -> None:
        """Begin to serve."""
        _log.info("Health and metrics are served", host=self._socket.getsockname()[0], port=self.port)
        self._thread.start()

    def stop(self) -> None:
        """Serve no longer."""
        self._stopped.set_result(None)
        self._thread.join(_STOP_SECONDS)
        self._socket.close()

    def _serve(self) -> None:
        # Imported here, while the process connects: that takes as long as the rest of its start.
        import uvicorn

        stopped = self._stopped

        class QuietServer(uvicorn.Server):
            """Waits to be told, instead of looking ten times a second: an idle process is to cost nothing."""

            async def main_loop(self) -> None:
                await asyncio.wrap_future(stopped)

        config = uvicorn.Config(
            self._application(),
            loop="asyncio",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            limit_concurrency=50,
            timeout_graceful_shutdown=1,
        )
        QuietServer(config).run(sockets=[self._socket])

    def _application(self) -> "Starlette":
        from starlette.applications import Starlette
        from starlette.routing import Route

        return Starlette(routes=[Route("/healthz", self._healthz), Route("/readyz", self._readyz), Route("/metrics", self._metrics)])

    async def _healthz(self, _: "Request") -> "Response":
        """Whether the process is alive: else it is of no use any more, and is to be ended."""
        alive = await self._ask(_turn())
        return self._response("healthy", Report([] if alive else [_HUNG]))

    async def _readyz(self, _: "Request") -> "Response":
        """Whether the process does its work."""
        return self._response("ready", await self._report())

    async def _metrics(self, _: "Request") -> "Response":
        from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
        from starlette.responses import Response

        report = await self._report()
        group = self._health.consumer_group
        metrics.READY.labels(group).set(report.ready)
        metrics.LAG.show({(group, each.topic, each.partition): each.lag for each in report.progress})
        return Response(generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    def _response(self, what: str, report: Report) -> "Response":
        from starlette.responses import JSONResponse

        content = {"group": self._health.consumer_group, what: report.ready, "problems": list(report.problems)}
        return JSONResponse(content, status_code=_OK if report.ready else _UNAVAILABLE)

    async def _report(self) -> Report:
        return await self._ask(self._health.examine()) or Report([_HUNG])

    async def _ask(self, question: Coroutine[Any, Any, Answer]) -> Answer | None:
        """The answer of the process's own event loop; ``None`` if that does not come."""
        try:
            asked = asyncio.run_coroutine_threadsafe(question, self._loop)
        except RuntimeError:
            # It is closed: the process is about to end.
            question.close()
            return None
        try:
            async with asyncio.timeout(LOOP_SECONDS):
                return await asyncio.wrap_future(asked)
        except TimeoutError:
            return None


async def _turn() -> bool:
    """Run in the event loop, which shows that it turns."""
    return True


def _listen(host: str, port: int) -> socket.socket:
    """A listening socket; on a free port if the wanted one is taken: several workers of one machine may have the same settings.

    Raises:
        FatalError: there is no such address here, or no right to listen on that port.
    """
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        if error.errno == errno.EADDRINUSE and port:
            _log.warning("CAREMESH_HEALTH_PORT is taken, listening on a free one", port=port)
            return _listen(host, 0)
        message = f"{host}:{port} cannot be listened on ({error.strerror}): mend CAREMESH_HEALTH_HOST and CAREMESH_HEALTH_PORT."
        raise FatalError(message) from error
