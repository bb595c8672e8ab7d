"""A service's processor: notices, states and sweeps, on the Faust runtime."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from shared.messages.fields import EventData
from shared.notices import Notice, NoticesHandler
from shared.path.assembly import open_resources
from shared.path.dead_letters import show_no_dead_letters
from shared.path.pipeline import Pipeline
from shared.retention import Retention
from shared.runtimes.faust import FaustRuntime
from shared.runtimes.process import on_termination
from shared.settings import Settings
from shared.state_topic import StateTopic, StateTopics
from shared.sweeps import Sweep, Sweeper
from shared.topics import commands_topic, events_topic


async def run_processor(
    settings: Settings,
    service: str,
    *,
    events: Mapping[str, type[EventData]],
    notices_of: Callable[[EventData], Sequence[Notice]],
    deadlines_of: Callable[[EventData], Sequence[datetime]],
    sweeps: Sequence[Sweep],
    states: Sequence[StateTopic] = (),
) -> None:
    """Turn a service's events into notification requests and states, and publish commands for what falls due, until told to stop.

    Args:
        settings: of the process.
        service: whose events and deadlines these are.
        events: the types of event that matter here, with the models that read them.
        notices_of: who is told what.
        deadlines_of: the deadlines that an event sets.
        sweeps: what falls due.
        states: what is published of the entities as they stand.
    """
    consumer_group = f"{settings.topic_prefix}-{service}-processor"
    async with open_resources(settings, service, consumer_group) as resources:
        sweepers = [
            Sweeper(sweep, engine=resources.engine, publisher=resources.publisher, topic_prefix=settings.topic_prefix) for sweep in sweeps
        ]

        def seen(event: EventData) -> None:
            for deadline in deadlines_of(event):
                for sweeper in sweepers:
                    sweeper.learn(deadline)

        handler = NoticesHandler(
            service,
            events=events,
            notices_of=notices_of,
            seen=seen,
            topic=commands_topic(settings.topic_prefix, "notify"),
            states=StateTopics(
                states, service=service, topic_prefix=settings.topic_prefix, engine=resources.engine, watchdog=resources.watchdog
            ),
            consumer_group=consumer_group,
        )
        runtime = FaustRuntime(
            settings,
            topics=[events_topic(settings.topic_prefix, service)],
            consumer_group=consumer_group,
            log_ends=resources.log_ends,
        )
        retention = Retention(service, engine=resources.engine, retention_days=settings.decision_retention_days)
        on_termination(runtime.stop)
        show_no_dead_letters(service, [events_topic(settings.topic_prefix, service)])
        pipeline = Pipeline(handler, resources.publisher, runtime.acknowledge)
        resources.health.begin(runtime, pipeline)
        await runtime.run(pipeline, beside=[*(sweeper.run() for sweeper in sweepers), retention.run()])
