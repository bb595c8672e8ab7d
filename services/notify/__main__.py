"""The entry of notify: ``python -m services.notify consumer | migrate``."""

import argparse
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any

from services.notify.app import notify, rules_of
from services.notify.channels import providers_of
from services.notify.deliverer import Deliverer, Limits
from shared.logging import configure_logging
from shared.migrations import migrate
from shared.path.assembly import Resources
from shared.retention import Retention
from shared.runtimes.process import run_process
from shared.runtimes.service import run_consumer
from shared.settings import Settings
from shared.topics import commands_topic


async def consume(settings: Settings) -> None:
    """Decide commands, and beside that deliver what is due, until told to stop."""
    providers = providers_of(settings)

    def beside(resources: Resources) -> Sequence[Coroutine[Any, Any, None]]:
        deliverer = Deliverer(
            providers,
            engine=resources.engine,
            publisher=resources.publisher,
            topic=commands_topic(settings.topic_prefix, "notify"),
            rules=rules_of(settings),
            limits=Limits(concurrency=settings.notify_concurrency, attempt_seconds=settings.notify_attempt_timeout_seconds),
        )
        retention = Retention("notify", engine=resources.engine, retention_days=settings.decision_retention_days)
        return (deliverer.run(), retention.run())

    await run_consumer(settings, notify(settings), beside)


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
        run_process(migrate(settings, "notify", Path(__file__).parent / "migrations"))


if __name__ == "__main__":
    main()
