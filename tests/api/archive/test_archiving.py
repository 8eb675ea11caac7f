"""From the stream of accepted events to the day's file."""

from __future__ import annotations

import asyncio
import hashlib
import json
import stat
from pathlib import Path

import pytest
from redis import Redis

from api.archive import index
from api.archive.segments import segment_path
from api.backoffice.lease import LeaseLost, OfficeLease
from detector.drivers.lines import LogReader
from detector.drivers.replay import replay
from detector.drivers.streams import trim_behind_readers
from detector.drivers.valkey import Server
from detector.language.pack import load_rules
from tests.api.archive.office import LONG_US, Clock, last_entry, lines, office, put
from tests.drivers.small import DAY_US, MINUTE_US, NOON_US, event, write_rules

DAY = "2026-01-01"
NEXT = "2026-01-02"


def many(count: int, first: int = 0, at_us: int = NOON_US) -> list[bytes]:
    return [event(f"e{n}", at_us + n * 1000, f"p{n % 7}") for n in range(first, first + count)]


async def test_what_is_accepted_is_kept_as_it_came(
    valkey: Server, redis: Redis, tmp_path: Path, store_url: str
) -> None:
    events = [*many(25), b'{"type":"tick","ts":"2026-01-01T12:00:00.000Z"}']
    put(redis, *events)
    async with office(valkey.url, tmp_path, store_url) as each:
        await each.work()
        segment = (await each.segments())[DAY]
    path = segment_path(tmp_path / "archive", DAY)
    assert lines(path) == events
    assert (segment.events, segment.length) == (26, path.stat().st_size)
    assert segment.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (segment.min_us, segment.max_us) == (NOON_US, NOON_US + 24_000)


async def test_nobody_else_may_read_it(valkey: Server, redis: Redis, tmp_path: Path, store_url: str) -> None:
    put(redis, *many(3))
    async with office(valkey.url, tmp_path, store_url) as each:
        await each.work()
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "archive").iterdir()}
    assert modes == {0o600}
    assert stat.S_IMODE((tmp_path / "archive").stat().st_mode) == 0o700


async def test_a_segment_is_a_log_that_replay_reads(
    valkey: Server, redis: Redis, tmp_path: Path, store_url: str
) -> None:
    pretty = json.dumps(json.loads(event("e3", NOON_US + 3 * MINUTE_US)), indent=1).encode()
    put(redis, *(event(f"e{n}", NOON_US + n * MINUTE_US) for n in range(3)), pretty)
    async with office(valkey.url, tmp_path, store_url) as each:
        await each.work()
    (tmp_path / "rules").mkdir()
    rules = load_rules(write_rules(tmp_path / "rules"))
    with LogReader(str(segment_path(tmp_path / "archive", DAY))) as log:
        outcome = replay(log, rules)
        assert [alert.rule for alert in outcome.alerts if alert.rule.startswith("third")]
    assert outcome.lines == 4


async def test_the_stream_is_not_trimmed_before_it_is_archived(
    valkey: Server, redis: Redis, tmp_path: Path, store_url: str
) -> None:
    redis.xgroup_create("tw:events", "detector", id="0", mkstream=True)
    async with office(valkey.url, tmp_path, store_url) as each:
        await each.work()  # it has begun
        put(redis, *many(12))
        redis.xgroup_setid("tw:events", "detector", last_entry(redis))
        assert trim_behind_readers(redis, "tw:events") == 0
        await each.work()
        assert trim_behind_readers(redis, "tw:events") == 12
    assert len(lines(segment_path(tmp_path / "archive", DAY))) == 12


async def test_another_office_goes_on_where_one_stopped(
    valkey: Server, redis: Redis, tmp_path: Path, store_url: str
) -> None:
    events = many(40)
    for start in range(0, 40, 13):
        put(redis, *events[start : start + 13])
        async with office(valkey.url, tmp_path, store_url) as each:
            await each.work()
    assert lines(segment_path(tmp_path / "archive", DAY)) == events


@pytest.mark.parametrize("tail", [b"garbage", b"\x28\xb5\x2f\xfd\x24", None])
async def test_what_a_crash_left_behind_is_cut_off(
    valkey: Server, redis: Redis, tmp_path: Path, store_url: str, tail: bytes | None
) -> None:
    path = segment_path(tmp_path / "archive", DAY)
    put(redis, *many(20))
    async with office(valkey.url, tmp_path, store_url) as each:
        await each.work()
    whole = path.read_bytes()
    # Nothing of this was committed: rubbish, half a frame, or whole frames of the crash's own batch.
    path.write_bytes(whole + (whole if tail is None else tail))
    index.index_path(path).write_bytes(b"")
    put(redis, *many(5, first=20))
    async with office(valkey.url, tmp_path, store_url) as each:
        await each.work()
    assert lines(path) == many(25)
    assert path.read_bytes().startswith(whole)


