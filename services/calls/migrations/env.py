"""Alembic's environment of calls."""

from services.calls.store import metadata
from shared.migrations import run_environment

run_environment(metadata)
