"""tiltwatch itself, started as anybody would start it, and a client that costs little."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
from redis import Redis

from detector.drivers.streams import EVENTS, GROUP
from detector.drivers.valkey import Server
from detector.errors import StateError

COMMAND = Path(sys.executable).with_name("tiltwatch")
HOST = "127.0.0.1"
START_S = 60.0
STOP_S = 60.0


class _Report(msgspec.Struct):
    accepted: int = 0


_report = msgspec.json.Decoder(_Report).decode


@dataclass(frozen=True, slots=True)
class Service:
    """A running `tiltwatch run`, with a key of a platform's and one of an agent's."""

    port: int
    redis_url: str
    platform_key: str
    agent_key: str


@contextmanager
def running() -> Iterator[Service]:
    """Run tiltwatch embedded on a data directory of its own, as a separate process.

    Raises
    ------
    StateError
        It does not start; the message holds its last words.
    """
    with TemporaryDirectory(prefix="tiltwatch-bench-") as folder:
        port = free_port()
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TILTWATCH_")}
        environment |= {
            "TILTWATCH_DATA_DIR": folder,
            "TILTWATCH_PORT": str(port),
            "TILTWATCH_LOG_LEVEL": "warning",
        }
        keys = [_key(role, environment) for role in ("platform", "agent")]
        service = Service(port, Server(Path(folder)).url, *keys)
        words = Path(folder, "bench.log")
        with words.open("wb") as log:
            process = subprocess.Popen(  # noqa: S603  (our own command)
                [COMMAND, "run"], env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        try:
            _wait_until_ready(service, process, words)
            yield service
        finally:
            process.terminate()
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _key(role: str, environment: Mapping[str, str]) -> str:
    """A new key, issued as anybody would issue it."""
    command: list[str | Path] = [COMMAND, "keys", "issue", role, "bench"]
    issued = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    if issued.returncode:
        raise StateError(f"`tiltwatch keys issue` failed: {issued.stderr.strip()}")
    return issued.stdout.strip()


def _wait_until_ready(service: Service, process: subprocess.Popen[bytes], words: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        connection = HTTPConnection(HOST, service.port, timeout=5)
        try:
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        finally:
            connection.close()
        time.sleep(0.05)
    said = words.read_text(errors="replace").strip().splitlines() or ["it said nothing"]
    raise StateError(f"`tiltwatch run` did not start: {said[-1]}")


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.create_server((HOST, 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


class Client:
    """One connection to the service that is kept open; use it as an async context."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def __aenter__(self) -> Client:
        self._reader, self._writer = await asyncio.open_connection(HOST, self._service.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()
        await self._writer.wait_closed()

    async def post(self, events: Sequence[bytes]) -> None:
        """Send events, and wait until they are taken in.

        Raises
        ------
        StateError
            They were not all accepted.
        """
        body = b"\n".join(events)
        head = f"Content-Type: application/x-ndjson\r\nContent-Length: {len(body)}\r\n"
        self._ask("POST", "/v1/events", self._service.platform_key, head, body)
        answer = await self._answer()
        if _report(answer).accepted != len(events):
            raise StateError(f"the service did not take the events in: {answer[:300]!r}")

    async def get(self, path: str) -> bytes:
        """The body of a resource, as an agent sees it."""
        self._ask("GET", path, self._service.agent_key)
        return await self._answer()

    def _ask(self, method: str, path: str, key: str, head: str = "", body: bytes = b"") -> None:
        common = f"Host: {HOST}\r\nAuthorization: Bearer {key}\r\n"
        self._writer.write(f"{method} {path} HTTP/1.1\r\n{common}{head}\r\n".encode() + body)

    async def _answer(self) -> bytes:
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
        return await self._reader.readexactly(length)


def is_caught_up(redis: Redis) -> bool:
    """Whether the detector is done with every event in the stream, its alerts readable."""
    group = next(each for each in redis.xinfo_groups(EVENTS) if each["name"] == GROUP.encode())
    latest: bytes = redis.xinfo_stream(EVENTS)["last-generated-id"]
    return bool(group["last-delivered-id"] == latest)