async def test_a_transaction_that_fails_leaves_nothing(
    valkey: Server, redis: Redis, tmp_path: Path, store_url: str
) -> None:
    put(redis, *many(20))
    async with office(valkey.url, tmp_path, store_url) as each:

        async def fail(_: object) -> None:
            raise ConnectionError

        each.deployment.store.before_commit.append(fail)
        with pytest.raises(ConnectionError):
            await each.duty.round()
        each.deployment.store.before_commit.remove(fail)
        assert await each.segments() == {}
        await each.work()
    assert lines(segment_path(tmp_path / "archive", DAY)) == many(20)


async def test_an_office_that_lost_its_lease_writes_nothing(
    valkey: Server, redis: Redis, tmp_path: Path, store_url: str
) -> None:
    put(redis, *many(12))
    clock = Clock()
    async with office(valkey.url, tmp_path, store_url, clock) as each:
        await each.work()
        before = segment_path(each.folder, DAY).read_bytes()
        clock.us += 2 * LONG_US
        other = OfficeLease(each.deployment.store, clock, LONG_US)
        assert await other.take()
        put(redis, *many(5, first=12))
        with pytest.raises(LeaseLost):
            await each.duty.round()
        assert segment_path(each.folder, DAY).read_bytes() == before


async def test_nobody_writes_while_another_process_holds_the_files(
    valkey: Server, redis: Redis, tmp_path: Path, store_url: str
) -> None:
    import fcntl

    put(redis, *many(12))
    async with office(valkey.url, tmp_path, store_url) as each:
        each.folder.mkdir()
        with (each.folder / "lock").open("ab") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            assert await each.duty.round() > 0
            assert await each.segments() == {}
        await each.work()
    assert lines(segment_path(tmp_path / "archive", DAY)) == many(12)


async def test_a_cancelled_round_has_finished_with_the_file(
    valkey: Server, redis: Redis, tmp_path: Path, store_url: str
) -> None:
    put(redis, *many(2000))
    async with office(valkey.url, tmp_path, store_url, batch=500) as each:
        for steps in range(1, 60, 5):
            task = asyncio.create_task(each.duty.round())
            for _ in range(steps):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await each.work()
    assert lines(segment_path(tmp_path / "archive", DAY)) == many(2000)


# Days


async def test_a_day_that_is_over_is_sealed(
    valkey: Server, redis: Redis, tmp_path: Path, store_url: str
) -> None:
    clock = Clock()
    put(redis, *many(12))
    async with office(valkey.url, tmp_path, store_url, clock) as each:
        await each.work()
        clock.us = NOON_US + DAY_US // 2  # midnight: some of the day may still come
        await each.work()
        assert (await each.segments())[DAY].sealed_us is None
        clock.us += 2 * MINUTE_US
        await each.work()
        assert (await each.segments())[DAY].sealed_us == clock.us
        ((subject, details),) = await each.told("archive.sealed")
    file = segment_path(tmp_path / "archive", DAY).read_bytes()
    assert subject == f"segment:{DAY}"
    assert json.loads(details) == {
        "sha256": hashlib.sha256(file).hexdigest(),
        "bytes": len(file),
        "events": 12,
    }


async def test_an_event_of_the_next_day_seals_the_one_before(
    valkey: Server, redis: Redis, tmp_path: Path, store_url: str
) -> None:
    clock = Clock(NOON_US + DAY_US)
    put(redis, *many(3))
    put(redis, *many(3, first=3), received_us=NOON_US + DAY_US)
    put(redis, *many(2, first=6))  # received the day before, by a service whose clock is behind
    async with office(valkey.url, tmp_path, store_url, clock) as each:
        await each.work()
        segments = await each.segments()
        assert [segments[name].sealed_us is not None for name in (DAY, NEXT)] == [True, False]
        assert len(await each.told("archive.sealed")) == 1
    assert lines(segment_path(tmp_path / "archive", DAY)) == many(3)
    assert lines(segment_path(tmp_path / "archive", NEXT)) == many(5, first=3)


async def test_a_sealed_day_is_not_opened_again(
    valkey: Server, redis: Redis, tmp_path: Path, store_url: str
) -> None:
    clock = Clock()
    put(redis, *many(3))
    async with office(valkey.url, tmp_path, store_url, clock) as each:
        await each.work()
        clock.us += DAY_US
        await each.work()
        sealed = segment_path(each.folder, DAY).read_bytes()
        put(redis, *many(2, first=3))  # of the day that is sealed
        await each.work()
        assert set(await each.segments()) == {DAY, f"{DAY}.2"}
        assert segment_path(each.folder, DAY).read_bytes() == sealed
    assert lines(segment_path(tmp_path / "archive", f"{DAY}.2")) == many(2, first=3)


