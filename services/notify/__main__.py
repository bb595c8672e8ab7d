"""The entry of notify: ``python -m services.notify consumer | migrate``."""

import argparse
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any

import shared.loading  # isort: skip  # noqa: F401  the search for cycles rests until all is loaded
from services.notify.app import notify, rules_of
from services.notify.channels import providers_of
from services.notify.deliverer import Deliverer, Limits
from services.notify.ears import Ears, positions_of
from shared.logging import configure_logging
from shared.path.assembly import Resources
from shared.path.intake import heard_topics
from shared.retention import Retention
from shared.runtimes.process import run_process
from shared.runtimes.service import run_consumer
from shared.settings import Settings
from shared.topics import commands_topic


async def consume(settings: Settings) -> None:
    """Decide commands, and beside that deliver what is due, until told to stop."""
    providers, service = providers_of(settings), notify(settings)

    def beside(resources: Resources) -> Sequence[Coroutine[Any, Any, None]]:
        heard = positions_of(resources.engine, f"{settings.topic_prefix}-{service.name}")
        ears = Ears(heard_topics(service, settings.topic_prefix), ends=resources.log_ends, positions=heard)
        deliverer = Deliverer(
            providers,
            engine=resources.engine,
            publisher=resources.publisher,
            topic=commands_topic(settings.topic_prefix, "notify"),
            rules=rules_of(settings),
            limits=Limits(concurrency=settings.notify_concurrency, attempt_seconds=settings.notify_attempt_timeout_seconds),
            has_heard=ears.has_heard,
        )
        retention = Retention("notify", engine=resources.engine, retention_days=settings.decision_retention_days)
        return (deliverer.run(), ears.run(), retention.run())

    await run_consumer(settings, service, beside)


def main() -> None:
    """Run one of notify's processes in the foreground."""
    parser = argparse.ArgumentParser(prog="python -m services.notify", description=__doc__)
    parser.add_argument("process", choices=("consumer", "migrate"))
    process = parser.parse_args().process
    settings = Settings()
    configure_logging(settings)
    if process == "consumer":
        run_process(consume(settings))
    else:
        # Alembic loads slowly, and the processes that run have no use for it.
        from shared.migrations import migrate

        run_process(migrate(settings, "notify", Path(__file__).parent / "migrations"))


if __name__ == "__main__":
    main()
