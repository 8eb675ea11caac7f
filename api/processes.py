"""Parts that run in a process of their own beside ours.

Each keeps a core busy now and then, and the service's answers must not wait for that. It ends when its
lifeline is cut: by us, or by our own end, however that comes.
"""

from __future__ import annotations

import multiprocessing
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess

import structlog

from api import logs
from api.settings import Settings
from detector.drivers.faults import where
from detector.errors import TiltwatchError

log = structlog.get_logger()

STOP_S = 30.0
"""How long a part may take to finish what it has begun; killed then, it loses nothing."""

AGAIN_S = 5.0
"""After how long a part that ended by itself is started again, where nothing hangs on it."""
_LOOK_S = 0.2

Part = Callable[[Settings, str, threading.Event], None]
"""Works on the Redis of a URL until the event is set; has to be found by name in its module."""


@contextmanager
def beside(part: Part, settings: Settings, redis_url: str) -> Iterator[SpawnProcess]:
    """Run a part beside this process.

    What it stumbles over it says on stderr by itself; the process then has an `exitcode`.
    """
    context = multiprocessing.get_context("spawn")
    lifeline, ours = context.Pipe(duplex=False)
    process = context.Process(
        target=_work, args=(part, settings, redis_url, lifeline), name=part.__name__.replace("_", " ")
    )
    # Ctrl-C in a terminal reaches every process at once; a part's end is ours to tell it.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        lifeline.close()
    try:
        yield process
    finally:
        ours.close()
        process.join(STOP_S)
        if process.is_alive():
            process.kill()
            process.join()
        process.close()


@contextmanager
def kept_beside(part: Part, settings: Settings, redis_url: str, again_s: float = AGAIN_S) -> Iterator[None]:
    """Run a part beside this process that nothing hangs on: when it ends by itself it is started again."""
    stop = threading.Event()

    def look_after() -> None:
        while not stop.is_set():
            with beside(part, settings, redis_url) as process:
                while process.is_alive() and not stop.is_set():
                    stop.wait(_LOOK_S)
                code = process.exitcode
            if not stop.is_set():
                log.error(f"the {part.__name__} ended by itself and is started again", exit_code=code)
                stop.wait(again_s)

    thread = threading.Thread(target=look_after)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _work(part: Part, settings: Settings, redis_url: str, lifeline: Connection) -> None:
    """The part's process."""
    # A service manager tells every process of a group to stop at once; ours is told by its lifeline.
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    logs.configure(settings.log_format, settings.log_level)
    stop = threading.Event()

    def wait_for_the_end() -> None:
        with suppress(EOFError, OSError):
            lifeline.recv()
        stop.set()

    threading.Thread(target=wait_for_the_end, daemon=True).start()
    try:
        part(settings, redis_url, stop)
    except TiltwatchError as error:
        print(f"tiltwatch: {error}", file=sys.stderr)
        sys.exit(2)
    except Exception as error:
        # Left to itself Python would print the message, which may hold a player's data.
        log.error(f"the {part.__name__} failed", error=type(error).__name__, where=where(error))
        sys.exit(1)
