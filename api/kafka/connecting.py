"""The brokers and the input topics that the settings name."""

from __future__ import annotations

from api.settings import PREFIX, Settings
from detector.drivers.kafka.connection import Connection, read_servers
from detector.drivers.kafka.topics import EVENTS
from detector.errors import InputError
from detector.events.money import Currencies
from detector.mapping.catalogue import Catalogue
from detector.mapping.feed import FeedMapping


def connection_of(settings: Settings) -> Connection | None:
    """How the brokers are spoken to; None: there are none, and Redis carries the events.

    Raises
    ------
    SettingsError
        The brokers are not given as HOST:PORT each.
    """
    if settings.kafka is None:
        return None
    password = settings.kafka_password
    return Connection(
        read_servers(settings.kafka),
        settings.kafka_security,
        settings.kafka_sasl_mechanism,
        settings.kafka_username,
        None if password is None else password.get_secret_value(),
        settings.kafka_ca_file,
        settings.kafka_check_crcs,
    )


def inputs_of(settings: Settings, currencies: Currencies) -> dict[str, FeedMapping | None]:
    """The topics that events come in by, and the mapping that reads each; None: our own vocabulary.

    Raises
    ------
    InputError
        There is no such mapping.
    RuleErrors
        A mapping file has findings.
    """
    catalogue = Catalogue(settings.mappings, currencies)
    found: dict[str, FeedMapping | None] = {EVENTS: None}
    for topic, name in settings.kafka_inputs.items():
        mapping = None if name is None else catalogue.get(name)
        if name is not None and mapping is None:
            known = ", ".join(catalogue.names)
            raise InputError(f"{PREFIX}KAFKA_INPUTS names no mapping that there is; there are {known}")
        found[topic] = mapping
    return found
