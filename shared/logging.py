"""Logs: one canonical line for each thing that happened, the words first, the ids after them."""

import logging
import sys

import structlog

from shared.settings import Settings


def configure_logging(settings: Settings) -> None:
    """Log to standard error, as text for people or as JSON for machines."""
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    renderer: structlog.typing.Processor
    if settings.log_json:
        renderer = structlog.processors.JSONRenderer()
    else:
        renderer = structlog.dev.ConsoleRenderer(pad_event_to=0) if sys.stderr.isatty() else _render_line
    shared: list[structlog.typing.Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.format_exc_info, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    # Libraries log through the standard library; theirs is context, ours is the record.
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")


def _render_line(_logger: object, _method: str, event: structlog.typing.EventDict) -> str:
    """The words first, then ids as ``name=value``: for files, and several times as fast as colours."""
    time, level, words = event.pop("timestamp"), event.pop("level"), event.pop("event")
    exception = event.pop("exception", None)
    line = f"{time} [{level}] {words} " + " ".join(f"{name}={value}" for name, value in event.items())
    return line if exception is None else f"{line}\n{exception}"
