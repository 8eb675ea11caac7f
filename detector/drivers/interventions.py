"""Putting interventions where the platform finds them: on a stream.

The stream is for a platform that listens, and for the service, which keeps what is owed until it is done;
nothing that the service has not taken over is trimmed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec
from redis import Redis
from redis.client import Pipeline

from detector.drivers.streams import INTERVENTIONS, INTERVENTIONS_RUNNING
from detector.events.instants import DAY_US
from detector.ladder.interventions import Intervention
from detector.ladder.ladder import Ladder
from detector.ladder.running import Running, forget, settle

_Runnings = dict[str, Running]
_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(_Runnings).decode


@dataclass(slots=True)
class Asked:
    """What comes of a batch: interventions to be sent, and what then runs for each player concerned.

    `withheld` counts those of alerts too long ago, which ask for nothing any more.
    """

    sent: list[Intervention] = field(default_factory=list)
    running: dict[str, _Runnings] = field(default_factory=dict)
    withheld: int = 0


GRAVEST = "L5"
GRAVEST_WITHIN_US = 30 * DAY_US
"""How old an alert at the highest level may be and still ask for something."""


def is_past(level: str, opened_us: int, told_us: int, within_us: int) -> bool:
    """Whether an alert came so long after it was opened that it asks for nothing, and nobody owes anything.

    History is being read in then. Who asked to be excluded is to be excluded still when the request comes
    after a long outage.
    """
    limit_us = max(within_us, GRAVEST_WITHIN_US) if level == GRAVEST else within_us
    return told_us - opened_us > limit_us


def prepare(
    redis: Redis, proposed: Iterable[Intervention], ladder: Ladder, now_us: int, within_us: int
) -> Asked:
    """Tell which interventions of a batch the platform is sent.

    What runs for a player is read outside of the transaction that will write it; only the holder of the
    lease ever writes it, and its transaction fails once it is not.

    Parameters
    ----------
    proposed
        What the batch's alerts ask for, whatever was asked for before.
    now_us, within_us
        An alert opened longer than `within_us` before `now_us`, the wall clock, asks for nothing.
    """
    asked = Asked()
    by_player: dict[str, list[Intervention]] = {}
    for each in proposed:
        if is_past(each.level, each.opened_us, now_us, within_us):
            asked.withheld += 1
        else:
            by_player.setdefault(each.player, []).append(each)
    if not by_player:
        return asked
    known: Any = redis.hmget(INTERVENTIONS_RUNNING, list(by_player))
    for (player, theirs), record in zip(by_player.items(), known, strict=True):
        running = _unpack(record) if record else {}
        # The moments of a batch are judged after its events, and may have been due long before them.
        theirs.sort(key=lambda each: each.opened_us)
        asked.sent += settle(theirs, running, ladder)
        # One that is judged in the next batch is behind by the grace at most, which is a day at most.
        latest = theirs[-1]
        forget(running, latest.opened_us - DAY_US, ladder.jurisdiction(latest.jurisdiction).again_us)
        asked.running[player] = running
    return asked


def queue(pipe: Pipeline, asked: Asked) -> None:
    """Queue what stores a batch's interventions."""
    for each in asked.sent:
        pipe.xadd(INTERVENTIONS, {"i": each.to_json()})
    for player, running in asked.running.items():
        if running:
            pipe.hset(INTERVENTIONS_RUNNING, player, _pack(running))
        else:
            pipe.hdel(INTERVENTIONS_RUNNING, player)
