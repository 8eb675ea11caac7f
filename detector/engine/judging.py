"""Judging rules: episodes, and the alerts they make."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from detector.cohorts.tables import Cohorts
from detector.engine.alerts import Alert, Evidence, Facts, Note, alert_id
from detector.engine.compile_rules import RuleFunctions, compile_rule
from detector.engine.plan import Plan, quantities, reads_summaries
from detector.events.instants import rfc3339_ms
from detector.events.money import Currencies
from detector.events.vocabulary import SESSION_SUMMARY
from detector.ladder.interventions import Intervention
from detector.language.rule import SEVERITIES, Rule
from detector.language.syntax import Quantity, Since
from detector.players.player import LONG_AGO, NEVER, Episode, Player, Session
from detector.score.standing import Risk
from models.sample import Label, Sample

if TYPE_CHECKING:
    from detector.engine.sampling import Sampler

SUMMED = ("session_start", "session_end", "deposit", "bet")
"""What a session's summary hangs on, as far as alerts show it and corrections touch it."""
RECENT = 8
"""How many of the latest ids, bets apart, an alert may show."""


@dataclass(slots=True)
class Effects:
    """What judging brought about since it was last asked.

    `shadow` holds the alerts of rules that only run beside the live ones; `interventions` what the others
    ask of the platform, whatever it was asked for before; `jurisdictions` the player's for each alert by its
    id, None where it is not known; `risks` where the rules of each player stand for whom something changed
    in that; `samples` and `labels` are for who learns from players.
    """

    alerts: list[Alert] = field(default_factory=list)
    shadow: list[Alert] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    interventions: list[Intervention] = field(default_factory=list)
    jurisdictions: dict[str, str | None] = field(default_factory=dict)
    risks: dict[str, Risk] = field(default_factory=dict)
    samples: list[Sample] = field(default_factory=list)
    labels: list[Label] = field(default_factory=list)


class Judged:
    """One rule, ready to be judged."""

    __slots__ = (
        "cooldown_us",
        "facts",
        "functions",
        "live_summaries",
        "reads",
        "remind_us",
        "rule",
        "settled",
        "severity",
        "source",
    )

    def __init__(
        self,
        rule: Rule,
        plan: Plan,
        currencies: Currencies,
        flush: Callable[[Player], None] | None,
        cohorts: Cohorts | None = None,
    ) -> None:
        self.rule = rule
        self.facts = Facts(rule, currencies, cohorts)
        self.functions: RuleFunctions
        self.functions, self.source = compile_rule(rule, plan, self.facts.expressions, flush, cohorts)
        self.severity = SEVERITIES.index(rule.severity)
        self.cooldown_us = rule.cooldown_us
        self.remind_us = rule.remind_us
        # How far back each type of event matters to `when`: -1 for ever.
        self.reads: dict[str, int] = {}
        self.settled = plan.is_settled(rule)
        self.live_summaries = not self.settled and reads_summaries(rule)
        for node in quantities(rule.when, dict(rule.lets)):
            if isinstance(node, Quantity):
                window = node.window
                reach = window.length_us + window.before_us if window.scope == "over" else -1
                known = self.reads.get(node.type, 0)
                self.reads[node.type] = -1 if -1 in (reach, known) else max(reach, known)
            elif isinstance(node, Since):
                self.reads[node.type] = -1
        if SESSION_SUMMARY in self.reads:
            # A summary has no id; those of what the session was made of lead to it.
            for type_ in SUMMED:
                known = self.reads.get(type_, 0)
                reach = self.reads[SESSION_SUMMARY]
                self.reads[type_] = -1 if -1 in (reach, known) else max(reach, known)


