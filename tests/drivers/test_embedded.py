from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from detector.drivers.embedded import EmbeddedDetector, Options
from detector.drivers.lease import Lease, LeaseLost
from detector.drivers.streams import trim_behind_readers
from detector.drivers.valkey import Server
from detector.engine.engine import Engine, Outcome
from detector.errors import SettingsError, StateError
from detector.events.decode import Decoder, Refusal
from detector.events.instants import rfc3339_ms
from detector.events.money import Currencies
from detector.events.vocabulary import AnyEvent
from detector.language.pack import load_rules
from tests.drivers.small import (
    DAY_US,
    MINUTE_US,
    NOON_US,
    alerts,
    catch_up,
    detector,
    event,
    place,
    read,
    running,
    send,
    wait_for,
    write_rules,
)


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    return write_rules(tmp_path)


def deposits(number: int, player: str = "p1", start_us: int = NOON_US) -> list[bytes]:
    return [event(f"{player}-{n}", start_us + n * MINUTE_US, player) for n in range(number)]


def undisturbed(rules: Path, log: list[bytes]) -> list[bytes]:
    """The alerts of a log as the bare engine makes them, sorted."""
    engine = Engine(load_rules(rules))
    decoder = Decoder(Currencies())
    for each in log:
        decoded = decoder.decode(each)
        assert not isinstance(decoded, Refusal)
        engine.apply(decoded)
    engine.tick(engine.watermark_us)
    return sorted(alert.to_json() for alert in engine.take().alerts)


def stored(redis: Redis) -> list[bytes]:
    """The alerts in the stream, sorted."""
    return sorted(fields[b"a"] for fields in read(redis, "tw:alerts"))


def test_from_events_to_alerts(valkey: Server, redis: Redis, rules: Path) -> None:
    with running(detector(valkey.url, rules)):
        catch_up(redis, send(redis, *deposits(3)))
    (alert,) = alerts(redis)
    assert (alert["rule"], alert["player"], alert["kind"]) == ("third-deposit@1", "p1", "open")
    assert alert["opened_at"] == rfc3339_ms(NOON_US + 2 * MINUTE_US)
    assert [each["rule"] for each in alerts(redis, "tw:shadow")] == ["third-in-shadow@1"]
    assert read(redis, "tw:feed") == [{b"kind": b"alert", b"alert": alert["id"].encode()}]
    assert redis.hkeys("tw:players") == [b"p1"]
    assert not redis.exists("tw:detector"), "the lease was given back"


def test_refused_events_keep_their_bytes_and_a_reason(valkey: Server, redis: Redis, rules: Path) -> None:
    conflict = event("p1-0", NOON_US, amount=7)
    refused = [b"", b"\xff{", b'{"type":"jackpot"}', event("x", NOON_US).replace(b"1000", b"-5"), conflict]
    with running(detector(valkey.url, rules)):
        first, *others = deposits(2)
        catch_up(redis, send(redis, first, *refused, first, *others))
    dead = read(redis, "tw:dead")
    assert [each[b"original"] for each in dead] == refused
    assert [each[b"reason"] for each in dead] == [
        b"not_json",
        b"not_json",
        b"unknown_type",
        b"negative_money",
        b"conflict",
    ]
    assert all(each[b"detail"].startswith(b"$") and int(each[b"at"]) > NOON_US for each in dead)
    assert alerts(redis) == [], "the repeat counted as a third deposit"


def test_a_receipt_bounds_how_far_ahead_an_event_may_be(valkey: Server, redis: Redis, rules: Path) -> None:
    with running(detector(valkey.url, rules)):
        ahead: Any = {"e": event("a", NOON_US + 6 * MINUTE_US), "r": NOON_US}
        redis.xadd("tw:events", ahead)
        wait_for(lambda: redis.xlen("tw:dead"))
    assert read(redis, "tw:dead")[0][b"reason"] == b"ahead_of_receipt"
    assert read(redis, "tw:dead")[0][b"at"] == str(NOON_US).encode()


