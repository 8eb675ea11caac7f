"""Where events go in front of Kafka: to `rg.events`, keyed by player, for the workers to tell repeats."""

from __future__ import annotations

from collections.abc import Sequence

from api.events.repository import APPENDED, NewEvent
from api.kafka.line import BrokersAway, Line, Outgoing
from detector.drivers.kafka.topics import DEAD, EVENTS
from detector.events.decode import Refusal


class KafkaEvents:
    """The write side of intake, over Kafka; both methods raise BrokersAway unless all was acknowledged."""

    def __init__(self, line: Line) -> None:
        self._line = line

    async def append(self, events: Sequence[NewEvent]) -> bytes | None:
        """Append all; repeats are not told here."""
        records: list[Outgoing] = []
        for each in events:
            # Rounded up: what is not too early for us must not be for a worker, who goes by this time.
            at_ms = -(-each.received_us // 1000)
            if each.player is not None:
                records.append(Outgoing(EVENTS, each.original, each.player.encode(), at_ms=at_ms))
                continue
            # Time passes for everybody.
            partitions = (await self._line.partitions()).get(EVENTS)
            if not partitions:
                raise BrokersAway
            records += (
                Outgoing(EVENTS, each.original, partition=number, at_ms=at_ms)
                for number in sorted(partitions)
            )
        await self._line.send(records)
        return bytes([APPENDED]) * len(events)

    async def bury(self, refusals: Sequence[Refusal], received_us: int) -> None:
        """Put refused events on the topic of dead letters."""
        at = str(received_us).encode()
        await self._line.send(
            [
                Outgoing(
                    DEAD,
                    each.original,
                    headers=(("reason", each.reason.encode()), ("detail", each.detail.encode()), ("at", at)),
                )
                for each in refusals
            ]
        )
