"""`tiltwatch replay --resume`, killed at random moments: the files at the end are those of a quiet run."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.drivers.small import wait_for
from tests.drivers.spoilt import spoilt_log

KILLS = 10
COMMAND = (sys.executable, "-c", "from api.cli import main; main()", "replay")


def start(log: Path, out: Path, *options: str) -> subprocess.Popen[bytes]:
    out.mkdir(exist_ok=True)
    files = ("--alerts", str(out / "alerts.jsonl"), "--dead", str(out / "dead.jsonl"))
    return subprocess.Popen([*COMMAND, str(log), *files, *options], stdout=subprocess.PIPE)


def summary(replay: subprocess.Popen[bytes]) -> list[bytes]:
    """What is printed at the end, the time it took left out."""
    printed, _ = replay.communicate()
    assert replay.returncode == 0
    return [line for line in printed.splitlines() if b"second" not in line]


def saved(state: Path) -> int:
    return state.stat().st_mtime_ns if state.exists() else 0


@pytest.mark.storm
def test_killed_ten_times(tmp_path: Path) -> None:
    dice = random.Random(4)
    log = tmp_path / "log.jsonl"
    log.write_bytes(b"\n".join(spoilt_log(60_000)))
    quiet, stormy, home = tmp_path / "quiet", tmp_path / "stormy", tmp_path / "home"
    expected = summary(start(log, quiet))
    state = home / "replay.state"
    for _ in range(KILLS):
        jobs = dice.choice(("1", "2", "3"))
        with start(log, stormy, "--resume", str(home), "--every", "0", "--jobs", jobs) as replay:
            # While it starts, reads its state, or has come a little further: a chunk in sixty each.
            for _ in range(dice.randrange(4)):
                before = saved(state)
                wait_for(lambda: saved(state) != before)  # noqa: B023  (waited for right here)
            time.sleep(dice.random() * 0.1)
            replay.kill()
        assert not list(stormy.iterdir()), "half a result stands there like a whole one"
    assert summary(start(log, stormy, "--resume", str(home), "--jobs", "2")) == expected
    for name in ("alerts.jsonl", "dead.jsonl"):
        assert (quiet / name).stat().st_size > 10_000
        assert (stormy / name).read_bytes() == (quiet / name).read_bytes()