@pytest.mark.parametrize(
    "fields", [{}, {"r": "1"}, {"e": event("a"), "r": "soon"}, {"e": event("a"), "r": "9" * 40}]
)
def test_entries_of_any_shape_are_dealt_with(
    valkey: Server, redis: Redis, rules: Path, fields: dict[Any, Any]
) -> None:
    with running(detector(valkey.url, rules)):
        last: Any = redis.xadd("tw:events", fields or {"x": "y"})
        catch_up(redis, last)
    assert redis.xlen("tw:dead") == (0 if "e" in fields else 1)
    assert redis.hkeys("tw:players") == ([b"p1"] if "e" in fields else [])


def test_a_correction_adds_a_note_to_the_open_alert(valkey: Server, redis: Redis, rules: Path) -> None:
    with running(detector(valkey.url, rules)):
        carried = {"type": "deposit", "ts": rfc3339_ms(NOON_US), "amount": 1000, "currency": "CAD"}
        void = event("v", NOON_US + 3 * MINUTE_US, type_="void", target="p1-0", voided=carried)
        catch_up(redis, send(redis, *deposits(3), void))
    (alert,) = alerts(redis)
    notes = [json.loads(each[b"n"]) for each in read(redis, "tw:notes")]
    (note,) = [each for each in notes if each["alert"] == alert["id"]]
    assert (note["alert"], note["event"]) == (alert["id"], "v")
    assert {b"kind": b"note", b"alert": alert["id"].encode()} in read(redis, "tw:feed")


def test_a_successor_goes_on_where_the_last_one_stopped(valkey: Server, redis: Redis, rules: Path) -> None:
    for each in deposits(4):
        with running(detector(valkey.url, rules)):
            catch_up(redis, send(redis, each))
    assert [each["opened_at"] for each in alerts(redis)] == [rfc3339_ms(NOON_US + 2 * MINUTE_US)]


def test_killed_at_any_moment_nothing_counts_twice(valkey: Server, redis: Redis, rules: Path) -> None:
    log = [each for n in range(300) for each in deposits(4, f"p{n}", NOON_US + n * MINUTE_US)]
    last = send(redis, *log)
    dice = random.Random(7)
    kills = 0
    while place(redis) != last:
        before = place(redis)
        with subprocess.Popen([sys.executable, "-m", "tests.drivers.child", valkey.url, rules, "7"]) as child:
            wait_for(lambda: place(redis) != before)  # noqa: B023  (it is waited for right here)
            threading.Event().wait(dice.random() * 0.05)
            child.kill()
        kills += 1
        if kills == 4:
            with running(detector(valkey.url, rules)):
                catch_up(redis, last)
    assert kills >= 2, "it was too fast to be killed"
    assert stored(redis) == undisturbed(rules, log)


def test_redis_may_go_and_come_back(rules: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="tw") as home:
        first, *others = deposits(3)
        with Server(Path(home)) as server:
            url = server.url
            work = running(detector(url, rules))
            work.__enter__()
            with Redis.from_url(url, protocol=2) as redis:
                catch_up(redis, send(redis, first))
            assert server.pid is not None
            os.kill(server.pid, signal.SIGKILL)
        with Server(Path(home)), Redis.from_url(url, protocol=2) as redis:
            catch_up(redis, send(redis, *others))
            assert len(alerts(redis)) == 1
            work.__exit__(None, None, None)


def test_only_one_detector_on_a_redis(valkey: Server, redis: Redis, rules: Path) -> None:
    with running(detector(valkey.url, rules, lease_s=5)):
        wait_for(lambda: redis.hget("tw:detector", "state") == b"running")
        with pytest.raises(SettingsError, match=rf"another detector \(process {os.getpid()} on "):
            detector(valkey.url, rules).run(threading.Event())


def test_a_stopped_detector_is_succeeded_and_can_do_no_harm(
    valkey: Server, redis: Redis, rules: Path
) -> None:
    with subprocess.Popen([sys.executable, "-m", "tests.drivers.child", valkey.url, rules, "1"]) as child:
        first, second, third = deposits(3)
        catch_up(redis, send(redis, first))
        child.send_signal(signal.SIGSTOP)
        with running(detector(valkey.url, rules)):
            catch_up(redis, send(redis, second))
            child.send_signal(signal.SIGCONT)  # it holds a state from before the second deposit
            last = send(redis, third)
            assert child.wait(20) == 1, "it ends, since another one is at work"
            catch_up(redis, last)
    assert len(alerts(redis)) == 1


