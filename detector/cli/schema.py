"""`tiltwatch schema`: what may be sent and what comes out, for other people's tools."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import msgspec
import typer


class Subject(StrEnum):
    EVENT = "event"
    CLOUDEVENT = "cloudevent"
    ASYNCAPI = "asyncapi"


def command(
    subject: Annotated[
        Subject,
        typer.Argument(
            help="event or cloudevent: JSON Schema of one; asyncapi: AsyncAPI 3.0 of all that comes and goes."
        ),
    ] = Subject.EVENT,
) -> None:
    """Write a schema as JSON, made from the same vocabulary as the decoder."""
    # Generating takes longer than other commands take to start.
    from detector.drivers.asyncapi import asyncapi
    from detector.events.schema import cloud_event_schema, json_schema

    make = {Subject.EVENT: json_schema, Subject.CLOUDEVENT: cloud_event_schema, Subject.ASYNCAPI: asyncapi}
    typer.echo(msgspec.json.format(msgspec.json.encode(make[subject]()), indent=2))
