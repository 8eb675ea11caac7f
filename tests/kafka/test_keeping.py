"""What is kept of a partition: the disk, the changelog, and that only one worker writes it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from aiokafka.errors import ProducerFenced
from rocksdict import Options, Rdict

from detector.drivers.kafka.connection import Connection
from detector.drivers.kafka.keeping import Changelog, Kept, Writer
from detector.drivers.kafka.topics import RISKS, changelog
from tests.brokers import Broker, RealBroker
from tests.drivers.small import wait_for
from tests.kafka.workers import committed, read_all

TOPIC = changelog("tiltwatch")
MARK = b"__offset"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Rdict]:
    """An empty database."""
    made = open_disk(tmp_path / "disk")
    yield made
    made.close()


def open_disk(path: Path) -> Rdict:
    return Rdict(str(path), Options(raw_mode=True))


def connection(kafka: Broker) -> Connection:
    return Connection((kafka.servers,), check_crcs=kafka.check_crcs)


@asynccontextmanager
async def writer(kafka: Broker, partition: int = 0) -> AsyncIterator[Writer]:
    """An open writer, put away at the end whatever became of it."""
    made = Writer(connection(kafka), "tiltwatch", TOPIC, partition)
    await made.open()
    try:
        yield made
    finally:
        await made.close()


def everything(kept: Kept) -> dict[bytes, bytes]:
    return dict(kept.items(b"p"))


async def records_of(kafka: Broker, topic: str) -> list[tuple[bytes | None, bytes | None]]:
    return [(each.key, each.value) for each in await read_all(kafka, topic)]


# The disk


def test_the_disk_goes_from_offset_to_offset(disk: Rdict) -> None:
    kept = Kept(disk, MARK)
    offsets = [kept.offset]
    assert kept.get(b"pone") is None
    kept.apply([(b"pone", b"1"), (b"ptwo", b"2"), (b"ione", b"3"), (b"m", b"4")], 7)
    offsets.append(kept.offset)
    assert kept.get(b"pone") == b"1"
    assert everything(kept) == {b"pone": b"1", b"ptwo": b"2"}
    # Empty is nothing: the changelog knows no tombstones of ours.
    kept.apply([(b"ione", b"")], 9)
    offsets.append(kept.offset)
    assert kept.get(b"ione") is None
    kept.clear()
    assert [*offsets, kept.offset] == [None, 7, 9, None]
    assert everything(kept) == {}


# The changelog; the mock cluster fences nobody off and shows what was aborted


async def test_a_checkpoint_holds_players_risks_and_offsets(kafka: Broker) -> None:
    kafka.create_ours(partitions=2)
    async with writer(kafka, 1) as one:
        last = await one.write({b"pa": b"1", b"m": b"2"}, {b"a": b"{}"}, {"rg.events": 12})
        later = await one.write({b"pa": b"3"}, {}, {"rg.events": 15})
    assert 0 <= last < later
    assert await records_of(kafka, TOPIC) == [(b"pa", b"1"), (b"m", b"2"), (b"pa", b"3")]
    assert {each.partition for each in await read_all(kafka, TOPIC)} == {1}
    assert await records_of(kafka, RISKS) == [(b"a", b"{}")]


@pytest.mark.storm
def test_the_group_comes_as_far_as_its_checkpoints(real_kafka: RealBroker) -> None:
    real_kafka.create_ours(partitions=2)

    async def come() -> None:
        async with writer(real_kafka, 1) as one:
            await one.write({b"pa": b"1"}, {}, {"rg.events": 12})

    asyncio.run(come())
    # The brokers answer a commit before whoever asks for offsets sees it.
    wait_for(lambda: committed(real_kafka) == {("rg.events", 1): 12})


@pytest.mark.storm
async def test_whoever_comes_later_fences_off_whoever_was_before(real_kafka: RealBroker) -> None:
    real_kafka.create_ours(partitions=2)
    async with writer(real_kafka) as first, writer(real_kafka, 1) as other:
        await first.write({b"pa": b"first"}, {}, {})
        async with writer(real_kafka) as second:
            with pytest.raises(ProducerFenced):
                await first.write({b"pa": b"too late"}, {b"a": b"too late"}, {"rg.events": 99})
            await second.write({b"pa": b"second"}, {}, {})
        # Of another partition nobody took anything away.
        await other.write({b"pb": b"other"}, {}, {})
    assert await records_of(real_kafka, TOPIC) == [(b"pa", b"first"), (b"pa", b"second"), (b"pb", b"other")]
    assert await records_of(real_kafka, RISKS) == []


@pytest.mark.storm
async def test_what_was_written_by_half_is_never_read(real_kafka: RealBroker, disk: Rdict) -> None:
    """A worker dies in the middle of a checkpoint: its successor's start ends the transaction."""
    real_kafka.create_ours(partitions=1)
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(writer(real_kafka))
        await first.write({b"pa": b"1"}, {}, {})
        await first._producer.begin_transaction()
        await first._send(TOPIC, [(b"pa", b"half"), (b"pb", b"half")])
        second = await stack.enter_async_context(writer(real_kafka))
        kept = Kept(disk, MARK)
        await Changelog(connection(real_kafka), TOPIC).bring_up({0: kept})
        assert everything(kept) == {b"pa": b"1"}
        await second.write({b"pc": b"2"}, {}, {})
    assert await records_of(real_kafka, TOPIC) == [(b"pa", b"1"), (b"pc", b"2")]


