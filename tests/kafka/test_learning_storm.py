"""A trainer on a real Kafka that is killed again and again learns what an undisturbed one learns.

Workers write what it learns from, and one of them is killed, too. Times are printed and never asserted.
"""

from __future__ import annotations

import random
import time
from pathlib import Path

import msgspec
import pytest

from detector.drivers.detection import Detection
from detector.drivers.kafka.topics import SAMPLES
from detector.drivers.learning import heard_of
from detector.drivers.lines import LogReader
from detector.drivers.rulesets import read_rule_set
from detector.events.money import Currencies
from detector.language.pack import default_pack
from detector.simulator import Config, events
from models.registry import Registry
from tests.brokers import RealBroker
from tests.drivers.hearing import cards, harm_of, kept
from tests.kafka.storming import PARTITIONS, ended, fleet, flow, read, write_log
from tests.kafka.workers import TILTWATCH, WorkerProcess

pytestmark = pytest.mark.storm

PLAYERS, DAYS, KILLS = 400, 45, 3
BETS = 50
"""Of so many bets one is kept: a trainer hears of deposits and sessions."""


class TrainerProcess:
    """One `tiltwatch models learn`; what it learns is kept over restarts, in `folder`."""

    def __init__(self, kafka: RealBroker, home: Path) -> None:
        self.folder = home / "models"
        command = (TILTWATCH, "models", "learn", "--registry", self.folder, "--every", "0.1")
        self.process = WorkerProcess(kafka, home, command=command)

    @property
    def checkpoint(self) -> str | None:
        """Which state it kept last."""
        kept_last = Registry(self.folder).book().checkpoint
        return None if kept_last is None else kept_last.state_sha256

    def until_kept_again(self) -> None:
        """Wait until it has kept something in this life."""
        before = self.checkpoint
        self.process.wait_for(lambda: self.checkpoint != before, 60)

    def until_heard(self, wanted: dict[str, int]) -> None:
        """Wait until it has kept that it heard all there is, and end it as an operator would."""
        seen: str | None = None
        self.process.start()

        def is_there() -> bool:
            nonlocal seen
            if seen == self.checkpoint:
                return False
            seen = self.checkpoint
            return kept(self.folder).place == wanted

        self.process.wait_for(is_there, 100)
        assert self.process.stop() == 0


def log() -> list[bytes]:
    """Some weeks in which much is learned from little."""
    simulated = events(Config(players=PLAYERS, days=DAYS, seed=31, troubled=0.6))
    found = [line for nth, line in enumerate(simulated) if b'"type":"bet"' not in line or nth % BETS == 0]
    return ended(found)


def of_replay(path: Path) -> list[bytes]:
    """What a replay tells those who learn."""
    found = read_rule_set(default_pack(), Currencies())
    with LogReader(str(path)) as log:
        heard = heard_of(log, Detection.of(found, Currencies(), None, None))
        return sorted(msgspec.json.encode(each) for each in heard)


def test_a_trainer_that_is_killed_learns_what_an_undisturbed_one_learns(
    real_kafka: RealBroker, tmp_path: Path
) -> None:
    real_kafka.create_ours(partitions=PARTITIONS)
    lines = log()
    draw = random.Random(31)
    began = time.monotonic()
    with fleet(real_kafka, tmp_path) as workers:
        workers.until_all_ready()
        with flow(real_kafka, lines) as sent:
            workers.until_moved()
            workers.workers[0].kill()
            workers.workers[0].start()
            sent.wait()
        workers.until_judged()
        workers.stop()
    samples = read(real_kafka, SAMPLES)
    print(f"{len(samples)} samples of {len(lines)} events: {time.monotonic() - began:.1f} s")
    assert sorted(each.value or b"" for each in samples) == of_replay(write_log(tmp_path / "log", lines))
    wanted: dict[str, int] = {}
    for each in samples:
        name = f"{SAMPLES}/{each.partition}"
        wanted[name] = max(wanted.get(name, 0), each.offset + 1)

    began = time.monotonic()
    undisturbed = TrainerProcess(real_kafka, tmp_path / "undisturbed")
    undisturbed.until_heard(wanted)
    print(f"undisturbed: {time.monotonic() - began:.1f} s")
    began = time.monotonic()
    killed = TrainerProcess(real_kafka, tmp_path / "killed")
    for _ in range(KILLS):
        killed.process.start()
        killed.until_kept_again()
        time.sleep(0.3 * draw.random())  # anywhere between two states that are kept
        killed.process.kill()
        assert kept(killed.folder).place != wanted, "it was at its end when it was killed"
    killed.until_heard(wanted)
    print(f"killed {KILLS} times: {time.monotonic() - began:.1f} s")

    assert len(cards(undisturbed.folder)) > 2
    assert cards(killed.folder) == cards(undisturbed.folder)
    assert harm_of(kept(killed.folder)) == harm_of(kept(undisturbed.folder))
    assert "Traceback" not in killed.process.log + undisturbed.process.log
