"""The entry of booking: ``python -m services.booking consumer | processor | migrate``."""

import argparse
from pathlib import Path

import shared.loading  # isort: skip  # noqa: F401  the search for cycles rests until all is loaded
from services.booking.app import booking
from shared.logging import configure_logging
from shared.runtimes.process import run_process
from shared.runtimes.service import run_consumer
from shared.settings import Settings


def main() -> None:
    """Run one of booking's processes in the foreground."""
    parser = argparse.ArgumentParser(prog="python -m services.booking", description=__doc__)
    parser.add_argument("process", choices=("consumer", "processor", "migrate"))
    process = parser.parse_args().process
    settings = Settings()
    configure_logging(settings)
    if process == "consumer":
        run_process(run_consumer(settings, booking(settings)))
    elif process == "processor":
        # Faust takes longer to import than all the rest: only its own process pays for it.
        from services.booking.processor import run_processor

        run_process(run_processor(settings))
    else:
        # Alembic loads slowly, and the processes that run have no use for it.
        from shared.migrations import migrate

        run_process(migrate(settings, "booking", Path(__file__).parent / "migrations"))


if __name__ == "__main__":
    main()
