"""What a carrier, HTTP or mail, is given and tells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from api.webhooks.schemas import Outcome

BODY_CAP = 16 * 1024
"""Bytes of an answer that are read; of a longer one nothing is used."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where to: an endpoint's URL, and the secrets that sign now, the newest first."""

    url: str
    secrets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Job:
    """One attempt at a message; `number` is which."""

    message: str
    endpoint: str
    type: str
    body: bytes
    number: int


@dataclass(frozen=True, slots=True)
class Answer:
    """How it ended; `body` and `retry_after` (the header) are as the receiver sent them."""

    outcome: Outcome
    status: int | None = None
    body: bytes = b""
    retry_after: str | None = None


class Carrier(Protocol):
    """Takes messages somewhere."""

    async def carry(self, target: Target, job: Job) -> Answer:
        """Try once. Does not raise for anything the other side does."""
        ...

    async def close(self) -> None:
        """Give connections back."""
        ...
