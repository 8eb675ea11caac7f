"""What a running detector hands out to those who learn is what a replay of the same log tells them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from redis import Redis

from detector.drivers.detection import Detection
from detector.drivers.embedded import EmbeddedDetector, Options
from detector.drivers.learning import heard_of
from detector.drivers.lines import LogReader
from detector.drivers.rulesets import RuleSet, read_rule_set
from detector.drivers.streams import SAMPLES, TRAINER, order_of
from detector.drivers.valkey import Server
from detector.events.money import Currencies
from detector.language.pack import default_pack
from detector.simulator import Config, events
from models.sample import Flag, Label, Sample
from tests.drivers.small import catch_up, event, read, running, send

LATER_US = 1_900_000_000_000_000


@pytest.fixture(scope="module")
def found() -> RuleSet:
    return read_rule_set(default_pack(), Currencies())


def detection(found: RuleSet, *, keep_samples: bool = True) -> Detection:
    return Detection.of(found, Currencies(), None, None, keep_samples=keep_samples)


def detector(url: str, found: RuleSet, *, keep_samples: bool = True, **options: int) -> EmbeddedDetector:
    judged_by = detection(found, keep_samples=keep_samples)
    return EmbeddedDetector(
        url,
        lambda: judged_by.engine(keep_records=True),
        Currencies(),
        Options(lease_s=1.0, **options),  # type: ignore[arg-type]  # options by name
    )


def log_of(count: int) -> list[bytes]:
    """A log with what goes wrong on the way, and an event long after, by which all is settled."""
    config = Config(
        players=40, events=count, seed=5, troubled=0.8, late=0.03, late_by=timedelta(minutes=10), repeats=0.02
    )
    return [*events(config), event("last", LATER_US, "somebody-else")]


def of_replay(found: RuleSet, lines: list[bytes], path: Path) -> list[bytes]:
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    with LogReader(str(path)) as log:
        return sorted(msgspec.json.encode(each) for each in heard_of(log, detection(found)))


def test_embedded_as_in_a_replay_over_a_restart(
    valkey: Server, redis: Redis, found: RuleSet, tmp_path: Path
) -> None:
    lines = log_of(3000)
    expected = of_replay(found, lines, tmp_path / "log.jsonl")
    kinds = {type(msgspec.json.decode(each, type=Sample | Label | Flag)) for each in expected}
    assert {Sample, Flag} <= kinds
    with running(detector(valkey.url, found, batch=100)):
        catch_up(redis, send(redis, *lines[:1500]))
    with running(detector(valkey.url, found, batch=170)):
        catch_up(redis, send(redis, *lines[1500:]))
    assert sorted(each[b"s"] for each in read(redis, SAMPLES)) == expected


def test_nothing_is_handed_out_where_nobody_shall_learn(valkey: Server, redis: Redis, found: RuleSet) -> None:
    with running(detector(valkey.url, found, keep_samples=False)):
        catch_up(redis, send(redis, event("a"), event("b")))
    assert [each for each in read(redis, SAMPLES) if b'"sample"' in each[b"s"]] == []


def test_it_is_kept_for_the_trainer_but_not_without_end(
    valkey: Server, redis: Redis, found: RuleSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("detector.drivers.embedded._TRIM_S", 0.0)
    with running(detector(valkey.url, found, samples_kept=100)):
        catch_up(redis, send(redis, *(event(f"e{n}", player=f"p{n}") for n in range(90))))
        catch_up(redis, send(redis, event("f")))
        assert redis.xlen(SAMPLES) == 91, "nobody has learned from them"
        entries: Any = redis.xrange(SAMPLES)
        reached = entries[49][0]
        redis.xgroup_setid(SAMPLES, TRAINER, reached)
        catch_up(redis, send(redis, event("g")))
        catch_up(redis, send(redis, event("h")))
        first: Any = redis.xrange(SAMPLES, count=1)
        assert order_of(first[0][0]) > order_of(reached)
        for n in range(10):
            catch_up(redis, send(redis, *(event(f"i{n}-{m}", player=f"p{m}") for m in range(50))))
        catch_up(redis, send(redis, event("j")))
        assert redis.xlen(SAMPLES) < 300, "a stream is trimmed by whole nodes"
