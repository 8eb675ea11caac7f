"""A trainer over a stream in Redis: what it learns hangs on what it hears, and not on how often it dies."""

from __future__ import annotations

import io
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from redis import Redis

from detector.drivers import samples, trainer
from detector.drivers.challengers import KINDS, new_trainer
from detector.drivers.samples import RedisSamples
from detector.drivers.streams import SAMPLES, TRAINER
from detector.drivers.trainer import Learning, alone
from detector.drivers.valkey import Server
from detector.errors import SettingsError
from detector.language.features import Catalogue
from models.errors import RegistryError
from models.registry import Registry
from models.sample import Label, Sample
from tests.drivers.hearing import (
    CATALOGUE,
    GONE,
    WHO,
    Told,
    cards,
    finish,
    harm_of,
    kept,
    learning,
    put,
    told,
)
from tests.drivers.small import DAY_US, NOON_US, wait_for

TILTWATCH = Path(sys.executable).with_name("tiltwatch")


@pytest.fixture
def undisturbed(valkey: Server, redis: Redis, tmp_path: Path) -> Path:
    """The registry of a trainer that nothing happened to; what it heard is on the stream."""
    put(redis, told())
    finish(learning(valkey.url, tmp_path / "undisturbed"))
    redis.xgroup_setid(SAMPLES, TRAINER, "0")
    return tmp_path / "undisturbed"


