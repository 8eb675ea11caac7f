"""The embedded driver: reads events from a Redis stream, and stores what follows from them.

A batch's players, marks, alerts, interventions, notes, refusals and the place in the stream move in ONE
transaction, so a detector killed at any moment leaves the state of some batch's end, and its successor goes
on from there: no event counts twice and no alert is written twice. The same holds when Redis goes away, or
the lease: what is in memory is thrown away and read again.

Reading has no side effect (XREAD, not XREADGROUP): the group on the stream only says how far the stored
state has come, and moves with it. A detector that lost its lease can therefore take nothing away from the
one that has it, and no list of pending entries has to be written, synced and worked off.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec
import structlog
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from detector.drivers.clock import wall_clock_us
from detector.drivers.faults import INTERNAL, where
from detector.drivers.interventions import prepare, queue
from detector.drivers.learning import told
from detector.drivers.lease import Lease, LeaseLost
from detector.drivers.pausing import is_pause, tick_event
from detector.drivers.rates import WatchedRates
from detector.drivers.rulesets import Changing, WatchedRules
from detector.drivers.streams import (
    ALERTS,
    DEAD,
    ENGINE,
    EVENTS,
    FEED,
    GROUP,
    INTERVENTIONS,
    NOTES,
    PLAYERS,
    RATES,
    RISKS,
    SAMPLES,
    SERVICE,
    SHADOW,
    TAKEN_OVER,
    TRAINER,
    make_group,
    read_instant,
    trim_behind_readers,
    trim_what_was_taken,
)
from detector.engine.engine import Engine, Outcome
from detector.events.decode import CONFLICT, Decoder, Refusal
from detector.events.instants import to_datetime
from detector.events.money import Currencies

log = structlog.get_logger()

_BLOCK_MS = 200
_TRIM_S = 1.0


@dataclass(frozen=True, slots=True)
class Options:
    """How the driver runs.

    `batch` is the most events in one transaction; `lease_s` how long after its last sign a detector counts
    as gone; `tick_every_s` the pause after which the clock ticks on; `dead_kept` and `feed_kept` bound what
    Redis keeps of each, `alerts_kept` the alerts of rules in shadow; of the alerts, their notes and (up to
    `interventions_kept`) the interventions it bounds what the service has taken over, nothing else.
    What those who learn are told is kept until the trainer has it, but no more than `samples_kept` of it.
    `look_every_s` is how often the file of rates is looked at. An alert opened longer than
    `intervene_within_s` ago asks for nothing. `readers` are other groups that read the stream of events, made
    at the beginning so that nothing is dropped before they have.
    """

    batch: int = 500
    lease_s: float = 5.0
    tick_every_s: float = 10.0
    alerts_kept: int = 100_000
    dead_kept: int = 10_000
    feed_kept: int = 10_000
    interventions_kept: int = 100_000
    samples_kept: int = 200_000
    intervene_within_s: float = 48 * 3600
    look_every_s: float = 5.0
    readers: tuple[str, ...] = ()


class EmbeddedDetector:
    """One detector over one Redis; `run` it in a thread or a process of its own.

    Parameters
    ----------
    redis_url
        Where the streams and the state are.
    make_engine
        Makes an engine without any player; called again whenever the state has to be read anew.
    currencies
        What money may be in.
    clock
        Tells the wall clock, in µs since the epoch.
    rates
        The file of the rates that the engines reckon with, if there is one.
    rules
        The rules that the engines are made of, where they can be changed while the detector runs.
    """

    def __init__(
        self,
        redis_url: str,
        make_engine: Callable[[], Engine],
        currencies: Currencies,
        options: Options = Options(),
        clock: Callable[[], int] = wall_clock_us,
        rates: WatchedRates | None = None,
        rules: WatchedRules | None = None,
    ) -> None:
        self._rules = rules
        self._url = redis_url
        self._make_engine = make_engine
        self._decoder = Decoder(currencies)
        self._options = options
        self._clock = clock
        self._rates = rates
        self._feared: set[bytes] = set()

    def run(self, stop: threading.Event) -> None:
        """Judge events until `stop` is set; what was begun is then finished and stored.

        Raises
        ------
        SettingsError
            Another detector is at work on this Redis.
        StateError
            What is stored cannot be read.
        """
        # No retries: whether a transaction happened is for the stored state to say, after reading it anew.
        redis = Redis.from_url(self._url, retry=Retry(NoBackoff(), 0), socket_timeout=30, protocol=2)
        with redis:
            while not stop.is_set():
                try:
                    self._serve(redis, stop)
                except RedisError as error:
                    # It is gone, reads its log, or can take no writes; its message may repeat a command.
                    log.warning("redis cannot be worked with", error=type(error).__name__)
                    stop.wait(0.5)
                except LeaseLost:
                    log.warning("the lease was lost")
                except _Failed as failed:
                    self._feared.add(failed.entry)

    def _serve(self, redis: Redis, stop: threading.Event) -> None:
        """Work from taking the lease to giving it back."""
        lease = Lease(redis, self._options.lease_s)
        engine = self._make_engine()
        if not lease.acquire(stop):
            return
        try:
            while not stop.is_set():
                term = _Term(
                    engine, redis, lease, self._decoder, self._options, self._clock, self._feared, self._rates
                )
                rules = None if self._rules is None else Changing(self._rules, redis, lease)
                term.load()
                if rules is not None:
                    rules.tell(term.engine.high_us, self._clock())
                while not stop.is_set():
                    term.step()
                    if rules is not None and rules.look(self._make_engine):
                        # All that was judged is stored: the next term takes it up with the new rules.
                        engine = self._make_engine()
                        break
        finally:
            lease.release()


class _Failed(Exception):  # noqa: N818  (a signal inside the driver)
    """The engine raised on the event of a stream entry; its memory can no longer be trusted."""

    def __init__(self, entry: bytes) -> None:
        super().__init__()
        self.entry = entry


@dataclass(slots=True)
class _Term:
    """From taking the lease to losing it: an engine, and the place in the stream it has reached."""

    engine: Engine
    redis: Redis
    lease: Lease
    decoder: Decoder
    options: Options
    clock: Callable[[], int]
    feared: set[bytes]
    rates: WatchedRates | None = None
    place: bytes = b"0-0"
    read: int = 0
    beat_at: float = 0.0
    trimmed_at: float = 0.0
    looked_at: float = 0.0
    withheld: int = 0
    last_us: int = 0
    dead: list[dict[Any, Any]] = field(default_factory=list)

    def load(self) -> None:
        """Take up the stored state."""
        for group_name in (GROUP, *self.options.readers):
            make_group(self.redis, EVENTS, group_name)
        for stream in TAKEN_OVER:
            make_group(self.redis, stream, SERVICE)
        make_group(self.redis, SAMPLES, TRAINER)
        group = next(each for each in self.redis.xinfo_groups(EVENTS) if each["name"] == GROUP.encode())
        self.place, self.read = group["last-delivered-id"], group["entries-read"] or 0
        marks: Any = self.redis.get(ENGINE)
        if marks is not None:
            self.engine.load_marks(marks)
        if self.rates is not None:
            stored: Any = self.redis.get(RATES)
            self._keep_rates(self.rates.start(stored, self.engine.high_us), "loading")
        players = 0
        for player, record in self.redis.hscan_iter(PLAYERS, count=1000):
            self.engine.load(player.decode(), record)
            players += 1
            self._beat("loading")
        self.last_us = self.clock()
        self._beat("running", now=True)
        log.info("detecting", players=players)

    def step(self) -> None:
        """Wait a moment for events and deal with those that came."""
        answer: Any = self.redis.xread({EVENTS: self.place}, count=self.options.batch, block=_BLOCK_MS)
        entries: list[tuple[bytes, dict[bytes, bytes]]] = answer[0][1] if answer else []
        if entries:
            self.last_us = self.clock()
            self._judge(entries)
            self.place = entries[-1][0]
            self.read += len(entries)
            self._store()
        else:
            self._tick_on()
            self._beat("running")
            if self.withheld:
                log.info("alerts of the past asked for nothing", interventions=self.withheld)
                self.withheld = 0
        if time.monotonic() - self.trimmed_at >= _TRIM_S:
            self.trimmed_at = time.monotonic()
            trim_behind_readers(self.redis, EVENTS)
            trim_behind_readers(self.redis, INTERVENTIONS)
            trim_behind_readers(self.redis, SAMPLES)
            # What nobody learns from must not fill Redis; a trainer that comes late sees that some is gone.
            self.redis.xtrim(SAMPLES, maxlen=self.options.samples_kept)
            kept = self.options
            for stream in TAKEN_OVER:
                most = kept.interventions_kept if stream == INTERVENTIONS else kept.alerts_kept
                trim_what_was_taken(self.redis, stream, most)
        if self.rates is not None and time.monotonic() - self.looked_at >= self.options.look_every_s:
            self.looked_at = time.monotonic()
            self._keep_rates(self.rates.look(self.engine.high_us))

    def _keep_rates(self, table: bytes | None, state: str = "running") -> None:
        """Have what money is converted with from now on in Redis before any is."""
        if table is not None:
            with self.lease.transaction(state) as pipe:
                pipe.set(RATES, table)

    def _judge(self, entries: list[tuple[bytes, dict[bytes, bytes]]]) -> None:
        engine, decoder = self.engine, self.decoder
        for entry, fields in entries:
            original = fields.get(b"e", b"")
            received_us = read_instant(fields.get(b"r"))
            if entry in self.feared:
                self._bury(
                    Refusal(INTERNAL, "$: the detector failed on it; see its log", original), received_us
                )
                continue
            event = decoder.decode(original, None if received_us is None else to_datetime(received_us))
            if isinstance(event, Refusal):
                self._bury(event, received_us)
                continue
            try:
                outcome = engine.apply(event, decoder.content)
            except Exception as error:
                log.error(
                    "an event was put aside",
                    entry=entry.decode(),
                    error=type(error).__name__,
                    where=where(error),
                )
                raise _Failed(entry) from None
            if outcome is Outcome.CONFLICT:
                self._bury(Refusal("conflict", CONFLICT, original), received_us)
        engine.tick(engine.watermark_us)

    def _bury(self, refusal: Refusal, received_us: int | None) -> None:
        self.dead.append(
            {
                "reason": refusal.reason,
                "detail": refusal.detail,
                "original": refusal.original,
                "at": self.clock() if received_us is None else received_us,
            }
        )

    def _store(self) -> None:
        """Put everything that follows from the batch into Redis at once."""
        options = self.options
        effects = self.engine.take()
        now_us = self.clock()
        asked = prepare(
            self.redis,
            effects.interventions,
            self.engine.rater.ladder,
            now_us,
            int(options.intervene_within_s * 1_000_000),
        )
        self.withheld += asked.withheld
        with self.lease.transaction() as pipe:
            records: dict[Any, Any] = dict(self.engine.records())
            if records:
                pipe.hset(PLAYERS, mapping=records)
            pipe.set(ENGINE, self.engine.marks())
            risks: dict[Any, Any] = {
                player: msgspec.json.encode(risk) for player, risk in effects.risks.items() if risk.standings
            }
            if risks:
                pipe.hset(RISKS, mapping=risks)
            for alert in effects.alerts:
                entry: dict[Any, Any] = {"a": alert.to_json(), "t": now_us}
                jurisdiction = effects.jurisdictions[alert.id]
                if jurisdiction is not None:
                    entry["j"] = jurisdiction
                pipe.xadd(ALERTS, entry)
                pipe.xadd(FEED, {"kind": "alert", "alert": alert.id}, maxlen=options.feed_kept)
            for alert in effects.shadow:
                pipe.xadd(SHADOW, {"a": alert.to_json()}, maxlen=options.alerts_kept)
            for note in effects.notes:
                pipe.xadd(NOTES, {"n": msgspec.json.encode(note)})
                pipe.xadd(FEED, {"kind": "note", "alert": note.alert}, maxlen=options.feed_kept)
            for heard in told(effects):
                pipe.xadd(SAMPLES, {"s": msgspec.json.encode(heard)})
            for refused in self.dead:
                pipe.xadd(DEAD, refused, maxlen=options.dead_kept)
            queue(pipe, asked)
            pipe.xgroup_setid(EVENTS, GROUP, self.place, entries_read=self.read)
        self.dead.clear()
        self.beat_at = time.monotonic()

    def _tick_on(self) -> None:
        """In a pause of live input, have time pass by an event of its own."""
        now = self.clock()
        engine = self.engine
        tick_us = now - engine.grace_us
        if not is_pause(engine, now, self.last_us, self.options.tick_every_s):
            return
        self.last_us = now
        if tick_us > engine.watermark_us:
            event = tick_event(tick_us)
            with self.lease.transaction() as pipe:
                pipe.xadd(EVENTS, {"e": event, "r": now})

    def _beat(self, state: str, *, now: bool = False) -> None:
        """Show, several times before the lease runs out, that this detector is alive."""
        if now or time.monotonic() - self.beat_at >= self.options.lease_s / 5:
            self.beat_at = time.monotonic()
            with self.lease.transaction(state):
                pass
