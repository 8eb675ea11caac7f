"""What `POST /v1/events` answers."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field


class EventResult(BaseModel):
    """What became of one event of the body."""

    index: int = Field(description="Its place in the body, from 0.")
    id: str | None = Field(description="Its id; null when it could not be read so far, or has none.")
    status: Literal["accepted", "repeated", "rejected"]
    reason: str | None = Field(None, description="Rejected: a code out of a closed set.")
    detail: str | None = Field(None, description="Rejected: where in the event, and how to mend it.")


class IntakeReport(BaseModel):
    """All accepted events are on disk when this is sent."""

    accepted: int
    repeated: int = Field(description="Seen before with the same content, and so counted once.")
    rejected: int
    results: list[EventResult] = Field(description="One for each event of the body, in its order.")
