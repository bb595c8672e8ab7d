"""A service's consumer as a stream processor: the path on the Faust runtime."""

from shared.path.assembly import make_handler, open_resources
from shared.path.intake import intake_of
from shared.path.pipeline import Pipeline
from shared.path.service import Service, State
from shared.runtimes.faust import FaustRuntime
from shared.runtimes.lost_decisions import check_group
from shared.runtimes.process import on_termination
from shared.settings import Settings


async def run_stream_processor(settings: Settings, service: Service[State]) -> None:
    """Decide a service's commands, and hear the events of others, until told to stop.

    Raises:
        FatalError: nothing can be decided before somebody mends the set-up.
    """
    consumer_group = f"{settings.topic_prefix}-{service.name}"
    async with open_resources(settings, service.name, consumer_group) as resources:
        await check_group(settings, resources.engine, consumer_group)
        runtime = FaustRuntime(
            settings, topics=intake_of(service, settings.topic_prefix).keys(), consumer_group=consumer_group, log_ends=resources.log_ends
        )
        pipeline = Pipeline(make_handler(settings, service, resources, consumer_group), resources.publisher, runtime.acknowledge)
        on_termination(runtime.stop)
        resources.health.begin(runtime, pipeline)
        await runtime.run(pipeline)
