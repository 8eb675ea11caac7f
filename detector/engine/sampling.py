"""What models see of a player, and what they say: at each deposit and at each end of a session.

The core knows models by the small protocol below alone. Scoring is a pure function of the player's features
and habit, so what comes out hangs neither on who else plays nor on how often it is asked; learning happens
elsewhere, from the samples that come out here.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

import msgspec

from detector.engine.alerts import Evidence
from detector.engine.alerts import shown as shown_number
from detector.engine.compile_rules import compile_values
from detector.engine.plan import Plan
from detector.events.vocabulary import SESSION_SUMMARY, AnyEvent, Contact, SelfExclusion
from detector.language.features import MOMENTS, Catalogue
from detector.language.rule import Rule, Trigger
from detector.language.syntax import Kind, Literal, Name, kind_of
from detector.players.player import DAY_US, HOUR_US, Player, Session
from models.sample import Label, Sample

if TYPE_CHECKING:
    from detector.engine.judging import Judges

LASTING_US = 180 * DAY_US
"""A self-exclusion this long, or without an end, says something of harm; shorter ones are breaks."""
STRAINED = ("distress", "financial_strain", "threat")
"""Topics of a contact that say that somebody is in trouble."""
MAX_REASONS = 5
"""How many features an alert names for a score."""


class Verdict(Protocol):
    """What models said at one moment: a number by model, None where one has nothing to say."""

    @property
    def scores(self) -> dict[str, float | None]:
        """By model."""
        ...

    @property
    def habit(self) -> list[float] | None:
        """The player's own baseline from now on."""
        ...


class Reason(Protocol):
    """How much a feature adds to a score, in the score's own measure."""

    @property
    def feature(self) -> str: ...
    @property
    def adds(self) -> float: ...


class Scorer(Protocol):
    """The models in force.

    `catalogue` is the id of the catalogue that they were learnt on, `id` names them in evidence.
    """

    @property
    def id(self) -> str: ...
    @property
    def catalogue(self) -> str: ...
    def judge(
        self,
        player: str,
        at_us: int,
        values: Sequence[float | None],
        habit: list[float] | None,
        ends_session: bool,
    ) -> Verdict:
        """Score a player; where a session ends the habit moves on."""

    def reasons(
        self, name: str, values: Sequence[float | None], habit: list[float] | None
    ) -> Sequence[Reason]:
        """What a score is made of, the greatest part first."""


