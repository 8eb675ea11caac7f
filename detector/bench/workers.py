"""`tiltwatch worker` as processes, and how far they have come."""

from __future__ import annotations

import os
import re
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from detector.bench.service import COMMAND, HOST, free_port
from detector.errors import StateError

PATIENCE_S = 120.0
"""For how long workers may say nothing new."""
_LOOK_EVERY_S = 0.1
_EVENTS = re.compile(r'^tiltwatch_worker_events_total\{outcome="(\w+)"\} (\S+)', re.MULTILINE)
_ALERTS = re.compile(r"^tiltwatch_worker_alerts_total\{[^}]*\} (\S+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Progress:
    """What workers have done together: events by outcome, alerts, and players whom they hold in memory."""

    accepted: int
    others: int
    alerts: int
    players: int


class Workers:
    """Some workers of one group."""

    def __init__(
        self, processes: Sequence[subprocess.Popen[bytes]], ports: Sequence[int], home: Path
    ) -> None:
        self._processes = processes
        self._ports = ports
        self._home = home

    def progress(self) -> Progress:
        """How far they are; StateError if one of them has ended."""
        texts = [self._ask(place, port) for place, port in enumerate(self._ports)]
        outcomes = [(name, int(float(value))) for text in texts for name, value in _EVENTS.findall(text)]
        accepted = sum(value for name, value in outcomes if name == "accepted")
        return Progress(
            accepted,
            sum(value for _, value in outcomes) - accepted,
            sum(int(float(value)) for text in texts for value in _ALERTS.findall(text)),
            sum(
                int(float(value)) for text in texts for value in re.findall(r"^\w+_players (\S+)", text, re.M)
            ),
        )

    def until(self, events: int) -> tuple[Progress, float]:
        """Wait until so many events are judged; returns what was done, and in how many seconds.

        Time runs from the last look at which nothing was judged yet to the first at which all is.

        Raises
        ------
        StateError
            One has ended, they come no further, or they have judged the log otherwise than they should.
        """
        began = seen = time.perf_counter()
        before = Progress(0, 0, 0, 0)
        while True:
            now = time.perf_counter()
            done = self.progress()
            if not done.accepted:
                began = now
            if done.others:
                raise StateError(f"{done.others} events were not accepted")
            if done.accepted >= events:
                return done, time.perf_counter() - began
            if done != before:
                before, seen = done, now
            elif now - seen > PATIENCE_S:
                raise StateError(f"{done.accepted} of {events} events were judged, and no more came")
            time.sleep(_LOOK_EVERY_S)

    def _ask(self, place: int, port: int) -> str:
        if self._processes[place].poll() is not None:
            words = (self._home / f"{place}.log").read_text(errors="replace").strip().splitlines()
            raise StateError(f"`tiltwatch worker` ended: {(words or ['it said nothing'])[-1]}")
        try:
            with urllib.request.urlopen(f"http://{HOST}:{port}/metrics", timeout=30) as answer:
                told: str = answer.read().decode()
                return told
        except OSError:  # it has not come so far yet
            return ""


@contextmanager
def working(environment: Mapping[str, str], group: str, count: int) -> Iterator[Workers]:
    """Run workers of a group with disks of their own, for as long as the context lasts."""
    bare = {name: value for name, value in os.environ.items() if not name.startswith("TILTWATCH_")}
    with TemporaryDirectory(prefix="tiltwatch-bench-") as folder, ExitStack() as stack:
        home = Path(folder)
        processes: list[subprocess.Popen[bytes]] = []
        stack.callback(_end, processes)
        ports = [free_port() for _ in range(count)]
        for place, port in enumerate(ports):
            told = {
                "TILTWATCH_DATA_DIR": str(home / str(place)),
                "TILTWATCH_WORKER_NAME": f"bench-{place}",
                "TILTWATCH_WORKER_PORT": str(port),
                "TILTWATCH_HOST": HOST,
                "TILTWATCH_KAFKA_GROUP": group,
                "TILTWATCH_LOG_LEVEL": "warning",
            }
            with (home / f"{place}.log").open("wb") as log:
                processes.append(
                    subprocess.Popen(  # noqa: S603  (our own command)
                        [COMMAND, "worker"],
                        env={**bare, **environment, **told},
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=log,
                    )
                )
        yield Workers(processes, ports, home)


def _end(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    # Their group is nobody's after them: a hand-over would only take time from whoever is measured next.
    for process in processes:
        process.kill()
    for process in processes:
        process.wait()
