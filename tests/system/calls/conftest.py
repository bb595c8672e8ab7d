"""The calls service on a mesh of its own."""

import pytest

from tests.system.harness.mesh import Mesh

#: Short enough to be waited for, long enough to be met on a busy machine.
LIMITS = {
    "CAREMESH_CALL_CONNECT_TIMEOUT_SECONDS": "3",
    "CAREMESH_CALL_RECONNECT_TIMEOUT_SECONDS": "2",
    "CAREMESH_TEXT_RESPONSE_TIMEOUT_SECONDS": "3",
    "CAREMESH_TEXT_INACTIVITY_TIMEOUT_SECONDS": "2.5",
}


@pytest.fixture
def calls(mesh: Mesh) -> Mesh:
    """Calls, with short limits; nothing runs yet."""
    mesh.environment.update(LIMITS)
    return mesh.of("calls")