async def test_a_wrong_clock_opens_no_day_to_come(
    valkey: Server, redis: Redis, tmp_path: Path, store_url: str
) -> None:
    put(redis, *many(3), received_us=NOON_US + 400 * DAY_US)
    async with office(valkey.url, tmp_path, store_url) as each:
        await each.work()
        assert set(await each.segments()) == {DAY}


async def test_an_entry_without_its_receipt_goes_by_its_own_time(
    valkey: Server, redis: Redis, tmp_path: Path, store_url: str
) -> None:
    redis.xadd("tw:events", {"e": event("e1")}, id=f"{(NOON_US - DAY_US) // 1000}-0")
    async with office(valkey.url, tmp_path, store_url) as each:
        await each.work()
        assert set(await each.segments()) == {"2025-12-31"}


# Damage


@pytest.mark.parametrize("harm", ["changed", "shortened", "removed"])
async def test_a_file_that_was_tampered_with_is_not_gone_on_with(
    valkey: Server, redis: Redis, tmp_path: Path, store_url: str, harm: str
) -> None:
    path = segment_path(tmp_path / "archive", DAY)
    put(redis, *many(12))
    async with office(valkey.url, tmp_path, store_url) as each:
        await each.work()
    data = bytearray(path.read_bytes())
    data[40] ^= 1
    if harm == "removed":
        path.unlink()
    else:
        path.write_bytes(data if harm == "changed" else data[:-1])
    put(redis, *many(4, first=12))
    async with office(valkey.url, tmp_path, store_url) as each:
        await each.work()
        assert [subject for subject, _ in await each.told("archive.damaged")] == [f"segment:{DAY}"]
        assert (await each.segments())[DAY].sealed_us is not None
    assert lines(segment_path(tmp_path / "archive", f"{DAY}.2")) == many(4, first=12)


async def test_what_is_no_event_is_left_out(
    valkey: Server, redis: Redis, tmp_path: Path, store_url: str
) -> None:
    put(redis, b"rubbish", event("e1"), b'{"type": 3}', b"\xff\xff", b"")
    redis.xadd("tw:events", {"x": b"y"})
    async with office(valkey.url, tmp_path, store_url) as each:
        await each.work()
    assert lines(segment_path(tmp_path / "archive", DAY)) == [event("e1")]


async def test_a_redis_that_began_anew_is_read_from_its_beginning(
    valkey: Server, redis: Redis, tmp_path: Path, store_url: str
) -> None:
    redis.xadd("tw:events", {"e": event("e1"), "r": NOON_US}, id="9999999999999-0")
    async with office(valkey.url, tmp_path, store_url) as each:
        await each.work()
    redis.flushall()
    put(redis, event("e2"))
    async with office(valkey.url, tmp_path, store_url) as each:
        await each.work()
    assert lines(segment_path(tmp_path / "archive", DAY)) == [event("e1"), event("e2")]


async def test_events_that_went_before_they_were_archived_are_told_of(
    valkey: Server, redis: Redis, tmp_path: Path, store_url: str
) -> None:
    put(redis, *many(3))
    async with office(valkey.url, tmp_path, store_url) as each:
        await each.work()
    put(redis, *many(5, first=3))
    redis.xtrim("tw:events", maxlen=2, approximate=False)
    async with office(valkey.url, tmp_path, store_url) as each:
        await each.work()
        assert [subject for subject, _ in await each.told("archive.gap")] == ["stream:events"]
    async with office(valkey.url, tmp_path, store_url) as each:
        await each.work()
        assert len(await each.told("archive.gap")) == 1


async def test_events_that_are_trimmed_as_they_should_be_are_no_gap(
    valkey: Server, redis: Redis, tmp_path: Path, store_url: str
) -> None:
    put(redis, *many(4))
    redis.xtrim("tw:events", maxlen=1, approximate=False)  # before there was an archive
    for first in (4, 9, 14):
        put(redis, *many(5, first=first))
        async with office(valkey.url, tmp_path, store_url) as each:
            await each.work()
            assert await each.told("archive.gap") == []
            if first == 4:  # as if it had been killed between the store and the stream
                redis.xgroup_setid("tw:events", "archive", "0-0", entries_read=3)
        if first != 4:
            trim_behind_readers(redis, "tw:events")
    assert len(lines(segment_path(tmp_path / "archive", DAY))) == 16
