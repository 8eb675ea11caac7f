"""The detector in a process of its own, with what it needs and nothing of HTTP.

It keeps one core busy while events pour in, and the service's answers must not wait for that. It ends when
its lifeline is cut: by us, or by our own end, however that comes.
"""

from __future__ import annotations

import multiprocessing
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess

import structlog

from api import logs
from api.settings import Settings
from detector.drivers.embedded import EmbeddedDetector, Options
from detector.drivers.faults import where
from detector.drivers.rates import WatchedRates
from detector.engine.engine import Engine
from detector.engine.places import read_places
from detector.errors import SettingsError, TiltwatchError
from detector.events.money import Currencies
from detector.ladder.ladder import ladder_beside
from detector.language.pack import default_pack, load_rules
from detector.score.scoring import scoring_beside

log = structlog.get_logger()

STOP_S = 30.0
"""How long the detector may take to finish what it has begun; killed then, it loses nothing."""


def make_detector(settings: Settings, redis_url: str) -> EmbeddedDetector:
    """The detector that the settings describe.

    Raises
    ------
    TiltwatchError
        A rule, the score, the ladder, the rates, the places or a currency cannot be used.
    """
    currencies = Currencies(settings.currencies)
    folder = settings.rules_dir or default_pack()
    rules = [each for each in load_rules(folder, currencies) if each.status in ("live", "shadow")]
    if not rules:
        raise SettingsError(f"{folder}: no rule there is live or in shadow, so nobody would be noticed")
    scoring, ladder = scoring_beside(folder), ladder_beside(folder)
    watched = None if settings.rates_file is None else WatchedRates(settings.rates_file, currencies)
    rates = None if watched is None else watched.rates
    places = read_places(settings.places_file, settings.jurisdiction, settings.brand_zones)
    if settings.jurisdiction is None:
        log.info("no jurisdiction is set: the local time of players of unknown place is taken to be UTC")
    options = Options(
        tick_every_s=settings.tick_every_s,
        alerts_kept=settings.alerts_kept,
        dead_kept=settings.dead_kept,
        interventions_kept=settings.interventions_kept,
        intervene_within_s=settings.intervene_within_h * 3600,
    )
    return EmbeddedDetector(
        redis_url,
        lambda: Engine(
            rules, places, rates, currencies, settings.grace_s * 1_000_000, scoring=scoring, ladder=ladder
        ),
        currencies,
        options,
        rates=watched,
    )


@contextmanager
def beside(settings: Settings, redis_url: str) -> Iterator[SpawnProcess]:
    """Run the detector beside this process.

    What it stumbles over it says on stderr by itself; the process then has an `exitcode`.
    """
    context = multiprocessing.get_context("spawn")
    lifeline, ours = context.Pipe(duplex=False)
    process = context.Process(target=_detect, args=(settings, redis_url, lifeline), name="detector")
    # Ctrl-C in a terminal reaches every process at once; the detector's end is ours to tell it.
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


def _detect(settings: Settings, redis_url: str, lifeline: Connection) -> None:
    """The detector's process."""
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
        make_detector(settings, redis_url).run(stop)
    except TiltwatchError as error:
        print(f"tiltwatch: {error}", file=sys.stderr)
        sys.exit(2)
    except Exception as error:
        # Left to itself Python would print the message, which may hold a player's data.
        log.error("the detector failed", error=type(error).__name__, where=where(error))
        sys.exit(1)
