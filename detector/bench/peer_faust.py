"""A Faust agent as its manual shows one: an event at a time, each followed by a write to a table.

It does the same job with the same parts: strict decoding, an engine for each partition with the packaged
rules, alerts sent, and the record of the player kept in a table on RocksDB with its changelog. Nothing of
Faust is set that would slow it down: its scheduler, buffers and commits are those it comes with.

As a process: servers, group, topic, topic of alerts, partitions, events, folder, whether sums are checked; it
prints events and seconds.
"""

# Types must check with Faust's decorators, which have none.
# mypy: disallow-untyped-decorators=false

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

import faust

from detector.drivers.detection import Detection
from detector.drivers.kafka.partition import STEP_US
from detector.engine.engine import Engine
from detector.events.decode import Decoder, Refusal
from detector.events.instants import to_datetime
from detector.events.money import Currencies
from detector.language.pack import default_pack, load_rules

TABLE = "players"


class Job:
    """What the agent does of ours, an event at a time."""

    def __init__(self, stored: Any) -> None:
        currencies = Currencies()
        self._detection = Detection(load_rules(default_pack()), currencies)
        self._decoder = Decoder(currencies)
        self._stored = stored
        self._engines: dict[int, Engine] = {}
        self._next_tick: dict[int, int] = {}

    def judge(self, partition: int, value: bytes, received_s: float) -> Engine:
        """Judge an event; the engine holds what follows from it."""
        engine = self._engines.get(partition)
        if engine is None:
            engine = self._engines[partition] = self._detection.engine(keep_records=True, stored=self._stored)
        event = self._decoder.decode(value, to_datetime(int(received_s * 1e6)))
        assert not isinstance(event, Refusal), event.detail
        engine.apply(event, self._decoder.content)
        if engine.high_us >= self._next_tick.get(partition, 0):
            engine.tick(engine.watermark_us)
            self._next_tick[partition] = (engine.high_us // STEP_US + 1) * STEP_US
        return engine


def main(
    servers: str,
    group: str,
    topic: str,
    out: str,
    partitions: int,
    events: int,
    folder: Path,
    check_crcs: bool,
) -> None:
    """Run the agent until it has done so many events, then end the process."""
    app = faust.App(
        group,
        broker=[f"kafka://{server}" for server in servers.split(",")],
        broker_check_crcs=check_crcs,
        consumer_auto_offset_reset="earliest",
        store="rocksdb://?driver=rocksdict",
        datadir=folder,
        # The topics are made beforehand, which brokers would do for it no better.
        topic_allow_declare=False,
        topic_disable_leader=True,
        web_enabled=False,
        worker_redirect_stdouts=False,
    )
    source = app.topic(topic, key_type=bytes, value_type=bytes, value_serializer="raw")
    alerts = app.topic(out, key_type=bytes, value_type=bytes, value_serializer="raw")
    players: Any = app.Table(TABLE, partitions=partitions, key_type=bytes, value_type=bytes)
    players.key_serializer = players.value_serializer = "raw"
    job = Job(lambda player: players.get(player.encode()))
    count, began = 0, 0.0

    @app.agent(source)
    async def detector(stream: Any) -> None:
        nonlocal count, began
        async for event in stream.events():
            if not count:
                began = time.perf_counter()
            message = event.message
            engine = job.judge(message.partition, event.value, message.timestamp)
            for alert in engine.take().alerts:
                await alerts.send(key=alert.player.encode(), value=alert.to_json())
            for player, record in engine.records():
                players[player.encode()] = record
            count += 1
            if count == events:
                took = time.perf_counter() - began
                await app.producer.flush()
                # A line of its own: Faust leaves the last one unfinished.
                print(f"\n{events} {took}", flush=True)
                # Stopping takes longer than all else, and nobody waits for what it would do.
                os._exit(0)

    faust.Worker(app, quiet=True, loglevel="ERROR", override_logging=False).execute_from_commandline()


if __name__ == "__main__":
    servers, group, topic, out, partitions, events, folder, check = sys.argv[1:]
    main(servers, group, topic, out, int(partitions), int(events), Path(folder), check == "true")
