"""The organisation itself: what it was sent, what it makes of it, and how it behaves today."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import msgspec

from api.demo.aid.protocol import Answer, Callback, Created, Ended, Message, Status
from api.demo.aid.sealing import Sealing

Mood = Literal["normal", "slow", "down", "429", "410", "500", "redirect", "garbage"]

RESOURCES = "https://resources.aid.example/first-steps"


class Practice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the organisation behaves; changed while it runs.

    Parameters
    ----------
    keys
        Who may send to it: public keys (`whpk_…`) and secrets (`whsec_…`).
    slow_s
        How long it takes to answer when it is slow.
    retry_after_s
        What it says with a 429.
    contact_after_s, close_after_s
        Seconds until it says that it reached the player, and from then until it closes; None: it never does.
    finds
        What comes of its trying.
    """

    mood: Mood = "normal"
    keys: list[str] = []
    slow_s: float = 45.0
    retry_after_s: int = 2
    contact_after_s: float | None = 4.0
    close_after_s: float | None = 8.0
    finds: Literal["contacted", "unreachable", "declined"] = "contacted"


@dataclass(slots=True)
class Referral:
    """A referral and where it stands with us; `contact` is what the player sealed for us."""

    told: Created
    status_token: str
    contact: dict[str, str] | None
    state: str = "acknowledged"
    work: asyncio.Task[None] | None = None


class NotTheProtocol(Exception):  # noqa: N818  (a finding about a message)
    """A signed message that says something else than was agreed."""


Call = Callable[[str, Callback], Awaitable[bool]]
"""Says something about a referral at its `reply_url`; whether it was heard."""


MOST_KEPT = 1_000
"""Messages kept as they came."""


class Organisation:
    """Keeps everything in memory: it is there to be looked at."""

    def __init__(self, practice: Practice, sealing: Sealing, call: Call) -> None:
        self.practice = practice
        self.referrals: dict[str, Referral] = {}
        self.counts: Counter[str] = Counter()
        self.messages: deque[str] = deque(maxlen=MOST_KEPT)
        self._sealing = sealing
        self._call = call
        self._answers: dict[str, bytes] = {}

    def take(self, message_id: str, body: bytes) -> bytes:
        """Take a message whose signature was checked; the same id again gets the same answer, uncounted.

        Raises
        ------
        NotTheProtocol
            It cannot be read as what was agreed.
        """
        if message_id in self._answers:
            self.counts["repeated"] += 1
            return self._answers[message_id]
        self.messages.append(body.decode("utf-8", "replace"))
        try:
            message = msgspec.json.decode(body, type=Message)
            answer = self._read(message)
        except (msgspec.DecodeError, ValueError):  # ValueError: a contact that was not sealed to us
            self.counts["not the protocol"] += 1
            raise NotTheProtocol from None
        self.counts[message.type] += 1
        self._answers[message_id] = answer
        return answer

    def _read(self, message: Message) -> bytes:
        match message.type:
            case "referral.created":
                return self._begin(msgspec.json.decode(message.data, type=Created))
            case "referral.withdrawn":
                self._end(msgspec.json.decode(message.data, type=Ended), "withdrawn")
            case "referral.expired":
                self._end(msgspec.json.decode(message.data, type=Ended), "expired")
        return b"{}"

    def _begin(self, told: Created) -> bytes:
        contact = None if told.sealed_contact is None else self._sealing.open(told.sealed_contact)
        referral = Referral(told, secrets.token_urlsafe(12), contact)
        self.referrals[told.token] = referral
        referral.work = asyncio.get_running_loop().create_task(self._see_to(referral))
        return msgspec.json.encode(Answer("acknowledged", referral.status_token, RESOURCES))

    def _end(self, told: Ended, state: str) -> None:
        referral = self.referrals.get(told.token)
        if referral is None:
            return  # taken back before it ever got here
        if referral.work is not None:
            referral.work.cancel()
        # What was typed for a purpose goes with it.
        referral.state, referral.contact = state, None

    async def _see_to(self, referral: Referral) -> None:
        """Reach the player and say so, then close; a donation has nobody to be reached."""
        practice = self.practice
        if referral.told.purpose == "help":
            if practice.contact_after_s is None:
                return
            await asyncio.sleep(practice.contact_after_s)
            reason = "no_capacity" if practice.finds == "declined" else None
            await self._say(referral, practice.finds, reason=reason)
            if practice.finds == "declined":
                return
        if practice.close_after_s is None:
            return
        await asyncio.sleep(practice.close_after_s)
        found = "no_contact" if practice.finds == "unreachable" else "advice_given"
        await self._say(
            referral, "closed", outcome=found if referral.told.purpose == "help" else "not_needed"
        )

    async def _say(
        self, referral: Referral, status: Status, *, reason: str | None = None, outcome: str | None = None
    ) -> None:
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        if await self._call(referral.told.reply_url, Callback(status, at, reason, outcome)):
            self.counts[f"said {status}"] += 1
            referral.state = status
        else:
            self.counts["not heard"] += 1

    async def close(self) -> None:
        """Stop seeing to anything."""
        working = [each.work for each in self.referrals.values() if each.work is not None]
        for work in working:
            work.cancel()
        await asyncio.gather(*working, return_exceptions=True)
