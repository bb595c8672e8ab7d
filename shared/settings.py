"""The settings that change behaviour, read from environment variables with the prefix ``CAREMESH_``.

Every duration carries its unit in its name and may be a fraction, so that a test on a real clock is quick.
"""

from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

#: Amounts in minor units: currency (an ISO 4217 code) → modality → what a doctor earns for one unit.
Rates = dict[
    Annotated[str, Field(pattern=r"^[A-Z]{3}$")],
    dict[Literal["text", "voice", "video"], Annotated[int, Field(ge=0, le=1_000_000_000)]],
]

_TEN_YEARS_SECONDS = 10 * 366 * 86_400


class Settings(BaseSettings):
    """The effective settings of one process.

    Raises:
        pydantic.ValidationError: a variable has no valid value; the message names it.
    """

    model_config = SettingsConfigDict(env_prefix="CAREMESH_", frozen=True, extra="ignore")

    home: Path = Field(default=Path(".caremesh"), description="The folder that holds an embedded mesh's state and the logs.")

    kafka_bootstrap_servers: str = Field(default="", description="host:port, comma-separated; empty: the embedded Kafka.")
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "PLAIN"
    kafka_sasl_username: str = ""
    kafka_sasl_password: SecretStr = SecretStr("")
    kafka_ca_file: Path | None = None
    database_url: SecretStr = Field(default=SecretStr(""), description="postgresql://…; empty: the embedded PostgreSQL.")

    database_passwords: dict[str, SecretStr] = Field(
        default={},
        description='For `migrate`, JSON: service → password, such as {"booking": "…"}; its role may log in with it. Empty: none may.',
    )

    topic_prefix: str = Field(default="telemed", pattern=r"^[A-Za-z0-9_-]{1,64}$")
    topic_partitions: int = Field(default=8, ge=1, le=1024)
    topic_replication: int = Field(default=1, ge=1, le=9)

    pending_expiry_seconds: float = Field(default=86_400, gt=0, le=_TEN_YEARS_SECONDS)
    expiry_warning_seconds: float = Field(default=7_200, ge=0, le=_TEN_YEARS_SECONDS)
    max_pending_per_patient: int = Field(default=5, ge=1, le=1_000_000)
    max_days_ahead: float = Field(default=365, gt=0, le=3_660)
    call_connect_timeout_seconds: float = Field(default=90, gt=0, le=_TEN_YEARS_SECONDS)
    call_reconnect_timeout_seconds: float = Field(default=60, gt=0, le=_TEN_YEARS_SECONDS)
    text_response_timeout_seconds: float = Field(default=300, gt=0, le=_TEN_YEARS_SECONDS)
    text_inactivity_timeout_seconds: float = Field(default=1_200, gt=0, le=_TEN_YEARS_SECONDS)
    text_sessions_per_doctor: int = Field(default=1, ge=1, le=1_000)
    session_window_before_seconds: float = Field(default=900, ge=0, le=_TEN_YEARS_SECONDS)
    no_show_after_seconds: float = Field(default=600, ge=0, le=_TEN_YEARS_SECONDS, description="0: off.")
    billing_period_seconds: float = Field(default=600, gt=0, le=_TEN_YEARS_SECONDS)
    call_minimum_billed_seconds: float = Field(default=60, ge=0, le=_TEN_YEARS_SECONDS)
    balance_low_units: int = Field(default=2, ge=0, le=1_000_000)
    rates: Rates = {
        "MWK": {"text": 400_000, "voice": 400_000, "video": 400_000},
        "USD": {"text": 400, "voice": 400, "video": 400},
    }
    notify_email_url: SecretStr = Field(
        default=SecretStr(""),
        description="smtp://user:password@host:port, smtps://…, or an Apprise URL; empty: the mail catcher of an embedded mesh.",
    )
    notify_email_from: str = Field(default="Caremesh <no-reply@caremesh.localhost>", pattern=r"^[^@\r\n]+@[^@\r\n]+$")
    notify_push_url: SecretStr = Field(default=SecretStr(""), description="An Apprise URL with {recipient}; empty: no push messages.")
    notify_sms_url: SecretStr = Field(default=SecretStr(""), description="An Apprise URL with {recipient}; empty: no text messages.")
    notify_chat_url: SecretStr = Field(default=SecretStr(""), description="An Apprise URL with {recipient}; empty: no chat messages.")
    notify_attempts: int = Field(default=8, ge=1, le=20, description="How often a provider is asked before a notification is given up.")
    notify_retry_seconds: float = Field(
        default=1_800, gt=0, le=_TEN_YEARS_SECONDS, description="From the first of these attempts to the last."
    )
    notify_attempt_timeout_seconds: float = Field(default=20, gt=0, le=600)
    notify_concurrency: int = Field(default=16, ge=1, le=200, description="Attempts at the same time, in each process for each channel.")
    decision_retention_days: float = Field(default=45, gt=0, le=3_660)

    batch_max_records: int = Field(default=1_000, ge=1, le=5_000, description="Commands decided in one transaction at the most.")
    handler_deadline_seconds: float = Field(
        default=60, ge=5, le=3_600, description="A batch that hangs for longer ends its process, so that another can take over."
    )
    health_host: str = Field(default="127.0.0.1", description="Where /healthz, /readyz and /metrics are served; in a container 0.0.0.0.")
    health_port: int = Field(
        default=0, ge=0, le=65_535, description="Of /healthz, /readyz and /metrics; 0, or one that is taken: a free one."
    )
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_json: bool = Field(default=False, description="One JSON object per log line instead of coloured text.")

    @model_validator(mode="after")
    def _credentials_never_travel_in_the_clear(self) -> "Settings":
        if self.kafka_sasl_username and not self.kafka_security_protocol.startswith("SASL_"):
            message = (
                "CAREMESH_KAFKA_SASL_USERNAME is set, but CAREMESH_KAFKA_SECURITY_PROTOCOL is "
                f"{self.kafka_security_protocol}: set it to SASL_SSL."
            )
            raise ValueError(message)
        if self.kafka_security_protocol == "SASL_PLAINTEXT" and self.kafka_sasl_mechanism == "PLAIN":
            message = (
                "CAREMESH_KAFKA_SECURITY_PROTOCOL=SASL_PLAINTEXT with CAREMESH_KAFKA_SASL_MECHANISM=PLAIN would send the "
                "password in the clear: use SASL_SSL, or a SCRAM mechanism."
            )
            raise ValueError(message)
        return self

    @cached_property
    def embedded_kafka(self) -> bool:
        """Whether the mesh brings its own Kafka."""
        return not self.kafka_bootstrap_servers

    @cached_property
    def embedded_database(self) -> bool:
        """Whether the mesh brings its own PostgreSQL."""
        return not self.database_url.get_secret_value()

    @cached_property
    def catches_mail(self) -> bool:
        """Whether the mesh brings a mail server that delivers to nobody: only where its data is its own, too."""
        return self.embedded_database and not self.notify_email_url.get_secret_value()
