"""What a trainer hears, and what it is found to have learned."""

from __future__ import annotations

import random
import threading
from pathlib import Path

import msgspec
from redis import Redis

from detector.drivers.challengers import KINDS
from detector.drivers.samples import RedisSamples
from detector.drivers.streams import SAMPLES
from detector.drivers.trainer import Entry, Learning, Reading, SourceAway
from detector.language.features import FEATURES
from models.ordering import Heard
from models.registry import Registry
from models.sample import Flag, Label, Sample
from models.trainer import Trainer
from tests.drivers.small import DAY_US, NOON_US

WHO = "whoever-it-is-0815"
CATALOGUE = FEATURES.packaged
GONE = "gone before it was heard"


def told(seed: int = 1) -> list[Heard]:
    """A few days of players of whom some exclude themselves, and more than a month later some days more."""
    draw = random.Random(seed)
    found: list[Heard] = []
    for day in (0, 1, 2, 40, 41, 42):
        for number in range(25):
            at = NOON_US + day * DAY_US + number * 60_000_000
            drawn = [None if draw.random() < 0.1 else draw.lognormvariate(1, 1) for _ in CATALOGUE.names]
            player = f"{WHO}-{number}"
            if day > 2 and number % 5 == 0:
                continue
            if number % 7 == 0:
                found.append(Flag(player=player, at=at, score=40.0))
            found.append(
                Sample(player=player, at=at, moment="deposit", catalogue=CATALOGUE.id, values=tuple(drawn))
            )
        if day == 2:
            found += [
                Label(
                    player=f"{WHO}-{number}",
                    at=at + DAY_US // 4 + number,
                    source="self_exclusion",
                    harmed=True,
                    about=at + DAY_US // 4 + number,
                )
                for number in range(0, 25, 5)
            ]
    return found


def put(redis: Redis, heard: list[Heard]) -> None:
    """What a detector hands out."""
    with redis.pipeline() as pipe:
        for each in heard:
            pipe.xadd(SAMPLES, {"s": msgspec.json.encode(each)})
        pipe.execute()


def learning(url: str, folder: Path, every_s: float = 3600.0) -> Learning:
    """A trainer over the stream in Redis, going on from what a folder holds."""
    return Learning(Registry(folder), RedisSamples(url), lambda: CATALOGUE, lambda: NOON_US, every_s=every_s)


def finish(one: Learning) -> None:
    """Learn all there is, and end in order."""
    while one.step():
        pass
    stop = threading.Event()
    stop.set()
    one.run(stop)


def cards(folder: Path) -> list[str]:
    """The scorecards that were registered, in their order, by hash of their bytes."""
    return [each.card_sha256 for each in Registry(folder).book().entries]


def kept(folder: Path) -> Trainer:
    """The trainer as it was kept last."""
    found = Registry(folder).load_state(Trainer.restore)
    assert found is not None
    return found


def harm_of(one: Trainer) -> list[bytes]:
    """What each kind has learned, as it would be registered."""
    return [one.scorecard(kind, [], 0.001).to_json() for kind in KINDS]


class Told:
    """A source of what a test tells, an entry at a time."""

    def __init__(self, heard: list[Heard]) -> None:
        self.heard = heard
        self.kept: list[int] = []
        self.is_away = False

    def read(self, place: object) -> Reading:
        if self.is_away:
            raise SourceAway("Gone")
        assert isinstance(place, dict)
        reached = place.get("told", 0)
        entries = enumerate(self.heard[reached : reached + 10], reached + 1)
        return Reading([Entry(each, {"told": number}) for number, each in entries])

    def keep(self, place: object) -> None:
        assert isinstance(place, dict)
        self.kept.append(place["told"])
