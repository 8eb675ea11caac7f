"""Where the brokers are and how they are spoken to."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from detector.errors import SettingsError


@dataclass(frozen=True, slots=True)
class Connection:
    """Brokers, as `host:port` each, and what they ask for.

    `security` is Kafka's security protocol; `mechanism`, `username` and `password` go with SASL, `ca_file`
    with SSL. `check_crcs`: whether the sums of what is read are checked.
    """

    servers: tuple[str, ...]
    security: str = "PLAINTEXT"
    mechanism: str = "SCRAM-SHA-512"
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: Path | None = None
    check_crcs: bool = True

    @property
    def is_sealed(self) -> bool:
        """Whether the line is encrypted."""
        return self.security in ("SSL", "SASL_SSL")

    @property
    def is_named(self) -> bool:
        """Whether the brokers ask who we are."""
        return self.security.startswith("SASL_")

    def ssl_context(self) -> ssl.SSLContext | None:
        """What certificates are checked with; SettingsError if the file of them cannot be read."""
        if not self.is_sealed:
            return None
        try:
            return ssl.create_default_context(cafile=self.ca_file)
        except (OSError, ssl.SSLError):
            raise SettingsError(
                "the file of certificates for Kafka cannot be read; see KAFKA_CA_FILE"
            ) from None

    def aiokafka(self) -> dict[str, Any]:
        """The keyword arguments that every client of aiokafka takes."""
        told: dict[str, Any] = {
            "bootstrap_servers": list(self.servers),
            "security_protocol": self.security,
            "ssl_context": self.ssl_context(),
        }
        if self.is_named:
            told |= {
                "sasl_mechanism": self.mechanism,
                "sasl_plain_username": self.username,
                "sasl_plain_password": self.password,
            }
        return told


def read_servers(text: str) -> tuple[str, ...]:
    """Brokers as a setting names them; SettingsError unless each is HOST:PORT."""
    servers = tuple(each.strip() for each in text.split(",") if each.strip())
    for each in servers:
        host, colon, port = each.rpartition(":")
        if not (colon and host and port.isdigit() and 0 < int(port) < 65536):
            raise SettingsError("give Kafka's brokers as HOST:PORT, with commas between them")
    if not servers:
        raise SettingsError("name at least one Kafka broker, as HOST:PORT")
    return servers