class Judges:
    """All rules of a set, and what became of their judgements.

    Attributes
    ----------
    suppressed
        (rule id, why) → how often a rule held, or could not be told, without an alert.
    """

    def __init__(
        self,
        rules: Sequence[Rule],
        plan: Plan,
        currencies: Currencies,
        codes: dict[str, int],
        flush: Callable[[Player], None] | None,
        cohorts: Cohorts | None = None,
    ) -> None:
        self.flush = flush
        self.rules = [Judged(rule, plan, currencies, flush, cohorts) for rule in rules]
        self.effects = Effects()
        self.made: list[
            tuple[Judged, Alert]
        ] = []  # since the alerts of an event or moment were last finished
        self.moved: dict[str, None] = {}  # players, in order, whose episodes' history has grown
        self.is_muted = False
        self.sampler: Sampler | None = None
        self.needed_us = LONG_AGO  # how far back episodes must be told as they stood
        self.suppressed: Counter[tuple[str, str]] = Counter()
        self.types = {code: type_ for type_, code in codes.items()}

    def judge(
        self,
        judged: Judged,
        p: Player,
        at_us: int,
        session: Session | None,
        event: str | None,
        view: Player | None = None,
    ) -> None:
        """Judge one rule at an instant, `event` being the id that caused it; `view` is what the rule sees."""
        view = view or p
        if self.flush is not None and view.fresh[0] < view.fresh[1]:
            self.flush(view)
        holds = judged.functions.when(view, at_us, session)
        if holds:
            self.held(judged, p, at_us, session, event, view)
        elif holds is None:
            self.unknown(judged, at_us, session, view)

    def unknown(self, judged: Judged, at_us: int, session: Session | None, view: Player) -> None:
        """Count a judgement that nobody can tell the outcome of, and whether it is for want of a cohort."""
        why = "unknown"
        if judged.facts.has_no_cohorts:
            why = "no cohort"
        elif judged.rule.percentiles and not self.is_muted:
            values = judged.functions.facts(view, at_us, session)
            if judged.facts.lacks_cohort(values):
                why = "no cohort"
        self.suppressed[judged.rule.id, why] += 1

    def held(
        self,
        judged: Judged,
        p: Player,
        at_us: int,
        session: Session | None,
        event: str | None,
        view: Player,
    ) -> None:
        """A rule holds: open an episode, or go on with the one that is open."""
        rule = judged.rule
        reached = judged.functions.level(view, at_us, session) if rule.escalate else -1
        episode = p.episodes.get(rule.id)
        if episode is None or at_us - episode.held_at >= judged.cooldown_us:
            kind, severity = "open", max(reached, judged.severity)
            before = episode
            episode = p.episodes[rule.id] = Episode(at_us, severity, "")
            if before is not None:
                episode.follow(before, self.needed_us)
        elif reached > episode.severity:
            kind, severity = "escalate", reached
        elif judged.remind_us is not None and at_us - episode.alerted_at >= judged.remind_us:
            kind, severity = "remind", episode.severity
        else:
            episode.held_at = at_us
            if self._noted(episode, judged, at_us, alerted=False) and not self.is_muted:
                self.moved[p.key] = None
            self.suppressed[rule.id, "open"] += 1
            return
        episode.held_at = episode.alerted_at = at_us
        episode.severity = severity
        self._noted(episode, judged, at_us, alerted=True)
        if self.is_muted:
            return
        self.moved[p.key] = None
        alert = self._alert(judged, view, at_us, session, event, kind, SEVERITIES[severity])
        episode.alert = alert.id
        self.made.append((judged, alert))
        (self.effects.shadow if rule.status == "shadow" else self.effects.alerts).append(alert)

    def _noted(self, episode: Episode, judged: Judged, at_us: int, *, alerted: bool) -> bool:
        return episode.note(at_us, alerted=alerted, cooldown_us=judged.cooldown_us, needed_us=self.needed_us)

    @contextmanager
    def muted(self) -> Iterator[None]:
        """Judge to see what would come of it: episodes move on, nothing comes out and nothing is counted."""
        kept = self.suppressed
        self.is_muted, self.suppressed = True, Counter()
        try:
            yield
        finally:
            self.is_muted, self.suppressed = False, kept

    def _alert(
        self,
        judged: Judged,
        p: Player,
        at_us: int,
        session: Session | None,
        event: str | None,
        kind: str,
        severity: str,
    ) -> Alert:
        rule = judged.rule
        values: list[Any] = judged.functions.facts(p, at_us, session)
        return Alert(
            id=alert_id(p.key, rule, at_us, kind, severity),
            player=p.key,
            rule=rule.name,
            kind=kind,
            title=rule.title,
            category=rule.category,
            audience=rule.audience,
            severity=severity,
            opened_at=rfc3339_ms(at_us),
            # These three, and the response in the end, hang on every rule of this event: see Rater.finish.
            score=0,
            band="",
            contributions={},
            evidence=self._evidence(judged, p, values, at_us),
            events=self._events(judged, p, at_us, event),
            explanation=judged.facts.explanation(values, p.currency),
            sources=list(rule.sources),
            response=rule.respond[severity],
        )

    def _evidence(self, judged: Judged, p: Player, values: list[Any], at_us: int) -> list[Evidence]:
        found = judged.facts.evidence(values, at_us, p.currency)
        if self.sampler is not None:
            for model in judged.facts.models:
                found = self.sampler.evidence(p, model, found)
        return found

    def _events(self, judged: Judged, p: Player, at_us: int, event: str | None) -> list[str]:
        found = [] if event is None else [event]
        # At a moment a correction counts from its own time on; at an event it counts once it is here.
        now = at_us if event is None else NEVER
        standing = [
            known for known in p.recent or () if known[0] <= at_us and known[3] > now - (event is not None)
        ]
        standing.sort(key=lambda known: known[0])
        for at, code, known, _ in reversed(standing[-RECENT:]):
            reach = judged.reads.get(self.types[code])
            if reach is not None and known != event and (reach < 0 or at > at_us - reach):
                found.append(known)
        return found

    def note(self, p: Player, type_: str, event: str) -> None:
        """A correction changed what open episodes may stand on: their alerts gain a note."""
        for judged in self.rules:
            if type_ not in judged.reads:
                continue
            episode = p.episodes.get(judged.rule.id)
            if episode is not None and p.clock - episode.held_at < judged.cooldown_us:
                self.effects.notes.append(
                    Note(p.key, episode.alert, event, "event_corrected", rfc3339_ms(p.clock))
                )
