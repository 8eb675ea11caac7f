"""A worker on Kafka as the settings describe it."""

from __future__ import annotations

import asyncio
import os
import socket

from api import logs
from api.detecting import read_rates_and_places
from api.kafka.connecting import connection_of, inputs_of
from api.settings import PREFIX, Settings
from detector.drivers.kafka.admin import require
from detector.drivers.kafka.application import Plan
from detector.drivers.kafka.faults import Wanted
from detector.drivers.kafka.options import Options
from detector.drivers.kafka.running import run
from detector.errors import SettingsError
from detector.events.money import Currencies
from detector.language.pack import default_pack


def work(settings: Settings) -> int:
    """Detect until a signal comes; returns the exit code.

    Raises
    ------
    TiltwatchError
        The settings name no brokers, the topics are not what they have to be, or a rule, a mapping, the
        rates, the places or a currency cannot be used.
    """
    connection = connection_of(settings)
    if connection is None:
        raise SettingsError(f"{PREFIX}KAFKA must name the brokers that the worker detects on")
    logs.configure(settings.log_format, settings.log_level)
    currencies = Currencies(settings.currencies)
    inputs = inputs_of(settings, currencies)
    wanted = Wanted(settings.kafka_group, frozenset(inputs))
    partitions = asyncio.run(require(connection, wanted))
    watched, places = read_rates_and_places(settings, currencies)
    name = settings.worker_name or f"{socket.gethostname()}-{os.getpid()}"
    folder = settings.data_dir / "worker"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"the data directory cannot be made: {error.strerror}") from None
    return run(
        Plan(
            connection=connection,
            group=settings.kafka_group,
            inputs=tuple(inputs),
            partitions=partitions,
            folder=folder,
            address=f"http://{name}",
            session_s=settings.session_s,
        ),
        Options(
            name=name,
            group=settings.kafka_group,
            folder=folder,
            rules_folder=settings.rules_dir or default_pack(),
            inputs=inputs,
            grace_us=settings.grace_s * 1_000_000,
            checkpoint_s=settings.checkpoint_s,
            tick_every_s=settings.tick_every_s,
            session_s=settings.session_s,
            merge_wait_s=settings.merge_wait_s,
            learn=settings.learn,
            intervene_within_us=settings.intervene_within_h * 3_600_000_000,
        ),
        currencies=currencies,
        places=places,
        rates=watched,
        host=settings.host,
        port=settings.worker_port,
    )
