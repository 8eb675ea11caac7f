"""`tiltwatch kafka`: the topics that workers and service share."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from detector.drivers.kafka.connection import Connection
    from detector.drivers.kafka.faults import Fault, Wanted

app = typer.Typer(name="kafka", help="Make and check the topics on Kafka.", no_args_is_help=True)


@app.command("init")
def init() -> None:
    """Make the topics that are missing, then check them all: one finding a line, exit 1 on any."""
    from detector.drivers.kafka import admin

    connection, wanted = _chosen()
    made, faults = asyncio.run(admin.init(connection, wanted))
    for name, partitions in made.items():
        typer.echo(f"made {name} with {partitions} partition{'' if partitions == 1 else 's'}")
    _stop_on(faults)
    typer.echo(f"{len(wanted.ours)} topics are there; nothing else was changed")


@app.command("check")
def check() -> None:
    """Compare the topics with what workers need: one finding a line, exit 1 on any."""
    from detector.drivers.kafka import admin
    from detector.drivers.kafka.faults import find_faults, unseen_settings

    connection, wanted = _chosen()
    seen = asyncio.run(admin.look(connection, wanted))
    unseen = unseen_settings(wanted, seen)
    if unseen:
        typer.echo(
            f"not checked: the settings of {', '.join(unseen)}, which the brokers do not tell", err=True
        )
    _stop_on(find_faults(wanted, seen))
    typer.echo(f"{len(seen)} topics checked, nothing found")


def _chosen() -> tuple[Connection, Wanted]:
    from api.kafka.connecting import connection_of
    from api.settings import PREFIX, read_settings
    from detector.drivers.kafka.faults import Wanted
    from detector.drivers.kafka.topics import EVENTS
    from detector.errors import SettingsError

    settings = read_settings()
    connection = connection_of(settings)
    if connection is None:
        raise SettingsError(f"{PREFIX}KAFKA must name the brokers")
    return connection, Wanted(
        settings.kafka_group,
        frozenset({EVENTS, *settings.kafka_inputs}),
        settings.kafka_partitions,
        settings.kafka_replication,
    )


def _stop_on(faults: Iterable[Fault]) -> None:
    told = list(map(str, faults))
    for line in told:
        typer.echo(line)
    if told:
        raise typer.Exit(1)
