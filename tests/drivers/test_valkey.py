from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from detector.drivers import valkey
from detector.drivers.valkey import Server
from detector.errors import SettingsError, StateError
from tests.drivers.small import is_gone


@pytest.fixture
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="tw") as name:
        yield Path(name)


def test_every_write_is_synced_and_nobody_else_gets_in(home: Path) -> None:
    with Server(home / "data") as server, Redis.from_url(server.url, protocol=2) as redis:
        assert redis.config_get("append*") | redis.config_get("port") == {
            "appenddirname": "appendonlydir",
            "appendfilename": "appendonly.aof",
            "appendfsync": "always",
            "appendonly": "yes",
            "port": "0",
        }
        assert server.socket.stat().st_mode & 0o077 == 0
        assert (home / "data").stat().st_mode & 0o077 == 0
        assert server.pid is not None
        assert os.getsid(server.pid) != os.getsid(0), "Ctrl-C would reach it"
    assert not server.socket.exists()


@pytest.mark.parametrize("name", ["with space", "quo'te\"s", "été", "a" * 150])
def test_directories_of_any_name(home: Path, name: str) -> None:
    with Server(home / name) as server, Redis.from_url(server.url) as redis:
        assert len(os.fsencode(server.socket)) <= valkey.LONGEST_SOCKET_PATH
        redis.set("here", 1)
    with Server(home / name) as server, Redis.from_url(server.url) as redis:
        assert redis.get("here") == b"1"


def test_a_killed_server_leaves_all_it_confirmed(home: Path) -> None:
    with Server(home) as server:
        with Redis.from_url(server.url) as redis:
            for number in range(100):
                redis.rpush("list", number)
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
    with Server(home) as server, Redis.from_url(server.url) as redis:
        assert redis.llen("list") == 100


def test_a_second_one_on_the_same_directory_is_refused(home: Path) -> None:
    with Server(home) as first:
        with pytest.raises(SettingsError, match=rf"another tiltwatch \(process {os.getpid()}\) uses"):
            Server(home).start()
        with Redis.from_url(first.url) as redis:
            assert redis.ping()
    with Server(home):
        pass


OWNER = """
import sys, time
from pathlib import Path
from detector.drivers.valkey import Server
server = Server(Path(sys.argv[1]))
server.start()
print(server.pid, flush=True)
time.sleep(60)
"""


def test_what_a_killed_owner_left_running_is_replaced(home: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", OWNER, home], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        orphan = int(owner.stdout.readline())
        with Redis.from_url(Server(home).url) as redis:
            redis.set("kept", "yes")
        owner.kill()
    os.kill(orphan, 0)  # it runs on by itself
    with Server(home) as server, Redis.from_url(server.url) as redis:
        assert server.pid != orphan
        assert redis.get("kept") == b"yes"
        deadline = time.monotonic() + 10
        while not is_gone(orphan):
            assert time.monotonic() < deadline
            time.sleep(0.01)


def test_a_socket_left_behind_does_not_hinder(home: Path) -> None:
    (home / "redis.sock").touch()
    with Server(home) as server, Redis.from_url(server.url) as redis:
        assert redis.ping()


def test_a_log_that_cannot_be_read_is_told_in_its_own_words(home: Path) -> None:
    with Server(home) as server, Redis.from_url(server.url) as redis:
        redis.set("a", "b")
    log = next(home.glob("appendonlydir/*.incr.aof"))
    log.write_bytes(b"nonsense\r\n" + log.read_bytes())
    with pytest.raises(StateError, match=r"Redis ended as it started on .*: .*Bad file format"):
        Server(home).start()
    # The directory is free again.
    log.write_bytes(log.read_bytes().removeprefix(b"nonsense\r\n"))
    with Server(home) as server, Redis.from_url(server.url) as redis:
        assert redis.get("a") == b"b"


def test_a_file_in_the_directorys_place_is_told(home: Path) -> None:
    (home / "data").write_text("")
    with pytest.raises(SettingsError, match="cannot be used"):
        Server(home / "data").start()


def test_stopping_twice_or_never_having_started_is_fine(home: Path) -> None:
    server = Server(home)
    server.stop()
    server.start()
    server.stop()
    server.stop()
