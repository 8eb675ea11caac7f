"""What a trainer tells of how far it has come: enough to raise an alarm by, and nothing of any player."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from redis import Redis

from detector.drivers import progress, samples
from detector.drivers.progress import Progress, Telling, read_progress
from detector.drivers.samples import RedisSamples
from detector.drivers.streams import PROGRESS, SAMPLES
from detector.drivers.trainer import Learning, SourceAway
from detector.drivers.valkey import Server
from models.errors import RegistryError
from models.registry import Registry
from tests.drivers.hearing import CATALOGUE, WHO, Told, finish, kept, put, told
from tests.drivers.small import NOON_US


@pytest.fixture(autouse=True)
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have it told after each reading."""
    monkeypatch.setattr(progress, "EVERY_S", 0.0)


@contextmanager
def telling(valkey: Server, folder: Path) -> Iterator[Learning]:
    """A trainer over Redis that tells there how far it has come; its clock goes on by a second a look."""
    clock = iter(range(NOON_US, 2**62, 1_000_000))
    with closing(RedisSamples(valkey.url)) as source, closing(Telling(valkey.url)) as tell:
        yield Learning(
            Registry(folder), source, lambda: CATALOGUE, lambda: next(clock), every_s=3600, tell=tell
        )


def last(redis: Redis) -> Progress:
    data: Any = redis.get(PROGRESS)
    found = read_progress(data)
    assert found is not None
    return found


def test_it_tells_what_it_has_yet_to_hear_and_what_it_took_in(
    valkey: Server, redis: Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(samples, "BATCH", 50)
    put(redis, told())
    behind = []
    with telling(valkey, tmp_path / "r") as one:
        while one.step():
            behind.append(last(redis).behind)
        assert behind == [*range(len(told()) - 50, 0, -50), 0]
        assert last(redis).lost == 0
        put(redis, told()[:3])
        one.step()
        assert last(redis).behind == 0
        finish(one)
    data = kept(tmp_path / "r").report(draws=1).data
    assert (last(redis).samples, last(redis).labels) == (data.samples, sum(data.labels.values()))
    assert data.samples > 0
    assert data.labels


def test_it_tells_since_when_what_it_heard_is_not_kept_and_when_challengers_came(
    valkey: Server, redis: Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = told()
    put(redis, heard[:40])
    with telling(valkey, tmp_path / "r") as one:
        one.step()  # which keeps what is heard first
        assert (last(redis).unkept_since, last(redis).registered) == (None, None)
        put(redis, heard[40:])
        one.step()
        since = last(redis).unkept_since
        assert since is not None
        assert NOON_US < since < last(redis).at
        registered = last(redis).registered
        assert registered is not None
        assert since < registered <= last(redis).at

        def refuse(*_: object, **__: object) -> None:
            raise RegistryError("the disk is full")

        with monkeypatch.context() as patch:
            patch.setattr(one.book, "checkpoint", refuse)
            one.keep()
            one.step()
        assert last(redis).unkept_since == since
        one.keep()
        one.step()
        assert last(redis).unkept_since is None
    # Whoever takes it up knows when challengers were registered last.
    created = max(each.created for each in Registry(tmp_path / "r").book().entries)
    with telling(valkey, tmp_path / "r") as one:
        one.step()
        assert last(redis).registered == created


def test_it_tells_what_was_gone(
    valkey: Server, redis: Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(samples, "BATCH", 20)
    put(redis, told())
    with telling(valkey, tmp_path / "r") as one:
        one.step()
        redis.xtrim(SAMPLES, maxlen=len(told()) - 33, approximate=False)
        one.step()
        assert (last(redis).lost, last(redis).behind) == (13, len(told()) - 33 - 20)


def test_no_player_is_in_it_and_it_is_forgotten(valkey: Server, redis: Redis, tmp_path: Path) -> None:
    put(redis, told())
    with telling(valkey, tmp_path / "r") as one:
        finish(one)
    data = redis.get(PROGRESS)
    assert isinstance(data, bytes)
    assert WHO.encode() not in data
    assert set(map(type, msgspec.structs.astuple(last(redis)))) <= {int, type(None)}
    assert 0 < redis.ttl(PROGRESS) <= progress.FORGOTTEN_S


def test_who_cannot_read_gives_no_sign(tmp_path: Path) -> None:
    """Else an alarm would take it for one that has nothing to do."""
    signs: list[Progress] = []
    source = Told(told()[:40])
    one = Learning(Registry(tmp_path / "r"), source, lambda: CATALOGUE, lambda: NOON_US, tell=signs.append)
    one.step()
    assert len(signs) == 1
    source.is_away = True
    with pytest.raises(SourceAway):
        one.step()
    assert len(signs) == 1


def test_nobody_waits_for_whom_it_tells(valkey: Server, tmp_path: Path, log: io.StringIO) -> None:
    source = Told(told())
    with closing(Telling("redis://127.0.0.1:1")) as tell:
        finish(Learning(Registry(tmp_path / "r"), source, lambda: CATALOGUE, lambda: NOON_US, tell=tell))
    assert source.kept[-1] == len(source.heard)
    assert log.getvalue().count("nobody can be told") == 1


@pytest.mark.parametrize("data", [None, b"", b"\xff", b"{}", b'{"at":"now"}'])
def test_what_another_version_told_is_nothing(data: bytes | None) -> None:
    assert read_progress(data) is None


def test_the_last_sign_is_given_at_the_end(valkey: Server, redis: Redis, tmp_path: Path) -> None:
    put(redis, told())
    with telling(valkey, tmp_path / "r") as one:
        stop = threading.Event()
        one.tell, tell = None, one.tell
        while one.step():
            pass
        one.tell = tell
        stop.set()
        one.run(stop)
    assert (last(redis).behind, last(redis).unkept_since) == (0, None)
