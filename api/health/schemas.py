"""What `/healthz` and `/readyz` answer."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel


class Alive(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Checks(BaseModel):
    """Each part the service needs; it is ready when all are `ok`."""

    redis: Literal["ok", "unreachable"]
    detector: Literal["ok", "loading", "absent", "unknown"]

    @property
    def waiting(self) -> list[str]:
        """The parts that are not ready, with their state."""
        return [f"{part}: {state}" for part, state in self if state != "ok"]
