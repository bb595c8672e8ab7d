"""A patient's appointments by status first, so that those that wait are counted without a look at all that lies ahead."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

SCHEMA = "booking"
HOLDS_SLOT = sa.text("status IN ('pending', 'confirmed', 'reschedule_proposed')")


def upgrade() -> None:
    """Apply it."""
    op.drop_index("appointments_of_a_patient", "appointments", schema=SCHEMA)
    op.create_index(
        "appointments_of_a_patient", "appointments", ["patient_id", "status", "starts_at"], schema=SCHEMA, postgresql_where=HOLDS_SLOT
    )
