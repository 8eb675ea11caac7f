"""The least that can be done with a log on Kafka: fetch it by bare aiokafka, and have msgspec decode it.

As a process: servers, topic, partitions, events, whether sums are checked; it prints events and seconds.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import time

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from detector.events.vocabulary import AnyEvent

FETCH = 2 << 20
"""Bytes of a partition at a time, as workers fetch them."""


async def read(servers: str, topic: str, partitions: int, events: int, check_crcs: bool) -> float:
    """Seconds until so many events were decoded."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=servers,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=FETCH,
        check_crcs=check_crcs,
    )
    await consumer.start()
    try:
        consumer.assign([TopicPartition(topic, number) for number in range(partitions)])
        decode = msgspec.json.Decoder(AnyEvent).decode
        count = 0
        gc.freeze()
        gc.set_threshold(100_000, 50, 50)
        began = time.perf_counter()
        while count < events:
            found = await consumer.getmany(timeout_ms=1000)
            for records in found.values():
                for record in records:
                    decode(record.value)
                count += len(records)
        return time.perf_counter() - began
    finally:
        await consumer.stop()


if __name__ == "__main__":
    servers, topic, partitions, events, check = sys.argv[1:]
    seconds = asyncio.run(read(servers, topic, int(partitions), int(events), check == "true"))
    print(events, seconds)
