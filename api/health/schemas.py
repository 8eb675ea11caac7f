"""What `/healthz` and `/readyz` answer."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field


class Alive(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Checks(BaseModel):
    """Each part the service needs; it is ready when all are `ok`."""

    redis: Literal["ok", "unreachable"]
    detector: Literal["ok", "loading", "absent", "unknown", "recovering", "incomplete"]
    kafka: Annotated[
        Literal["ok", "unreachable", "topics missing"], Field(description="Only where there are brokers.")
    ] = "ok"

    @property
    def waiting(self) -> list[str]:
        """The parts that are not ready, with their state and what it means where that is not plain."""
        return [f"{part}: {_TOLD.get(state, state)}" for part, state in self if state != "ok"]


_TOLD = {
    "recovering": "recovering, workers read back what they kept of players",
    "incomplete": "incomplete, no worker has some of the partitions",
}
