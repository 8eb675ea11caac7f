"""What `POST /v1/events` answers."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType
from pydantic import BaseModel, ConfigDict, Field


class IntakeQuery(BaseModel):
    """How a body is to be read. A misspelt parameter is refused: messages would be taken for events."""

    model_config = ConfigDict(extra="forbid")

    mapping: Annotated[
        str | None,
        Field(description="The mapping by which the body's messages, of another platform, become events."),
    ] = None


class EventResult(Struct, gc=False):
    """What became of one event of the body; `reason` and `detail` say why one was rejected."""

    index: Annotated[int, Meta(description="Its place in the body, from 0.")]
    id: Annotated[str | None, Meta(description="Its id; null when it has none that could be read.")]
    status: Literal["accepted", "repeated", "rejected"]
    reason: Annotated[str | None, Meta(description="A code out of a closed set.")] = None
    detail: Annotated[str | None, Meta(description="Where in the event, and how to mend it.")] = None


class IntakeReport(Struct):
    """What became of a body. All accepted events are on disk when it is sent."""

    accepted: int = 0
    repeated: Annotated[int, Meta(description="Seen before with the same content, and counted once.")] = 0
    rejected: int = 0
    dropped: Annotated[
        int | UnsetType,
        Meta(description="Records that the mapping leaves out on purpose; only where one was asked for."),
    ] = UNSET
    results: Annotated[list[EventResult], Meta(description="One an event, in the order of the body.")] = []