def test_a_lost_lease_writes_nothing(redis: Redis) -> None:
    lease = Lease(redis, 5)
    assert lease.acquire(threading.Event())

    def write(meanwhile: Callable[[], object]) -> None:
        with lease.transaction() as pipe:
            meanwhile()
            pipe.set("written", 1)

    with pytest.raises(LeaseLost):
        write(lambda: redis.delete("tw:detector"))
    redis.hset("tw:detector", "token", "another")
    with pytest.raises(LeaseLost):
        write(lambda: None)
    assert not redis.exists("written")


def test_waiting_for_a_lease_ends_with_stop(redis: Redis) -> None:
    redis.hset("tw:detector", mapping={"token": "dead", "beat": 1})
    stop = threading.Event()
    threading.Timer(0.2, stop.set).start()
    assert not Lease(redis, 5).acquire(stop)


class Fragile(Engine):
    """Breaks on one event, as no engine should."""

    def apply(self, event: AnyEvent, content: int | None = None) -> Outcome:
        if event.id == "p1-1":
            raise ZeroDivisionError(f"player {event.player}")
        return super().apply(event, content)


def test_an_event_the_engine_breaks_on_is_put_aside(
    valkey: Server, redis: Redis, rules: Path, caplog: pytest.LogCaptureFixture
) -> None:
    loaded = load_rules(rules)
    fragile = EmbeddedDetector(valkey.url, lambda: Fragile(loaded), Currencies(), Options(lease_s=1))
    with running(fragile):
        catch_up(redis, send(redis, *deposits(4)))
    (dead,) = read(redis, "tw:dead")
    assert (dead[b"reason"], dead[b"original"]) == (b"internal_error", deposits(4)[1])
    assert len(alerts(redis)) == 1, "the other three are deposits in an hour"
    assert "player p1" not in caplog.text


def test_a_state_that_cannot_be_read_is_told(valkey: Server, redis: Redis, rules: Path) -> None:
    redis.set("tw:engine", "nonsense")
    with pytest.raises(StateError):
        detector(valkey.url, rules).run(threading.Event())
    assert not redis.exists("tw:detector")


class Clock:
    """A wall clock that a test turns."""

    def __init__(self, now_us: int) -> None:
        self.now_us = now_us

    def __call__(self) -> int:
        return self.now_us


def ticks(redis: Redis) -> list[str]:
    """The times of the ticks ever added; trimming is kept away by a second reader."""
    return [json.loads(each[b"e"])["ts"] for each in read(redis, "tw:events") if b'"tick"' in each[b"e"]]


@pytest.fixture
def keep_events(redis: Redis) -> None:
    redis.xgroup_create("tw:events", "reader", id="0", mkstream=True)


@pytest.mark.usefixtures("keep_events")
def test_in_a_pause_the_wall_clock_ticks_on_and_is_recorded(
    valkey: Server, redis: Redis, rules: Path
) -> None:
    clock = Clock(NOON_US + MINUTE_US)
    with running(detector(valkey.url, rules, clock=clock)):
        last = send(redis, event("a", NOON_US))
        catch_up(redis, last)
        for number in range(1, 20):
            clock.now_us = NOON_US + number * 4 * MINUTE_US + MINUTE_US
            wait_for(lambda: place(redis) != last)  # noqa: B023  (it is waited for right here)
            last = place(redis)
            assert len(ticks(redis)) == number
            assert ticks(redis)[-1] == rfc3339_ms(clock.now_us - 15 * MINUTE_US)
        wait_for(lambda: alerts(redis))
    (alert,) = alerts(redis)
    assert (alert["rule"], alert["opened_at"]) == ("quiet-hour@1", rfc3339_ms(NOON_US + 60 * MINUTE_US))
    # The log alone brings the same about, whoever reads it and whenever.
    log = read(redis, "tw:events")
    redis.flushall()
    last = send(redis, *(fields[b"e"] for fields in log))
    with running(detector(valkey.url, rules)):
        catch_up(redis, last)
    assert alerts(redis) == [alert]


