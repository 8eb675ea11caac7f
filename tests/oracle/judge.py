"""Rules over a log: when they are judged, on what, and which alerts come of it."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from tests.oracle.expressions import Reader
from tests.oracle.history import ACTIVITY, DAY, GRACE, HOUR, MINUTE, Arrival, Book, History, Session, Zones
from tests.oracle.looking import Let, Moment, Term
from tests.oracle.rates import Rates
from tests.oracle.scores import Standing, least, scored
from tests.oracle.summaries import TYPE as SUMMARY
from tests.oracle.values import TRUE

SEVERITIES = ("low", "medium", "high", "critical")


@dataclass(frozen=True)
class Rule:
    """A rule file, read: `lets` are already inside the terms."""

    id: str
    version: int
    severity: str
    category: str
    counts: bool  # in the score: about risk, and not in shadow
    raised: bool  # its response, by the score's band
    respond: Mapping[str, str]
    events: tuple[str, ...]
    silence: int | None
    during_session: bool
    closing: bool
    when: Term
    escalate: tuple[tuple[str, Term], ...]  # from the lowest to the highest
    cooldown: int
    remind: int | None
    currency: str | None
    quantities: Mapping[str, Term]  # those of `when` and of the lets in it, as written

    @staticmethod
    def read(document: Mapping[str, Any]) -> Rule:
        params = document.get("params", {})
        names: dict[str, Let] = {}
        currencies: set[str] = set()

        def reader(text: str) -> Reader:
            return Reader(str(text), params, names, currencies)

        def duration(text: str) -> int:
            return Reader(str(text), params).duration()

        for name, text in document.get("let", {}).items():
            names[name] = reader(text).let()
        judged = reader(document["when"])
        when = judged.whole()
        escalate = document.get("escalate", {})
        higher = tuple((level, reader(escalate[level]).whole()) for level in SEVERITIES if level in escalate)
        trigger = document["trigger"]
        silence = trigger["silence"] if isinstance(trigger, dict) else None
        during, closing = trigger == "during_session", trigger == SUMMARY
        events = (
            ()
            if silence is not None or during or closing
            else (trigger,)
            if isinstance(trigger, str)
            else tuple(trigger)
        )
        respond = document["respond"]
        assert len(currencies) <= 1, f"{document['id']}: money of two currencies"
        return Rule(
            id=document["id"],
            version=document["version"],
            severity=document["severity"],
            category=document["category"],
            counts=document["status"] != "shadow" and document["audience"] == "risk",
            raised=document["audience"] == "risk",
            respond=respond if isinstance(respond, dict) else dict.fromkeys(SEVERITIES, respond),
            events=events,
            silence=None if silence is None else duration(silence),
            during_session=during,
            closing=closing,
            when=when,
            escalate=higher,
            cooldown=duration(document["cooldown"]),
            remind=duration(document["remind"]) if "remind" in document else None,
            currency=next(iter(currencies), None),
            quantities=judged.quantities,
        )


SILENCE, MINUTES, CLOSING, EVENT = range(4)  # the order of what is due at one instant


@dataclass(frozen=True)
class Turn:
    """An occasion to judge: an event just arrived, or a moment that was due."""

    at: int
    what: int
    session: Session | None

    @property
    def place(self) -> tuple[float, ...]:
        """Where it stands among the moments of its player: that of the earlier session first."""
        return self.at, self.what, *(() if self.session is None else self.session.first)

    @property
    def closings(self) -> tuple[float, float, float]:
        """The last closing in sight: at an event all up to then, at a moment those that came before it."""
        if self.what == EVENT:
            return self.at, math.inf, math.inf
        if self.what == CLOSING:
            assert self.session is not None
            return self.at, *self.session.first
        return self.at, -math.inf, -math.inf


@dataclass
class Episode:
    """What a rule remembers of a player between judgements."""

    last_held: int | None = None
    reached: str = ""
    last_alert: int = 0
    told: list[tuple[int, str]] = field(default_factory=list)  # (when, severity) as the score knows it

    def hold(self, at: int, grain: int, *, alerted: bool) -> None:
        """The score is told of every alert at once, else once in every hour or minute (UTC)."""
        self.last_held = at
        if alerted or at // grain != self.told[-1][0] // grain:
            self.told.append((at, self.reached))


@dataclass
class Court:
    """Judges rules and keeps their episodes and alerts."""

    rates: Rates
    episodes: dict[tuple[str, str], Episode] = field(default_factory=dict)
    alerts: list[dict[str, Any]] = field(default_factory=list)

    def judge(self, rule: Rule, history: History, turn: Turn) -> None:
        currency = rule.currency or history.currency
        at, session = turn.at, turn.session
        moment = Moment(
            history, at, session, currency, self.rates, by_time=not rule.events, closings=turn.closings
        )
        if rule.when(moment) != TRUE:
            return
        episode = self.episodes.setdefault((history.player, rule.id), Episode())
        highest = rule.severity
        for level, condition in rule.escalate:
            if condition(moment) == TRUE:
                highest = level
        kind = ""
        if episode.last_held is None or at - episode.last_held >= rule.cooldown:
            kind, episode.reached = "open", highest
        elif SEVERITIES.index(highest) > SEVERITIES.index(episode.reached):
            kind, episode.reached = "escalate", highest
        elif rule.remind is not None and at - episode.last_alert >= rule.remind:
            kind = "remind"
        episode.hold(at, MINUTE if rule.cooldown < DAY else HOUR, alerted=kind != "")
        if kind:
            episode.last_alert = at
            self.alert(rule, moment, kind, episode.reached)

    def alert(self, rule: Rule, moment: Moment, kind: str, severity: str) -> None:
        player = moment.history.player
        self.alerts.append(
            {
                "player": player,
                "rule": f"{rule.id}@{rule.version}",
                "kind": kind,
                "severity": severity,
                "opened_at": moment.at,
                "id": alert_id(player, rule, moment.at, kind, severity),
                "evidence": {text: term(moment) for text, term in rule.quantities.items()},
                "response": rule.respond[severity],
                "raised": rule.raised,
            }
        )

    def standings(self, rules: Iterable[Rule], player: str, at: int) -> list[Standing]:
        """Where the episodes of rules that count stood at an instant, by what was judged up to it."""
        found = []
        for rule in rules:
            episode = self.episodes.get((player, rule.id), Episode())
            told = [each for each in episode.told if each[0] <= at]
            if rule.counts and told:
                held, severity = told[-1]
                found.append(Standing(rule.id, rule.category, severity, held, rule.cooldown))
        return found


def alert_id(player: str, rule: Rule, opened_at: int, kind: str, severity: str) -> str:
    parts = [player, rule.id, rule.version, opened_at, kind, severity]
    text = json.dumps(parts, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Books:
    """score.yml and ladder.yml, as plain YAML makes them."""

    scoring: Mapping[str, Any]
    ladder: Mapping[str, Any]


def run(
    rules: Iterable[Mapping[str, Any]],
    lines: Sequence[bytes],
    grace_us: int = GRACE,
    zones: Zones | None = None,
    rates: Rates | None = None,
    books: Books | None = None,
) -> list[dict[str, Any]]:
    """Every alert of a replay of `lines`, ordered by (opened_at, player, rule, id).

    Parameters
    ----------
    rules
        The rule files as plain YAML makes them.
    lines
        Valid events, in order of arrival. Silence and session rules are judged once all have arrived, so for
        them no event may come a full grace or more behind the high mark.
    grace_us
        How far the last tick stays behind the high mark, in µs.
    books
        How alerts are scored, and how responses are raised; without it they are not.

    Returns
    -------
    list of dict
        `player`, `rule` ("id@version"), `kind`, `severity`, `opened_at` (µs), `id`, `evidence` (the value of
        each quantity in `when` by its text), `response` and `score`.
    """
    read = [Rule.read(rule) for rule in rules]
    of_events = [rule for rule in read if rule.events]
    of_moments = [rule for rule in read if not rule.events]
    rates = rates or Rates()
    book = Book(zones or Zones(), grace_us)
    court = Court(rates)
    for line in lines:
        arrival = book.read(line)
        if not isinstance(arrival, Arrival):
            continue
        history = book.players[arrival.player]
        turn, known = Turn(history.clock, EVENT, arrival.session), len(court.alerts)
        for rule in of_events:
            if judged(rule, arrival, history.clock):
                court.judge(rule, history, turn)
        fresh = court.alerts[known:]
        if fresh and books is not None:
            # Whatever would be due by now, were the watermark here, on what has arrived.
            ahead = Court(rates)
            for each, rule in due((r for r in of_moments if r.counts), history, turn.at):
                ahead.judge(rule, history, each)
            standings = ahead.standings(of_moments, arrival.player, turn.at)
            standings += court.standings(of_events, arrival.player, turn.at)
            rate(fresh, history, standings, turn.at, books)
    watermark = book.high_mark - grace_us
    for player, history in book.players.items():
        at_once = groupby(due(of_moments, history, watermark), key=lambda each: each[0].place)
        for _, together in at_once:
            known = len(court.alerts)
            for turn, rule in together:
                court.judge(rule, history, turn)
            if books is not None:
                rate(court.alerts[known:], history, court.standings(read, player, turn.at), turn.at, books)
    return sorted(court.alerts, key=lambda a: (a["opened_at"], a["player"], a["rule"], a["id"]))


def rate(
    alerts: Iterable[dict[str, Any]],
    history: History,
    standings: Sequence[Standing],
    at: int,
    books: Books,
) -> None:
    """Give the alerts of one occasion their score: all of its rules have been judged."""
    for alert in alerts:
        alert["score"] = scored(standings, at, books.scoring)
        if alert["raised"]:
            floor = least(alert["score"].band, jurisdiction(history, at), books.ladder)
            alert["response"] = max(alert["response"], floor)


def jurisdiction(history: History, at: int) -> str | None:
    """By the latest profile that says, else by the first event that does."""
    known = [a for a in history.arrivals if a.ts <= at and "jurisdiction" in a.content]
    profiles = [a for a in known if a.type == "player_profile"]
    found = max(profiles, key=lambda a: (a.ts, a.number)) if profiles else next(iter(known), None)
    return None if found is None else str(found.content["jurisdiction"])


def judged(rule: Rule, arrival: Arrival, clock: int) -> bool:
    """Does the arrival of this event call for the rule? What came cancelled calls for none."""
    return not arrival.cancelled(clock) and any(each in rule.events for each in arrival.judged_as)


def due(rules: Iterable[Rule], history: History, watermark: int) -> list[tuple[Turn, Rule]]:
    """What the watermark has reached, in strict order: moments, and the rules that are judged at them."""
    found = [(turn, rule) for rule in rules for turn in moments(rule, history) if turn.at <= watermark]
    return sorted(found, key=lambda each: each[0].place)


def moments(rule: Rule, history: History) -> Iterator[Turn]:
    """The moments of a silence, session or closing rule."""
    starts = [a for a in history.arrivals if a.type == "session_start"]
    if rule.silence is not None:
        for at in silences(history, rule.silence):
            yield Turn(at, SILENCE, None)
    for session in history.sessions if rule.during_session or rule.closing else ():
        end, closed = session.closing(starts)
        if rule.closing:
            yield Turn(closed, CLOSING, session)
        else:
            for at in range(session.start + MINUTE, end + 1, MINUTE):
                yield Turn(at, MINUTES, session)


def silences(history: History, length: int) -> Iterator[int]:
    """Ends of the silences that nothing cut and no break covers."""
    told = sorted(history.arrivals, key=lambda a: (a.ts, a.number))
    for place, arrival in enumerate(told):
        if arrival.type not in ACTIVITY:
            continue
        due = arrival.ts + length
        until_due = [a for a in told[place + 1 :] if a.ts <= due]
        cut = any(a.type in ACTIVITY or a.type in ("break_start", "self_exclusion") for a in until_due)
        if not cut and not any(start <= due < end for start, end in breaks(told)):
            yield due


def breaks(told: Sequence[Arrival]) -> Iterator[tuple[int, float]]:
    """The stretches [start, end) of every break and self-exclusion; `told` is in order of time."""
    for place, arrival in enumerate(told):
        end = float(arrival.content.get("until", "inf"))
        later = told[place + 1 :]
        if arrival.type == "self_exclusion":
            ends = [a.ts for a in later if a.type == "self_exclusion_end"]
            yield arrival.ts, min([end, *ends])
        elif arrival.type == "break_start":
            if "until" not in arrival.content:
                end = min([a.ts for a in later if a.type in ACTIVITY], default=end)
            yield arrival.ts, end
