"""When each sweep last ran."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

SCHEMA = "booking"
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Apply it."""
    op.create_table(
        "sweep_runs",
        sa.Column("sweep", sa.Text, primary_key=True),
        sa.Column("ran_at", TIME, nullable=False, comment="when its last noted look ended, by the database's clock"),
        sa.Column("ran_by", sa.Text, nullable=False, comment="the process, as process id@host"),
        sa.Column("published_at", TIME, comment="when it last found something due"),
        sa.Column("published", sa.Integer, nullable=False, comment="for how many it published a command then"),
        schema=SCHEMA,
        comment="When each sweep last ran: for people alone.",
    )
