"""Every container of ours as the compose file has it, without containers: command, settings, health.

Redis is a real Valkey, the database a file; all else is what would run.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from redis import Redis

from detector.drivers.clock import wall_clock_us
from detector.drivers.valkey import Server
from detector.events.instants import rfc3339_ms
from tests.brokers import Broker, MockBroker
from tests.docker.deployment import DOCKER, check_of, command, example, services
from tests.docker.metrics import served, told

pytestmark = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)

BIN = Path(sys.executable).parent
PATIENCE_S = 60.0
"""The start period of the longest health check."""


class Machine:
    """Where containers would run: their volumes are folders, their ports free ones of this machine."""

    def __init__(self, home: Path, redis_url: str, store_url: str, kafka: Broker) -> None:
        self._home = home
        self._ports: dict[tuple[str, int], int] = {}
        self._chosen = example("tiltwatch.env")
        assert self._chosen["TILTWATCH_KAFKA"] == "kafka:9092"
        # What is another here than there: addresses, and nothing else.
        self._elsewhere = {
            **kafka.environment,
            "TILTWATCH_REDIS_URL": redis_url,
            "TILTWATCH_DATABASE_URL": store_url,
            "TILTWATCH_HOST": "127.0.0.1",
        }

    def port(self, name: str, port: int) -> int:
        """The port here for a container's."""
        return self._ports.setdefault((name, port), _free_port())

    def volume(self, name: str, target: str) -> Path:
        """The folder here that a container has at a place."""
        for volume in services()[name].get("volumes", []):
            source, at = volume.split(":")[:2]
            if at == target:
                folder: Path = self._home / source
                folder.mkdir(mode=0o700, exist_ok=True)
                return folder
        raise AssertionError(f"{name} has no volume at {target}")

    def environment(self, name: str) -> dict[str, str]:
        """What a container finds, with the addresses of here."""
        service = services()[name]
        found = {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
        if service["env_file"]:
            found |= self._chosen | service.get("environment", {}) | self._elsewhere
            found["TILTWATCH_PORT"] = str(self.port(name, 8420))
            worker_port = int(self._chosen["TILTWATCH_WORKER_PORT"])
            found["TILTWATCH_WORKER_PORT"] = str(self.port(name, worker_port))
            if "volumes" in service:
                found["TILTWATCH_DATA_DIR"] = str(self.volume(name, "/data"))
        return found

    def words(self, name: str) -> list[str]:
        """A container's command, with the ports of here."""
        api = f"http://127.0.0.1:{self.port('api', 8420)}"
        found = []
        for word in command(name):
            if re.fullmatch(r"\d{4}", word):
                word = str(self.port(name, int(word)))
            found.append({"http://api:8420": api, "0.0.0.0": "127.0.0.1"}.get(word, word))
        return found

    def once(self, name: str) -> str:
        """Run a container that ends, and let it succeed; returns what it said."""
        call = ["tiltwatch", *self.words(name)]
        if "entrypoint" in services()[name]:
            keys = str(self.volume(name, "/keys"))
            call = [*services()[name]["entrypoint"], *self.words(name)]
            call = [word.replace("/keys/", f"{keys}/") for word in call]
        done = subprocess.run(
            call,
            env=self.environment(name),
            cwd=self._home,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    @contextmanager
    def running(self, name: str) -> Iterator[subprocess.Popen[str]]:
        """A container while it runs; in the end it stops in order and in time."""
        log = self._home / f"{name}.log"
        with log.open("w") as said:
            process = subprocess.Popen(
                [BIN / "tiltwatch", *self.words(name)],
                env=self.environment(name),
                cwd=self._home,
                stdout=said,
                stderr=said,
                text=True,
            )
        try:
            self._until(lambda: self.is_healthy(name), process, log)
            yield process
            assert process.poll() is None, log.read_text()
            process.send_signal(signal.SIGTERM)
            grace_s = int(services()[name]["stop_grace_period"].removesuffix("s"))
            assert process.wait(grace_s) == 0, log.read_text()
        finally:
            process.kill()
            process.wait()

    def is_healthy(self, name: str) -> bool:
        """What the container's health check says."""
        url = check_of(name)
        if url is None:
            return True
        port = int(url.split(":")[2].partition("/")[0])
        here = url.replace(f":{port}/", f":{self.port(name, port)}/")
        asked = subprocess.run([sys.executable, DOCKER / "healthy.py", here], check=False, timeout=20)
        return asked.returncode == 0

    def get(self, name: str, port: int, path: str, key: str | None = None) -> httpx.Response:
        """Ask a container."""
        headers = {} if key is None else {"authorization": f"Bearer {key}"}
        return httpx.get(f"http://127.0.0.1:{self.port(name, port)}{path}", headers=headers, timeout=20)

    def wait_until_ready(self, name: str) -> None:
        """Wait until a container says that it is ready for work."""
        port = {"api": 8420}.get(name, 9464)
        _wait(lambda: self.get(name, port, "/readyz").status_code == 200)

    def issue(self, role: str) -> str:
        """A key, as the README has one issued."""
        done = subprocess.run(
            [BIN / "tiltwatch", "keys", "issue", role, "a test"],
            env=self.environment("api"),
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=True,
        )
        return done.stdout.strip()

    @staticmethod
    def _until(is_so: Callable[[], bool], process: subprocess.Popen[str], log: Path) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not is_so():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)


@pytest.fixture
def machine(tmp_path: Path, valkey: Server, redis: Redis, store_url: str, kafka: Broker) -> Machine:
    """Nothing runs yet but the stores."""
    # The mock cluster makes no topics by request: they are there when `topics` comes.
    kafka.create_ours(partitions=int(example("tiltwatch.env")["TILTWATCH_KAFKA_PARTITIONS"]))
    return Machine(tmp_path, valkey.url, store_url, kafka)


def test_everything_starts_works_and_stops(machine: Machine, kafka: Broker) -> None:
    assert "topics are there" in machine.once("topics")
    with machine.running("api"), machine.running("backoffice"):
        with machine.running("worker-1"):
            machine.wait_until_ready("worker-1")
            if isinstance(kafka, MockBroker):
                # It answers a second member's SyncGroup with InvalidRequest: there they take turns.
                _see_an_alert(machine, "p1")
                _see_metrics(machine, "worker-1")
            else:
                with machine.running("worker-2"):
                    machine.wait_until_ready("worker-2")
                    _see_an_alert(machine, "p1")
                    _see_metrics(machine, "worker-1", "worker-2")
        with machine.running("worker-2"):
            machine.wait_until_ready("worker-2")
            _see_an_alert(machine, "p2")


def _see_metrics(machine: Machine, *workers: str) -> None:
    """Those that are documented are those there are, under a key that reads nothing else."""
    assert machine.once("metrics-key") == ""
    key_file = machine.volume("metrics-key", "/keys") / "metrics.key"
    key = key_file.read_text().strip()
    machine.once("metrics-key")
    assert key_file.read_text().strip() == key, "issued once"
    assert machine.get("api", 8420, "/v1/alerts", key).status_code == 403

    def of_service() -> set[str]:
        page = machine.get("api", 8420, "/metrics", key)
        assert page.status_code == 200
        return served(page.text)

    # Some are there as soon as there is something to tell.
    _wait(lambda: _told_of("service") <= of_service())
    assert of_service() == _told_of("service")
    for worker in workers:
        assert served(machine.get(worker, 9464, "/metrics").text) == _told_of("worker")


def _see_an_alert(machine: Machine, player: str) -> None:
    """An event goes in at the service, and comes out as an alert at the desk."""
    machine.wait_until_ready("api")
    event = (
        f'{{"id":"e-{player}","source":"acme","type":"self_exclusion","player":"{player}",'
        f'"ts":"{rfc3339_ms(wall_clock_us())}","until":"2999-01-01T00:00:00Z"}}'
    )
    sent = httpx.post(
        f"http://127.0.0.1:{machine.port('api', 8420)}/v1/events",
        content=event,
        headers={
            "authorization": f"Bearer {machine.issue('platform')}",
            "content-type": "application/json",
        },
        timeout=20,
    )
    assert (sent.status_code, sent.json()["accepted"]) == (202, 1), sent.text
    agent = machine.issue("agent")

    def alerts() -> set[tuple[str, str]]:
        items = machine.get("api", 8420, "/v1/alerts", agent).json()["items"]
        return {(each["player"], each["rule"].partition("@")[0]) for each in items}

    _wait(lambda: (player, "self-exclusion-request") in alerts())


def test_the_aid_organisation_starts_and_stops(
    tmp_path: Path, valkey: Server, store_url: str, mock_kafka: MockBroker
) -> None:
    machine = Machine(tmp_path, valkey.url, store_url, mock_kafka)
    with machine.running("aid"):
        page = machine.get("aid", 8430, "/")
        assert (page.status_code, "Referrals" in page.text) == (200, True)


def _told_of(process: str) -> set[str]:
    return {name for name, of in told().items() if of == process}


def _wait(is_so: Callable[[], bool], seconds: float = PATIENCE_S) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
