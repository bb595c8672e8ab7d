"""The processes that make a mesh: the one list that the supervisor, the status and the tests read."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class MeshProcess:
    """One process of the mesh: ``python -m <module> <argument>``."""

    #: What people call it; also the name of its log.
    name: str
    module: str
    argument: str
    #: Its consumer group is ``<topic prefix>-<group suffix>``.
    group_suffix: str
    #: Whether it answers /readyz.
    serves_health: bool = True

    def group(self, topic_prefix: str) -> str:
        """Return the name of its consumer group in Kafka."""
        return f"{topic_prefix}-{self.group_suffix}"


def _service(name: str) -> tuple[MeshProcess, MeshProcess]:
    """Return a service's consumer, and the processor (sweeps and notices) beside it."""
    module = f"services.{name}"
    return (
        MeshProcess(name=name, module=module, argument="consumer", group_suffix=name),
        MeshProcess(name=f"{name}-processor", module=module, argument="processor", group_suffix=f"{name}-processor"),
    )


#: Notify's consumer delivers, too; and nothing of what it publishes is told to anybody.
_NOTIFY = MeshProcess(name="notify", module="services.notify", argument="consumer", group_suffix="notify")

MESH: tuple[MeshProcess, ...] = (*_service("booking"), *_service("calls"), *_service("billing"), _NOTIFY)


def modules(processes: tuple[MeshProcess, ...] = MESH) -> tuple[str, ...]:
    """Return the modules that have a schema to migrate (``python -m <module> migrate``), each once."""
    return tuple(dict.fromkeys(process.module for process in processes))
