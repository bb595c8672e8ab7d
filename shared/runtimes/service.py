"""A service's consumer: the path on the aiokafka runtime."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from shared.kafka_client import consumer_options
from shared.path.assembly import Resources, make_handler, open_resources
from shared.path.intake import intake_of
from shared.path.pipeline import Pipeline
from shared.path.service import Service, State
from shared.runtimes.consumer import ConsumerRuntime
from shared.runtimes.process import on_termination
from shared.settings import Settings

#: What runs as long as the consumer does, such as a loop that delivers what is due.
Beside = Callable[[Resources], Sequence[Coroutine[Any, Any, None]]]


async def run_consumer(settings: Settings, service: Service[State], beside: Beside = lambda _: ()) -> None:
    """Decide a service's commands until told to stop.

    Args:
        settings: of the process.
        service: what to decide by.
        beside: what else runs in the process. It is cancelled after the last batch, and may then put its things in order.

    Raises:
        FatalError: nothing can be decided before somebody mends the set-up.
    """
    consumer_group = f"{settings.topic_prefix}-{service.name}"
    async with open_resources(settings, service.name, consumer_group) as resources:
        runtime = ConsumerRuntime(
            consumer_options(settings),
            topics=intake_of(service, settings.topic_prefix).keys(),
            consumer_group=consumer_group,
            engine=resources.engine,
            log_ends=resources.log_ends,
            batch_max_records=settings.batch_max_records,
        )
        pipeline = Pipeline(make_handler(settings, service, resources, consumer_group), resources.publisher, runtime.acknowledge)
        on_termination(runtime.stop)
        resources.health.begin(runtime, pipeline)
        await _until_one_ends(runtime.run(pipeline), *beside(resources))


async def _until_one_ends(*parts: Coroutine[Any, Any, None]) -> None:
    """Run parts together until one of them ends, or fails."""
    working = [asyncio.create_task(part) for part in parts]
    try:
        done, _ = await asyncio.wait(working, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in working:
            task.cancel()
        await asyncio.gather(*working, return_exceptions=True)