async def bring_up(kafka: Broker, kept: Mapping[int, Kept]) -> int:
    """Bring disks up, as whoever takes the partitions over."""
    async with AsyncExitStack() as stack:
        for number in kept:
            await stack.enter_async_context(writer(kafka, number))
        return await Changelog(connection(kafka), TOPIC).bring_up(kept)


async def write(kafka: Broker, changed: Mapping[bytes, bytes]) -> int:
    async with writer(kafka) as one:
        return await one.write(changed, {}, {})


async def test_a_disk_is_brought_up_from_nothing_and_from_behind(
    kafka: Broker, disk: Rdict, tmp_path: Path
) -> None:
    kafka.create_ours(partitions=3)
    kept = Kept(disk, MARK)
    assert await bring_up(kafka, {0: kept}) == 0
    await write(kafka, {b"p%d" % n: b"old" for n in range(500)})
    assert await bring_up(kafka, {0: kept}) == 500
    await write(kafka, {b"p7": b"new", b"p501": b"new"})
    # Only what it has not got.
    assert await bring_up(kafka, {0: kept}) == 2
    assert await bring_up(kafka, {0: kept}) == 0
    # A worker that writes it itself keeps it at what the write came to.
    last = await write(kafka, {b"p502": b"mine"})
    kept.apply([(b"p502", b"mine")], last)
    assert await bring_up(kafka, {0: kept}) == 0
    fresh = open_disk(tmp_path / "fresh")
    second = Kept(fresh, MARK)
    other = open_disk(tmp_path / "other")
    assert await bring_up(kafka, {0: second, 2: Kept(other, MARK)}) == 503
    assert everything(second) == everything(kept)
    assert (len(everything(second)), second.get(b"p7"), second.get(b"p8")) == (502, b"new", b"old")
    for each in (fresh, other):
        each.close()


async def test_a_disk_of_another_changelog_is_cleared(kafka: Broker, disk: Rdict) -> None:
    """The topic was made anew: what the disk holds is of a past that nobody else knows."""
    kafka.create_ours(partitions=1)
    kept = Kept(disk, MARK)
    kept.apply([(b"pold", b"1")], 1000)
    await write(kafka, {b"pnew": b"2"})
    assert await bring_up(kafka, {0: kept}) == 1
    assert everything(kept) == {b"pnew": b"2"}


async def test_large_records_go_through(kafka: Broker, disk: Rdict) -> None:
    kafka.create_ours(partitions=1)
    large = bytes(1_500_000)
    changed = {b"pa": b"1", b"pb": large, b"pc": b"2", b"pd": large + b"d"}
    last = await write(kafka, changed)
    kept = Kept(disk, MARK)
    assert await bring_up(kafka, {0: kept}) == 4
    assert everything(kept) == changed
    assert kept.offset == last
