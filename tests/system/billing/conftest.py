"""The billing service on a mesh of its own."""

import pytest

from tests.system.harness.mesh import Mesh


@pytest.fixture
def billing(mesh: Mesh) -> Mesh:
    """Billing, with its periods of ten minutes; nothing runs yet."""
    return mesh.of("billing")