class Sampler:
    """Computes the features of one catalogue, has them scored, and keeps them for who learns.

    Parameters
    ----------
    scorers
        The models with the event time, in µs, from which each is in force, ascending; the player's clock
        chooses. Those that were learnt on another catalogue have nothing to say.
    keeping
        Whether samples and labels come out for who learns.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        plan: Plan,
        judges: Judges,
        flush: Callable[[Player], None] | None,
        scorers: Sequence[tuple[int, Scorer]] = (),
        *,
        keeping: bool = False,
    ) -> None:
        self.catalogue = catalogue
        self._since = [since for since, _ in scorers]
        self._scorers = [scorer for _, scorer in scorers]
        self._keeping = keeping
        self._judges = judges
        self._hours = [kind_of(formula) is Kind.DURATION for formula in catalogue.formulas.values()]
        live, closing = as_rules(catalogue)
        names: list[Name] = [Name(name) for name in catalogue.names]
        self._live = compile_values(live, plan, names, flush)
        self._closing = compile_values(closing, plan, names, flush)

    def at_deposit(self, p: Player, view: Player, session: Session | None) -> None:
        """Look at a player where rules on deposits are judged; `view` is what those rules see."""
        self._look(p, view, p.clock, "deposit", self._live(view, p.clock, session))

    def at_closing(self, p: Player, at_us: int, session: Session) -> None:
        """Look at a player where a session has just closed."""
        self._look(p, p, at_us, "session_end", self._closing(p, at_us, session))

    def _look(
        self,
        p: Player,
        view: Player,
        at_us: int,
        moment: str,
        found: list[float | None],
    ) -> None:
        values = tuple(
            None if value is None else value / HOUR_US if hours else float(value)
            for value, hours in zip(found, self._hours, strict=True)
        )
        scores: dict[str, float | None] = {}
        habit = None if view.habit is None else view.habit.tolist()
        scorer = self._in_force(at_us)
        if scorer is not None:
            ends = moment == "session_end"
            verdict = scorer.judge(p.key, at_us, values, habit, ends)
            scores = verdict.scores
            if ends:
                p.habit = None if verdict.habit is None else array("d", verdict.habit)
        p.scores = view.scores = scores
        p.sampled = view.sampled = (scorer, values, habit)
        if self._keeping and not self._judges.is_muted:
            self._judges.effects.samples.append(
                Sample(
                    player=p.key,
                    at=at_us,
                    moment=moment,
                    catalogue=self.catalogue.id,
                    values=values,
                    currency=p.currency,
                    birth_year=p.birth_year,
                    scores=scores,
                    artefact=None if scorer is None else scorer.id,
                )
            )

    def _in_force(self, at_us: int) -> Scorer | None:
        place = bisect_right(self._since, at_us) - 1
        if place < 0 or self._scorers[place].catalogue != self.catalogue.id:
            return None
        return self._scorers[place]

    def label(self, p: Player, event: AnyEvent, at_us: int) -> None:
        """Tell who learns what an event says of the player."""
        if not self._keeping:
            return
        source = None
        if type(event) is SelfExclusion:
            until = event.until
            if until is None or (until - event.ts).total_seconds() * 1_000_000 >= LASTING_US:
                source = "self_exclusion"
        elif type(event) is Contact and event.topic in STRAINED:
            source = "rg_event"
        if source is not None:
            self._judges.effects.labels.append(
                Label(player=p.key, at=at_us, source=source, harmed=True, about=at_us)
            )

    def evidence(self, p: Player, model: str, shown: list[Evidence]) -> list[Evidence]:
        """Evidence that shows a score, with the models' name on it and the features that made it behind.

        The greatest part comes first.
        """
        if p.sampled is None or not p.scores or p.scores.get(model) is None:
            return shown
        scorer, values, habit = p.sampled
        name = f"{model}@{scorer.id}"
        asked = f"score({model})"
        found = [
            msgspec.structs.replace(each, artefact=name) if each.quantity == asked else each for each in shown
        ]
        for reason in scorer.reasons(model, values, habit)[:MAX_REASONS]:
            if not reason.adds:
                continue
            place = self.catalogue.names.index(reason.feature)
            feature = self.catalogue.features[place]
            value = values[place]
            unit = (p.currency or "") if feature.unit == "money" else feature.unit
            found.append(
                Evidence(
                    name=feature.name,
                    quantity=feature.formula,
                    value=None if value is None else shown_number(round(value, 6), unit),
                    unit=unit,
                    operator=None,
                    threshold=None,
                    window="",
                    artefact=name,
                    adds=round(reason.adds, 6),
                )
            )
        return found


def as_rules(catalogue: Catalogue) -> tuple[Rule, Rule]:
    """The catalogue as the plan sees it: a rule at deposits and one at closings, which never hold."""
    live, closing = (
        Rule(
            id=f"features at {moment}",
            version=catalogue.version,
            status="live",
            title="",
            category="play",
            audience="operations",
            severity="low",
            why="",
            sources=(),
            trigger=Trigger(events=(moment,)),
            lets=catalogue.formulas,
            when=Literal(0, Kind.COUNT),
            escalate={},
            cooldown_us=DAY_US,
            remind_us=None,
            explain=(),
            tell={},
            respond={},
            currency=None,
        )
        for moment in MOMENTS
    )
    assert closing.trigger.events == (SESSION_SUMMARY,)
    return live, closing
