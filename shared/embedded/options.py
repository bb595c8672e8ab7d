"""Where the embedded runtime finds its Java and keeps its downloads."""

import os
import sys
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class EmbeddedOptions(BaseSettings):
    """Settings of the embedded runtime alone, from environment variables with the prefix ``CAREMESH_``.

    Raises:
        pydantic.ValidationError: a variable has no valid value; the message names it.
    """

    model_config = SettingsConfigDict(env_prefix="CAREMESH_", frozen=True, extra="ignore")

    java_home: Path | None = Field(
        default=None, description="A Java runtime (17 or newer) to use instead of the one that the wheel brings."
    )
    cache: Path | None = Field(default=None, description="The folder for downloads, shared by every home; empty: the user's cache folder.")
    kafka_heap_mib: int = Field(default=384, ge=96, le=65_536, description="The Java heap of the embedded Kafka at the most.")

    def cache_folder(self) -> Path:
        """Return the folder that holds downloads for every home of this user; it need not exist yet."""
        if self.cache is not None:
            return self.cache.absolute()
        if configured := os.environ.get("XDG_CACHE_HOME"):
            return Path(configured) / "caremesh"
        if sys.platform == "darwin":
            return Path.home() / "Library" / "Caches" / "caremesh"
        return Path.home() / ".cache" / "caremesh"