@pytest.mark.usefixtures("keep_events")
def test_a_bus_that_was_down_for_a_day_flags_nobody(valkey: Server, redis: Redis, rules: Path) -> None:
    clock = Clock(NOON_US + DAY_US)
    with running(detector(valkey.url, rules, clock=clock)):
        catch_up(redis, send(redis, event("a", NOON_US)))
        clock.now_us += 60 * MINUTE_US
        threading.Event().wait(0.6)
        assert ticks(redis) == []
        # Live again: the next pause does tick.
        catch_up(redis, send(redis, event("b", clock.now_us - MINUTE_US)))
        clock.now_us += MINUTE_US
        wait_for(lambda: len(ticks(redis)) == 1)
        # The machine sleeps for a day; waking up it knows that it does not know.
        clock.now_us += DAY_US
        threading.Event().wait(0.6)
        assert len(ticks(redis)) == 1


def test_the_stream_is_trimmed_behind_its_slowest_reader(valkey: Server, redis: Redis, rules: Path) -> None:
    entries: list[Any] = [redis.xadd("tw:events", {"e": each}) for each in deposits(5)]
    assert trim_behind_readers(redis, "tw:events") == 0, "nobody has read it"
    redis.xgroup_create("tw:events", "archive", id="0")
    redis.xreadgroup("archive", "one", {"tw:events": ">"}, count=4)
    redis.xack("tw:events", "archive", *entries[:2])
    with running(detector(valkey.url, rules)):
        wait_for(lambda: redis.xlen("tw:events") == 3)
        assert place(redis) == entries[-1]
        redis.xack("tw:events", "archive", *entries[2:4])
        wait_for(lambda: redis.xlen("tw:events") == 1)
        redis.xgroup_setid("tw:events", "archive", entries[-1])
        wait_for(lambda: redis.xlen("tw:events") == 0)


def test_an_alert_comes_with_where_its_player_is_and_when_it_was_told(
    valkey: Server, redis: Redis, rules: Path
) -> None:
    placed = [event(f"e{n}", NOON_US + n * MINUTE_US, "p2", jurisdiction="NL") for n in range(3)]
    with running(detector(valkey.url, rules, clock=lambda: NOON_US + DAY_US)):
        catch_up(redis, send(redis, *deposits(3), *placed))
    told = {json.loads(each[b"a"])["player"]: each for each in read(redis, "tw:alerts")}
    assert b"j" not in told["p1"]
    assert told["p2"][b"j"] == b"NL"
    assert {each[b"t"] for each in told.values()} == {b"%d" % (NOON_US + DAY_US)}


def test_what_was_not_taken_over_is_kept_however_much_it_is(
    valkey: Server, redis: Redis, rules: Path
) -> None:
    log = [each for n in range(400) for each in deposits(3, f"p{n}")]
    with running(detector(valkey.url, rules, alerts_kept=20)):
        catch_up(redis, send(redis, *log))
        entries: Any = redis.xrange("tw:alerts")
        redis.xgroup_setid("tw:alerts", "service", entries[150][0])
        wait_for(lambda: redis.xlen("tw:alerts") < 400)
        threading.Event().wait(1.2)  # another round of trimming
        left: Any = redis.xrange("tw:alerts")
    assert left == entries[-len(left) :]
    assert 249 <= len(left) < 350


def test_what_redis_keeps_is_bounded(valkey: Server, redis: Redis, rules: Path) -> None:
    small = detector(valkey.url, rules, alerts_kept=20, dead_kept=30, feed_kept=10)
    with running(small):
        catch_up(
            redis, send(redis, *(each for n in range(300) for each in deposits(3, f"p{n}")), *[b"x"] * 300)
        )
        assert redis.xlen("tw:alerts") == 300, "nobody has taken them over"
        redis.xgroup_setid("tw:alerts", "service", "$")
        wait_for(lambda: redis.xlen("tw:alerts") < 300)
    # Whole nodes of up to a hundred entries go, the oldest first.
    for stream, kept in (("tw:alerts", 20), ("tw:shadow", 20), ("tw:dead", 30), ("tw:feed", 10)):
        assert kept <= redis.xlen(stream) < kept + 100, stream
    assert alerts(redis)[-1]["player"] == "p299"


@pytest.mark.parametrize("batch", [1, 7, 1000])
def test_any_batch_size_gives_the_same_bytes(valkey: Server, redis: Redis, rules: Path, batch: int) -> None:
    log = [each for n in range(30) for each in deposits(5, f"p{n % 7}", NOON_US + n * 400 * MINUTE_US)]
    last = send(redis, *log)
    with running(detector(valkey.url, rules, batch=batch)):
        catch_up(redis, last)
    assert stored(redis) == undisturbed(rules, log)
