"""The engine: events in, alerts out. Pure: no clock, no randomness, no input or output.

One engine serves one partition (or one file). `apply` puts an event where its time belongs and judges the
rules that its type triggers, at the player's clock; `tick` lets time pass for the rules on silence and on
sessions. Drivers decide when to call which; what comes out does not depend on it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from enum import Enum

from detector.cohorts.tables import Cohorts
from detector.engine.alarms import Alarms
from detector.engine.alerts import Evidence
from detector.engine.compile_events import EventCompiler
from detector.engine.correcting import Corrections
from detector.engine.foreseeing import Foresight
from detector.engine.judging import Effects, Judges
from detector.engine.kinds import TYPES, Kind, make_kinds
from detector.engine.noting import note_latest, note_profile, note_shown
from detector.engine.places import Places
from detector.engine.plan import Plan
from detector.engine.rating import Rater
from detector.engine.records import Records
from detector.engine.roster import Roster
from detector.engine.sampling import Sampler, Scorer, as_rules
from detector.engine.settling import Settler
from detector.engine.summing import Summaries
from detector.engine.surroundings import Surroundings
from detector.engine.waiting import Waiting
from detector.events.identity import fingerprint, identity
from detector.events.instants import micros, to_datetime
from detector.events.money import Currencies, Rates
from detector.events.vocabulary import EVENT_TYPES, AnyEvent, Bet, PlayerProfile, Void
from detector.ladder.ladder import Ladder
from detector.ladder.load import LADDERS
from detector.language.features import Catalogue
from detector.language.rule import Rule
from detector.players.player import LONG_AGO, MINUTE_US, NEVER, SESSION_GAP_US, Player, Session
from detector.players.sessions import session_joined, session_of
from detector.players.summary import NO_BALANCE
from detector.score.load import SCORES
from detector.score.scoring import Scoring
from detector.score.standing import Risk

GRACE_US = 15 * MINUTE_US
_LAG_US = 31 * MINUTE_US
"""How far judging at moments may trail the ticked watermark: a session's fate is open for 30 minutes."""

_EPOCH = to_datetime(0)


class Outcome(Enum):
    """What became of an event."""

    ACCEPTED = "accepted"
    REPEATED = "repeated"
    CONFLICT = "conflict"
    """Its id was seen with other content: a reconciliation mismatch, to be refused."""


_ACCEPTED = Outcome.ACCEPTED  # a member is looked up through its metaclass: too slow for every event


