"""The entry of calls: ``python -m services.calls consumer | processor | migrate``."""

import argparse
from pathlib import Path

import shared.loading  # isort: skip  # noqa: F401  the search for cycles rests until all is loaded
from services.calls.app import calls
from shared.logging import configure_logging
from shared.runtimes.process import run_process
from shared.runtimes.service import run_consumer
from shared.settings import Settings


def main() -> None:
    """Run one of calls' processes in the foreground."""
    parser = argparse.ArgumentParser(prog="python -m services.calls", description=__doc__)
    parser.add_argument("process", choices=("consumer", "processor", "migrate"))
    process = parser.parse_args().process
    settings = Settings()
    configure_logging(settings)
    if process == "consumer":
        run_process(run_consumer(settings, calls(settings)))
    elif process == "processor":
        # Faust takes longer to import than all the rest: only its own process pays for it.
        from services.calls.processor import run_processor

        run_process(run_processor(settings))
    else:
        # Alembic loads slowly, and the processes that run have no use for it.
        from shared.migrations import migrate

        run_process(migrate(settings, "calls", Path(__file__).parent / "migrations"))


if __name__ == "__main__":
    main()
