"""Whether a mesh goes on."""

from tests.system.harness.mesh import Mesh
from tests.system.harness.pouring import Pour
from tests.system.harness.waiting import until


async def progress(mesh: Mesh, pour: Pour, records: int = 150, *, seconds: float = 60) -> None:
    """Return once so many more records are acknowledged by Kafka, and so many more are committed by the workers."""
    before = len(pour.acknowledged)
    committed = sum((await mesh.committed()).values())
    await until(lambda: len(pour.acknowledged) >= before + records, "the producers go on", seconds=seconds)

    async def goes_on() -> bool:
        return sum((await mesh.committed()).values()) >= committed + records

    await until(goes_on, "the workers go on", seconds=seconds, step=0.2)