class Engine:
    """Windows, sessions, silences and episodes of all players of one partition.

    Parameters
    ----------
    rules
        Those to be judged, whatever their status; alerts of shadow rules come out apart.
    places, rates, currencies
        Zones of brands and jurisdictions, dated exchange rates, exponents of currencies.
    grace_us
        How far behind the high mark the watermark trails, in µs.
    scoring, ladder
        How episodes make a score, and what a response asks for; the packaged ones where none are given.
    cohorts
        Tables for `percentile`, which is unknown without.
    catalogue, scorers
        What models see of a player, and the models with the event time (µs) from which each is in force;
        without a catalogue no model is asked.
    keep_samples
        Whether what models saw comes out for who learns, and labels too.
    keep_records
        Whether to note which players were touched, for `records`.
    stored
        Finds the record of a player who is not in memory, None where there is none: idle players are then
        let go of, for whoever drives the engine has stored what `records` gave. Without it they stay here,
        folded up.
    """

    def __init__(
        self,
        rules: Sequence[Rule],
        places: Places | None = None,
        rates: Rates | None = None,
        currencies: Currencies | None = None,
        grace_us: int = GRACE_US,
        *,
        scoring: Scoring | None = None,
        ladder: Ladder | None = None,
        cohorts: Cohorts | None = None,
        catalogue: Catalogue | None = None,
        scorers: Sequence[tuple[int, Scorer]] = (),
        keep_samples: bool = False,
        keep_records: bool = True,
        stored: Callable[[str], bytes | None] | None = None,
    ) -> None:
        currencies = currencies or Currencies()
        self.grace_us = grace_us
        self._around = Surroundings(places or Places(), rates or Rates(currencies))
        self.counts = self._around.counts
        self.high_us = LONG_AGO
        alone = Plan(rules)
        self.plan = alone if catalogue is None else Plan([*rules, *as_rules(catalogue)])
        self._timed = self.plan.timed
        self._shows_moments = alone.timed  # whether alerts are of moments too, and not of events alone
        codes = {type_: code for code, type_ in enumerate(TYPES)}
        compiler = EventCompiler(self.plan)
        functions = compiler.compile()
        flush = functions["bet"].flush if "bet" in functions else None
        self.judges = Judges(rules, self.plan, currencies, codes, flush, cohorts)
        self.rater = Rater(
            self.judges, scoring or SCORES.packaged, ladder or LADDERS.packaged, self._around.places
        )
        self.sources = [*compiler.sources, *(judged.source for judged in self.judges.rules)]
        kinds = make_kinds(self.plan, functions, self.judges.rules, alone)
        self._kinds = {EVENT_TYPES[kind.type]: kind for kind in kinds if kind.type in EVENT_TYPES}
        self.sampler = self.judges.sampler = (
            None
            if catalogue is None
            else Sampler(catalogue, self.plan, self.judges, flush, scorers, keeping=keep_samples)
        )
        self._summaries = Summaries(kinds[-1], self._around) if self.plan.summaries else None
        settler = Settler(
            kinds,
            self.plan,
            self.judges,
            None if self._summaries is None else self._summaries.close,
            self.rater.finish,
            None if self.sampler is None else self.sampler.at_closing,
        )
        self._records = Records(self.plan, flush, None if catalogue is None else catalogue.id)
        self._players = Roster(self._records, keeping=keep_records, stored=stored)
        self._alarms = Alarms()
        self._waiting = Waiting(self._players, settler, self._alarms)
        self._foresight = Foresight(self._records, settler, self._alarms, self.judges, self.counts, grace_us)
        self._corrections = Corrections(
            self._kinds, self.plan, self._around, self._summaries, self.judges, self._waiting.line_up
        )
        self._marking = bool(self.plan.session_settled)
        # A bet this soon after the one before cannot have let a silence pass.
        self._quiet_us = -1
        if self._timed and self.plan.eager and not self._kinds[Bet].latest_settled:
            self._quiet_us = min(self.plan.silences, default=NEVER)
        self._low_us = LONG_AGO if self._timed else NEVER

    # Events

    @property
    def watermark_us(self) -> int:
        """The high mark less the grace: up to here, events have arrived."""
        return self.high_us - self.grace_us

    @property
    def ticked_us(self) -> int:
        """The watermark up to which time has passed."""
        return self._alarms.ticked_us

    def apply(self, event: AnyEvent, content: int | None = None) -> Outcome:
        """Take one event in. A tick event moves the watermark, and judges what is then due.

        Parameters
        ----------
        content
            `fingerprint(event)`, from a caller that has it already.
        """
        kind = self._kinds[type(event)]
        since = event.ts - _EPOCH
        at = (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
        if kind.is_tick:
            self.high_us = max(self.high_us, at + self.grace_us)
            self.counts.accepted += 1
            self.tick(at)
            return _ACCEPTED
        p = self._players[event.player]
        clock = p.clock if p.clock > at else at
        name = identity(event.source, event.id)
        if content is None:
            content = fingerprint(event)
        known = p.seen.admit(name, content, clock)
        if known is not None:
            return self._known(known == content)
        self.counts.accepted += 1
        if at > self.high_us:
            self.high_us = at
        elif at < self.high_us - self.grace_us:
            self.counts.late += 1
        p.clock = clock
        if at < p.first:
            p.first = at
        if self._players.keeping and not p.touched:
            self._players.touch(p)
        if p.currency is None and kind.has_currency:
            p.currency = event.currency  # type: ignore[union-attr]  # has_currency says that it is there
            p.paid_from = at
        if p.home is None and (event.jurisdiction is not None or event.brand is not None):
            self._settle_home(p, event, at)
        if not kind.is_bet or event.replaces is not None or p.awaited is not None:
            self._apply_any(p, event, kind, at, name)
            return _ACCEPTED
        # A bet, as nine events of ten are: what _apply_any does, less what only others need.
        session = p.sessions.get(event.session) if event.session is not None else session_of(p, event, at)
        if session is not None and at == clock and 0 <= at - session.last <= SESSION_GAP_US:
            session.last = at
        else:
            session = session_joined(p, event, at)
        if session is not None and self._summaries is not None and not session.summed:
            if session.rounds is None or event.currency != p.currency:  # type: ignore[union-attr]
                self._summaries.note(p, event, at, session, self._alarms.ticked_us)
            else:
                bet: Bet = event  # type: ignore[assignment]
                left = NO_BALANCE if bet.balance_after is None else bet.balance_after
                session.rounds.add(at, bet.stake, bet.payout, left, self._alarms.ticked_us)
        keep = clock if clock < self._low_us else self._low_us
        if (
            session is not None
            and at == clock
            and not p.pending
            and 0 <= at - p.active_at <= self._quiet_us
            and 0 <= at - session.settled_last <= SESSION_GAP_US
            and session.settled_open
            and not p.break_open
        ):
            # No moment is open before it: its settled side can be done at once.
            if self._marking and at > session.edge:
                session.mark(at)
            if kind.take is not None:
                kind.take(p, event, at, session, keep, self._around)
            session.settled_last = p.active_at = at
            p.silences = 0
            if p.blocked:
                self._alarms.after(p, at, MINUTE_US)
        else:
            values = kind.apply(p, event, at, session, keep, self._around) if kind.apply is not None else None
            if self._timed:
                self._waiting.add(p, event, kind, at, session, values)
        if kind.latest_live:
            note_latest(p, kind, at)
        view, on = (p, session) if not kind.reads_summaries else self._foresight.seen(p, session, kind.judges)
        for judged in kind.judges:
            holds = judged.functions.when(view, clock, on)
            if holds:
                self.judges.held(judged, p, clock, on, event.id, view)
            elif holds is None:
                self.judges.unknown(judged, clock, on, view)
        if self.judges.made:
            self._rate(p)
        return _ACCEPTED

    def _settle_home(self, p: Player, event: AnyEvent, at: int) -> None:
        jurisdiction = event.jurisdiction or self._around.places.homes.get(event.brand or "")
        if jurisdiction is not None:
            p.home = (at, jurisdiction)

    def _known(self, same: bool) -> Outcome:
        if same:
            self.counts.repeated += 1
            return Outcome.REPEATED
        self.counts.conflicts += 1
        return Outcome.CONFLICT

    def _apply_any(self, p: Player, event: AnyEvent, kind: Kind, at: int, name: int) -> None:
        """What follows once an event is known to be new, whatever its type."""
        if type(event) is Void:
            self._corrections.undo(p, event, event.target, event.voided, at, self._low_us)
            self._judge(p, [self._kinds[type(event.voided)]], session_of(p, event.voided, at), event.id)
            return
        session = session_joined(p, event, at)
        cancelled = p.awaited.pop(name, None) if p.awaited is not None else None
        if event.replaces is not None and event.replaced is not None:
            self._corrections.undo(p, event, event.replaces, event.replaced, at, self._low_us)
        values = None
        if self._summaries is not None and session is not None and not session.summed:
            # What its correction takes back was there until the correction's own time.
            if cancelled is None or cancelled > at:
                self._summaries.note(p, event, at, session, self._alarms.ticked_us)
            else:
                self._summaries.note_time(at, session, self._alarms.ticked_us)
            if kind.is_summed and cancelled is not None and cancelled > at:
                self._summaries.take_back(p, event, at, session, cancelled)  # type: ignore[arg-type]
        if cancelled is not None:
            self.counts.cancelled += 1
            # A correction that is no older than its target left a while in which the target stood.
            if self._timed and kind.weigh is not None and cancelled > at:
                values = kind.weigh(p, event, at, session, self._around)[0]
                self._corrections.retract(p, kind, event, at, session, cancelled)
        elif kind.apply is not None:
            values = kind.apply(p, event, at, session, min(p.clock, self._low_us), self._around)
        note_latest(p, kind, at)
        if type(event) is PlayerProfile:
            note_profile(p, event, at)
        if self._timed:
            self._waiting.add(p, event, kind, at, session, values)
        if cancelled is not None:
            return
        if kind.is_shown:
            note_shown(p, kind, at, event.id, self._low_us if self._shows_moments else NEVER)
        if self.sampler is not None and kind.is_labelling:
            self.sampler.label(p, event, at)
        kinds = [kind] if event.replaced is None else [kind, self._kinds[type(event.replaced)]]
        self._judge(p, kinds, session, event.id)

    def _judge(self, p: Player, kinds: Sequence[Kind], session: Session | None, event: str) -> None:
        judges = kinds[0].judges
        for other in kinds[1:]:
            judges = [*judges, *(judged for judged in other.judges if judged not in judges)]
        if self.sampler is not None and any(kind.is_sampled for kind in kinds):
            view, on = self._foresight.closed(p, session)
            self.sampler.at_deposit(p, view, on)
        else:
            view, on = self._foresight.seen(p, session, judges)
        for judged in judges:
            self.judges.judge(judged, p, p.clock, on, event, view)
        if self.judges.made:
            self._rate(p)

    def _rate(self, p: Player) -> None:
        """Finish the alerts that the rules of one event have made."""
        self.rater.finish(p, p.clock, self._foresight.of(p) if self.rater.looks_ahead else None)

    # Time

    def tick(self, watermark_us: int) -> None:
        """Judge everything that is due up to a watermark; going back does nothing."""
        if watermark_us <= self._alarms.ticked_us:
            return
        if self._timed:
            self._low_us = self.judges.needed_us = watermark_us - _LAG_US
        self._waiting.tick(watermark_us)
        self._players.sweep(watermark_us)

    def finish(self) -> None:
        """Tick once more, at the watermark, knowing that the log ends here."""
        self.tick(self.watermark_us)
        self._waiting.finish(self.watermark_us)

    # What comes out, and what is stored

    def evidence(self, event: AnyEvent, rule_id: str) -> tuple[int, list[Evidence]]:
        """The player's clock, and what a rule judged at an event that was just taken in sees."""
        p = self._players[event.player]
        judged = next(each for each in self.judges.rules if each.rule.id == rule_id)
        view, on = self._foresight.seen(p, session_of(p, event, micros(event.ts)), [judged])
        view.scores = p.scores
        values = judged.functions.facts(view, p.clock, on)
        return p.clock, judged.facts.evidence(values, p.clock, p.currency)

    def take(self) -> Effects:
        """Alerts and notes since the last call."""
        effects = self.judges.effects
        for key in self.judges.moved:
            p = self._players.peek(key)
            at = max(p.clock, *(e.held_at for e in p.episodes.values()))
            effects.risks[key] = Risk(key, at, self.rater.standings(p, at))
        self.judges.moved.clear()
        self.judges.effects = Effects()
        return effects

    def risks(self) -> Iterator[Risk]:
        """Where each player's rules stand at the high mark, of those for whom one that counts has held."""
        for key in sorted(self._players.everyone()):
            standings = self.rater.standings(self._players.peek(key), self.high_us)
            if standings:
                yield Risk(key, self.high_us, standings)

    def records(self) -> Iterator[tuple[str, bytes]]:
        """The record of every player touched since the last call."""
        return self._players.touched_records()

    def load(self, player: str, record: bytes) -> None:
        """Take a stored player back; StateError if the record cannot be read."""
        self._players.load(player, record)
        self._alarms.load(player, self._records.wake(record))

    def marks(self) -> bytes:
        """The partition's own state: marks of time, counts, and how to read the records."""
        return self._records.write_marks(self.high_us, self.ticked_us, self.counts)

    def load_marks(self, marks: bytes) -> None:
        """Take the partition's state back; before any `load`."""
        self.high_us, self._alarms.ticked_us = self._records.read_marks(marks, self.counts)
        if self._timed:
            self._low_us = self.judges.needed_us = self.ticked_us - _LAG_US

    def __len__(self) -> int:
        """How many players are in memory."""
        return len(self._players.everyone())
