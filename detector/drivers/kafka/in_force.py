"""What players of a partition were asked for lately, and what the platform is newly asked for."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from detector.drivers.kafka.marks import RUNNING
from detector.events.instants import DAY_US
from detector.ladder.interventions import Intervention
from detector.ladder.ladder import Ladder
from detector.ladder.running import Running, forget, settle

_Runnings = dict[str, Running]
_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(_Runnings).decode


class InForce:
    """Holds new interventions against those before, player by player.

    Parameters
    ----------
    ladder
        What they are settled by.
    stored
        Finds what is kept for a key of the changelog.
    """

    def __init__(self, ladder: Ladder, stored: Callable[[bytes], bytes | None]) -> None:
        self._ladder = ladder
        self._stored = stored
        self._changed: dict[str, _Runnings] = {}

    def settle(self, proposed: Intervention) -> list[Intervention]:
        """What the platform is asked for because of what an alert proposes."""
        player = proposed.player
        running = self._changed.get(player)
        if running is None:
            record = self._stored(RUNNING + player.encode())
            running = _unpack(record) if record else {}
        sent = settle([proposed], running, self._ladder)
        again_us = self._ladder.jurisdiction(proposed.jurisdiction).again_us
        forget(running, proposed.opened_us - DAY_US, again_us)
        self._changed[player] = running
        return sent

    def unsaved(self) -> dict[bytes, bytes]:
        """All that has changed since the last call, by the changelog's keys."""
        changed, self._changed = self._changed, {}
        # Empty, and no tombstone: those are forgotten, and a disk that was away would keep the old.
        return {
            RUNNING + player.encode(): _pack(running) if running else b""
            for player, running in changed.items()
        }
