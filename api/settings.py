"""Every setting, read from the environment as `TILTWATCH_<NAME>`."""

from __future__ import annotations

import difflib
import ipaddress
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from pydantic_settings import SettingsError as SourceError

from detector.errors import SettingsError, TiltwatchError
from detector.events.money import Currencies

PREFIX = "TILTWATCH_"


class Settings(BaseSettings):
    """What a deployment may choose. Read it with `read_settings`, whose errors are for people."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, extra="forbid", frozen=True)

    data_dir: Path = Field(
        default=Path("tiltwatch-data"),
        description="Directory of all that no other setting puts elsewhere, the log of its own Redis too; "
        "readable by this user alone.",
    )
    redis_url: SecretStr | None = Field(
        default=None,
        description="URL of the Redis to use (redis, rediss, unix). None: tiltwatch brings its own. "
        "It survives a power cut only if it runs with `appendonly yes` and `appendfsync always`.",
    )
    database_url: SecretStr | None = Field(
        default=None,
        description="Database: sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME. "
        "None: a file in the data directory.",
    )
    keyring_file: Path | None = Field(
        default=None,
        description="The master keys, readable by this user alone; made when it is not there. Keep a copy "
        "elsewhere. None: keyring.json in the data directory.",
    )
    checkpoints_file: Path | None = Field(
        default=None,
        description="Where the audit's signed checkpoints are written besides the store, best on another "
        "machine's disk. None: audit-checkpoints.jsonl in the data directory.",
    )
    archive_dir: Path | None = Field(
        default=None, description="Where accepted events are archived. None: archive in the data directory."
    )
    public_url: str | None = Field(
        default=None,
        description="Address under which aid organisations reach the service, named in what is sent to them.",
    )
    request_limits: dict[str, str] = Field(
        default={},
        description='Requests a key may send, by role, as JSON: {"platform": "5000/second"}. `strangers` is '
        "each address without a key.",
    )
    webhook_networks: list[str] = Field(
        default=[],
        description="Private networks that webhooks may go to, over plain http too, as JSON: "
        '["10.1.2.0/24"]. Empty: public addresses and https alone.',
    )
    smtp_url: SecretStr | None = Field(
        default=None,
        description="Mail server for notifications: smtp://USER:PASSWORD@HOST:PORT (with STARTTLS) or "
        "smtps://. None: no mail is sent.",
    )
    mail_from: str | None = Field(default=None, description="Sender of notifications by mail.")
    mail_to: list[str] = Field(
        default=[], description='Who gets notifications by mail, as JSON: ["desk@example.org"].'
    )
    partner_down_after_s: int = Field(
        default=900,
        ge=1,
        le=7 * 86_400,
        description="Seconds for which nothing gets through to an endpoint before the desk is told.",
    )
    host: str = Field(default="127.0.0.1", description="Address the service listens on.")
    port: int = Field(
        default=8420, ge=0, le=65535, description="Port the service listens on; 0 takes a free one."
    )
    allow_remote: bool = Field(
        default=False,
        description="Listen on an address other machines can reach, and answer under any host name. "
        "Put something in front that speaks https.",
    )
    rules_dir: Path | None = Field(
        default=None, description="Rules to run. None: the packs that come with tiltwatch."
    )
    rates_file: Path | None = Field(
        default=None,
        description="Dated exchange rates (CSV), read again when the file changes. "
        "None: money in another currency is unknown to rules.",
    )
    mappings: Path | None = Field(
        default=None,
        description="Folder of mapping files of the deployment's own, beside those that come with tiltwatch.",
    )
    currencies: dict[str, int] = Field(
        default={}, description='The deployment\'s own currencies with their exponents, as JSON: {"BTC": 8}.'
    )
    brand_zones: dict[str, str] = Field(
        default={},
        description="Time zone of each brand's players, as JSON, where there is no file of places; "
        "a player's own profile comes first.",
    )
    places_file: Path | None = Field(
        default=None,
        description="Brands and jurisdictions with their zones (YAML). "
        "None: the jurisdictions known to tiltwatch.",
    )
    jurisdiction: str | None = Field(
        default=None,
        description="Jurisdiction of players of whom nothing else says it, such as CA-ON. "
        "None: their local time is taken to be UTC.",
    )
    grace_s: int = Field(
        default=900,
        ge=0,
        le=86_400,
        description="Seconds an event may be behind the newest one before it counts as late.",
    )
    tick_every_s: float = Field(
        default=10,
        gt=0,
        le=300,
        description="Seconds without an event after which the clock ticks on, and between such ticks.",
    )
    max_body_bytes: int = Field(
        default=5 * 2**20, ge=1024, description="Largest body of a request, in bytes."
    )
    max_body_events: int = Field(default=10_000, ge=1, description="Most events in one request.")
    backlog_limit: int = Field(
        default=1_000_000,
        ge=1,
        description="Events waiting for the detector beyond which new ones are turned away for now.",
    )
    alerts_kept: int = Field(
        default=100_000,
        ge=1,
        description="Alerts, and notes on them, kept in Redis once the service has them in its database, and "
        "as many alerts of rules in shadow.",
    )
    intervene_within_h: int = Field(
        default=48,
        ge=1,
        le=24 * 400,
        description="Hours after which an alert asks the platform for nothing any more: history is being "
        "read in, or the outage was long.",
    )
    interventions_kept: int = Field(
        default=100_000,
        ge=1,
        description="Interventions kept on their stream once the service has them in its database, where "
        "all are.",
    )
    learn: bool = Field(
        default=True,
        description="Hand out what models learn from. With `tiltwatch run` a trainer learns from it, in "
        "`models` of the data directory; elsewhere `tiltwatch models learn` does.",
    )
    samples_kept: int = Field(
        default=200_000,
        ge=1000,
        description="Samples and labels kept in Redis while no trainer takes them; one takes about 0.5 KB.",
    )
    dead_kept: int = Field(default=10_000, ge=1, description="Refused events kept with their original bytes.")
    kafka: str | None = Field(
        default=None,
        description="Kafka brokers, as HOST:PORT,HOST:PORT. None: one machine's Redis carries the events. "
        "With brokers `tiltwatch worker` detects, and the service sends events there.",
    )
    kafka_group: str = Field(
        default="tiltwatch",
        pattern=r"^[A-Za-z0-9._-]{1,100}$",
        description="Name of the workers' consumer group; their changelog and transactions bear it too.",
    )
    kafka_inputs: dict[str, str | None] = Field(
        default={},
        description="The platform's own topics and the mapping that reads each, as JSON: "
        '{"platform.payments": "acme-payments"}; null for events in our own '
        "vocabulary. rg.events is always read.",
    )
    kafka_partitions: int = Field(
        default=12,
        ge=1,
        le=1000,
        description="Partitions of topics that `tiltwatch kafka init` makes; all inputs must have as many.",
    )
    kafka_replication: int = Field(
        default=1,
        ge=1,
        le=15,
        description="Replicas of topics that `tiltwatch kafka init` makes; 3 where brokers may be lost.",
    )
    kafka_security: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        default="PLAINTEXT", description="How brokers are spoken to."
    )
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        default="SCRAM-SHA-512", description="How the user is proven to the brokers, with SASL."
    )
    kafka_username: str | None = Field(default=None, description="User at the brokers, with SASL.")
    kafka_password: SecretStr | None = Field(default=None, description="That user's password.")
    kafka_ca_file: Path | None = Field(
        default=None,
        description="Certificates (PEM) that the brokers' are checked against, with SSL. None: the system's.",
    )
    kafka_check_crcs: bool = Field(
        default=True,
        description="Check the sums of what the brokers send; false only for a stand-in that writes none.",
    )
    worker_name: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9._-]{1,100}$",
        description="Name of this worker in reports; one that is kept over restarts. None: made of host and "
        "process.",
    )
    worker_port: int = Field(
        default=9464,
        ge=0,
        le=65535,
        description="Port on which a worker answers /healthz, /readyz and /metrics; 0 takes a free one.",
    )
    checkpoint_s: float = Field(
        default=2,
        gt=0,
        le=60,
        description="Seconds between the checkpoints of a worker: what a crash has it judge again.",
    )
    session_s: float = Field(
        default=10,
        ge=1,
        le=300,
        description="Seconds after which the brokers give a silent worker's partitions to others.",
    )
    merge_wait_s: float = Field(
        default=2,
        ge=0,
        le=60,
        description="Seconds for which events wait for older ones of another input topic.",
    )
    log_format: Literal["console", "json"] = Field(
        default="console", description="How log lines are written."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least level that is written."
    )

    @field_validator("redis_url")
    @classmethod
    def _is_redis(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None and not url.get_secret_value().startswith(("redis://", "rediss://", "unix://")):
            raise ValueError("give it as redis://, rediss:// or unix://")
        return url

    @field_validator("currencies")
    @classmethod
    def _are_currencies(cls, own: dict[str, int]) -> dict[str, int]:
        try:
            Currencies(own)
        except TiltwatchError:
            # Its message would repeat the value.
            raise ValueError(
                "give each code, of 3 to 16 capitals and digits, its decimals from 0 to 18, "
                "and none that ISO 4217 gives others"
            ) from None
        return own

    @field_validator("host")
    @classmethod
    def _is_address(cls, host: str) -> str:
        if host != "localhost":
            ipaddress.ip_address(host)  # a name could mean one address now and another when it is bound
        return host

    @model_validator(mode="after")
    def _stays_home(self) -> Self:
        if not self.allow_remote and not is_loopback(self.host):
            raise ValueError(
                f"host must be 127.0.0.1, ::1 or another loopback address unless {PREFIX}ALLOW_REMOTE=true"
            )
        return self

    @model_validator(mode="after")
    def _places_stand_once(self) -> Self:
        if self.places_file is not None and self.brand_zones:
            raise ValueError(f"{PREFIX}BRAND_ZONES goes into the file that {PREFIX}PLACES_FILE names")
        return self


def is_loopback(host: str) -> bool:
    """Whether a host as written (an address or `localhost`) can be reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def read_settings(environment: Mapping[str, str] | None = None, **chosen: Any) -> Settings:
    """The settings of the environment, those given by the command line in their place.

    Raises
    ------
    SettingsError
        A setting is unknown or wrong; the message names it and never its value, which may be a secret.
    """
    names = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    for name in os.environ if environment is None else environment:
        if name.upper().startswith(PREFIX) and name.upper() not in names:
            near = difflib.get_close_matches(name.upper(), names, n=1)
            raise SettingsError(f"{name} is no setting" + (f"; did you mean {near[0]}?" if near else ""))
    try:
        return Settings(**{name: value for name, value in chosen.items() if value is not None})
    except SourceError as error:
        # pydantic-settings reads the JSON of mappings before it validates anything.
        name = str(error).partition('"')[2].partition('"')[0].upper()
        raise SettingsError(f"{PREFIX}{name}: Input should be valid JSON") from None
    except ValidationError as error:
        findings = [
            f"{PREFIX}{str(finding['loc'][0]).upper()}: {finding['msg']}"
            if finding["loc"]
            else finding["msg"]
            for finding in error.errors(include_input=False, include_url=False, include_context=False)
        ]
        raise SettingsError("; ".join(findings)) from None
