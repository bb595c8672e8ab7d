"""Alembic's environment of billing."""

from services.billing.store.tables import metadata
from shared.migrations import run_environment

run_environment(metadata)
