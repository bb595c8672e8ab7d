"""A service's consumer: the path on the aiokafka runtime."""

from shared.kafka_client import client_options
from shared.path.assembly import make_handler, open_resources
from shared.path.intake import intake_of
from shared.path.pipeline import Pipeline
from shared.path.service import Service, State
from shared.runtimes.consumer import ConsumerRuntime
from shared.runtimes.process import on_termination
from shared.settings import Settings


async def run_consumer(settings: Settings, service: Service[State]) -> None:
    """Decide a service's commands until told to stop.

    Raises:
        FatalError: nothing can be decided before somebody mends the set-up.
    """
    consumer_group = f"{settings.topic_prefix}-{service.name}"
    async with open_resources(settings, service.name, consumer_group) as resources:
        runtime = ConsumerRuntime(
            client_options(settings),
            topics=intake_of(service, settings.topic_prefix).keys(),
            consumer_group=consumer_group,
            engine=resources.engine,
            batch_max_records=settings.batch_max_records,
        )
        pipeline = Pipeline(make_handler(settings, service, resources, consumer_group), resources.publisher, runtime.acknowledge)
        on_termination(runtime.stop)
        resources.health.begin(runtime, pipeline)
        await runtime.run(pipeline)
