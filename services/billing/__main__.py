"""The entry of billing: ``python -m services.billing consumer | processor | migrate``."""

import argparse
from pathlib import Path

import shared.loading  # isort: skip  # noqa: F401  the search for cycles rests until all is loaded
from shared.logging import configure_logging
from shared.runtimes.process import run_process
from shared.settings import Settings


def main() -> None:
    """Run one of billing's processes in the foreground."""
    parser = argparse.ArgumentParser(prog="python -m services.billing", description=__doc__)
    parser.add_argument("process", choices=("consumer", "processor", "migrate"))
    process = parser.parse_args().process
    settings = Settings()
    configure_logging(settings)
    if process == "migrate":
        # Alembic loads slowly, and the processes that run have no use for it.
        from shared.migrations import migrate

        run_process(migrate(settings, "billing", Path(__file__).parent / "migrations"))
        return
    # Faust takes longer to import than all the rest: only the stream processors pay for it.
    from services.billing.processor import run_consumer, run_processor

    run_process(run_consumer(settings) if process == "consumer" else run_processor(settings))


if __name__ == "__main__":
    main()