def test_challengers_are_registered_day_by_day_and_nothing_is_put_in_force(undisturbed: Path) -> None:
    book = Registry(undisturbed).book()
    assert {each.what for each in book.history} == {"registered"}
    assert {each.by for each in book.history} == {"trainer"}
    assert {each.kind for each in book.entries} == set(KINDS)
    # Of the first day nothing is told before the second begins, and the last one's samples are not settled.
    days = {(each.trained_until or 0) // DAY_US - NOON_US // DAY_US for each in book.entries}
    assert days == {1, 2, 40, 41}
    assert all(each.role == "challenger" for each in book.entries)
    report = kept(undisturbed).report(draws=1)
    assert report.data.answered["self_exclusion:harmed"] > 0
    assert any(name.startswith("silence") and count for name, count in report.data.answered.items())
    assert GONE not in report.data.dropped


@pytest.mark.parametrize("seed", [1, 2])
def test_a_trainer_that_is_lost_again_and_again_learns_the_same(
    valkey: Server, undisturbed: Path, tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is lost with memory is heard again, and what was kept is not."""
    monkeypatch.setattr(samples, "BATCH", 11)
    draw = random.Random(seed)
    folder = tmp_path / "disturbed"
    one = learning(valkey.url, folder)
    while one.step():
        chance = draw.random()
        if chance < 0.3:
            one.keep()
        elif chance < 0.5:
            one = learning(valkey.url, folder)  # whatever the one before knew and did not keep is gone
    finish(one)
    assert cards(folder) == cards(undisturbed)
    assert harm_of(kept(folder)) == harm_of(kept(undisturbed))


def test_the_command_survives_being_killed_and_names_nobody(
    valkey: Server, undisturbed: Path, redis: Redis, tmp_path: Path
) -> None:
    folder = tmp_path / "killed"
    first, rest = told()[:60], told()[60:]
    redis.delete(SAMPLES)
    put(redis, first)
    environment = os.environ | {"TILTWATCH_REDIS_URL": valkey.url, "TILTWATCH_LOG_LEVEL": "debug"}
    command: list[str | Path] = [TILTWATCH, "models", "learn", "--registry", folder, "--every", "0.1"]
    with (tmp_path / "log").open("wb") as log:
        one = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            wait_for(lambda: (folder / "registry.json").exists(), 60)
            put(redis, rest)
        finally:
            one.send_signal(signal.SIGKILL)
            one.wait()
        one = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            wait_for(lambda: redis.xinfo_groups(SAMPLES)[0]["lag"] == 0, 60)
            one.terminate()
            assert one.wait(30) == 0
        finally:
            one.kill()
    assert cards(folder) == cards(undisturbed)
    said = (tmp_path / "log").read_text()
    assert "challengers are registered" in said
    assert "Traceback" not in said
    assert WHO not in said


class TestWhatIsNotHeard:
    def test_what_was_gone_is_told_and_counted(
        self, valkey: Server, redis: Redis, tmp_path: Path, log: io.StringIO, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(samples, "BATCH", 20)
        put(redis, told())
        one = learning(valkey.url, tmp_path / "r")
        one.step()
        one.keep()
        redis.xtrim(SAMPLES, maxlen=len(told()) - 33, approximate=False)
        one = learning(valkey.url, tmp_path / "r")
        finish(one)
        assert '"lost":13' in log.getvalue().replace(" ", "")
        assert kept(tmp_path / "r").report(draws=1).data.dropped[GONE] == 13
        one = learning(valkey.url, tmp_path / "r")
        finish(one)
        assert kept(tmp_path / "r").report(draws=1).data.dropped[GONE] == 13, "it is told once"
        assert WHO not in log.getvalue()

    def test_what_cannot_be_read_holds_nothing_up(
        self, valkey: Server, redis: Redis, tmp_path: Path, log: io.StringIO
    ) -> None:
        for name, data in (("s", b"\xff"), ("s", b'{"kind":"sample"}'), ("x", b"")):
            redis.xadd(SAMPLES, {name: data})
        put(redis, told()[:30])
        finish(learning(valkey.url, tmp_path / "r"))
        assert '"entries":3' in log.getvalue().replace(" ", "")
        assert kept(tmp_path / "r").last_at is not None or kept(tmp_path / "r")._order.high_us > 0

    def test_another_stream_is_read_from_its_beginning(
        self, valkey: Server, redis: Redis, tmp_path: Path
    ) -> None:
        put(redis, told()[:30])
        finish(learning(valkey.url, tmp_path / "r"))
        redis.delete(SAMPLES)
        redis.xadd(SAMPLES, {"s": msgspec.json.encode(told()[31])}, id="5-1")
        found = RedisSamples(valkey.url).read(kept(tmp_path / "r").place)
        assert [each.heard for each in found.entries] == [told()[31]]
        assert found.lost == 0


def over(source: Told, folder: Path, find: Callable[[], Catalogue] = lambda: CATALOGUE) -> Learning:
    return Learning(Registry(folder), source, find, lambda: NOON_US)


def test_what_was_learned_from_a_log_is_not_learned_again(tmp_path: Path) -> None:
    """The detector had handed out what the log tells, too; a verdict is heard whenever it comes."""
    heard = told()
    early = [each for each in heard if each.at < NOON_US + 10 * DAY_US]
    from_log = new_trainer(CATALOGUE)
    for each in early:
        from_log.hear(each)
    from_log.finish()
    book = Registry(tmp_path / "r")
    book.checkpoint(from_log.state(), NOON_US)
    verdict = Label(player=f"{WHO}-3", at=NOON_US + DAY_US, source="verdict", harmed=True, about=NOON_US)
    finish(over(Told([*early, verdict, *heard[len(early) :]]), tmp_path / "r"))
    taken = kept(tmp_path / "r").report(draws=1).data.samples
    finish(over(Told(heard), tmp_path / "live"))
    assert taken == kept(tmp_path / "live").report(draws=1).data.samples


def test_when_other_features_come_into_force_learning_begins_anew(tmp_path: Path, log: io.StringIO) -> None:
    other = replace(CATALOGUE, features=CATALOGUE.features[1:], behaviour="0" * 64)
    assert other.id != CATALOGUE.id
    lies = [CATALOGUE]
    changed = [
        msgspec.structs.replace(each, catalogue=other.id, values=each.values[1:])
        if isinstance(each, Sample)
        else each
        for each in told()
    ]
    source = Told([*told()[:80], *changed])
    one = over(source, tmp_path / "r", lambda: lies[-1])
    for _ in range(4):
        one.step()
    lies.append(other)
    finish(one)
    assert kept(tmp_path / "r").catalogue == other.id
    assert kept(tmp_path / "r").place["told"] == len(source.heard)
    assert {each.catalogue for each in Registry(tmp_path / "r").book().entries[-2:]} == {other.id}
    assert "learning begins anew" in log.getvalue()


def test_a_registry_that_somebody_writes_into_is_waited_for(
    tmp_path: Path, log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainer, "_IDLE_S", 0.0)
    source = Told(told()[:40])
    one = over(source, tmp_path / "r")

    def refuse(*_: object, **__: object) -> None:
        raise RegistryError("somebody else writes into this registry")

    with monkeypatch.context() as patch:
        patch.setattr(one.book, "checkpoint", refuse)
        while one.step():
            pass
    assert source.kept == []
    assert "could not be kept yet" in log.getvalue()
    one.keep()
    assert source.kept == [40]


def test_a_source_that_is_away_is_waited_for(tmp_path: Path, log: io.StringIO) -> None:
    source = Told(told()[:40])
    source.is_away = True
    one = over(source, tmp_path / "r")
    stop = threading.Event()
    thread = threading.Thread(target=one.run, args=(stop,))
    thread.start()
    wait_for(lambda: "cannot be read" in log.getvalue())
    source.is_away = False
    wait_for(lambda: one.trainer.place.get("told") == 40)
    stop.set()
    thread.join()
    assert source.kept[-1] == 40


def test_one_at_a_time(tmp_path: Path) -> None:
    with alone(tmp_path), pytest.raises(SettingsError, match="another trainer"), alone(tmp_path):
        pass
    with alone(tmp_path):
        pass
