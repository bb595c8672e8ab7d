"""Alembic's environment of booking."""

from services.booking.store.tables import metadata
from shared.migrations import run_environment

run_environment(metadata)
