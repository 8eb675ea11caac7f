"""Learns from samples and labels in time order, and knows how well it would have done.

Whatever is learned from was predicted first, by the state of its time, and tested when its answer came: first
test, then learn. The prediction waits beside the sample, so that thirty days of learning in between do not
touch it. The same input in the same order, with the same seed, gives the same trainer.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Mapping, Sequence
from math import isnan

import msgspec
import numpy as np

from models import evaluation
from models.bias import Bias
from models.drift import DailyChanges, Drift
from models.errors import TrainerError
from models.evaluation import METHOD
from models.harm import Kind
from models.labels import DAY_US, Answer, LabelTerms, Waiting, WaitingRoom, compact, loose
from models.learners import Learners
from models.ordering import Heard, InOrder
from models.report import Data, Interval, Report
from models.rows import Rows, Table
from models.sample import Label, Sample, is_sound
from models.scorecard import Scorecard

UNUSUAL = "unusual"
IN_FORCE = "in force"
RULES = "rules alone"
ENOUGH_DAYS = 28
"""Days, answered, on which what was in force spoke: over fewer, one odd week would decide on a challenger."""
_MISSED = "gone before it was heard"
_FORMAT = 1


class Trainer:
    """Everything that is learned and everything that is measured.

    Parameters
    ----------
    features
        The names of the catalogue's features, in the order of values.
    catalogue
        The catalogue's id; samples of another are counted and left alone.
    terms
        How labels answer samples.
    seed
        Of the learners, of who is kept for the report, and of its bootstrap.
    kinds
        Of classifier: the champion's first, then the challengers.
    baselines
        Scores that are one feature alone, as `{"net loss alone": "net_loss_30d"}`; higher is taken as worse.
    most_rows
        Answered samples kept for the report, at most.

    Attributes
    ----------
    place
        Where in its inputs the trainer is, as whoever feeds it wishes to know: kept in the state, so that the
        two cannot come apart.

    Raises
    ------
    TrainerError
        No kind, or the same one twice; a baseline that is no feature.
    """

    def __init__(
        self,
        features: Sequence[str],
        catalogue: str,
        terms: LabelTerms | None = None,
        seed: int = 0,
        kinds: Sequence[Kind] = ("logistic", "forest"),
        baselines: Mapping[str, str] | None = None,
        most_rows: int = 500_000,
    ) -> None:
        if not kinds or len(set(kinds)) != len(kinds):
            raise TrainerError("a trainer needs a kind of classifier, and each once")
        self.features = tuple(features)
        self.catalogue = catalogue
        self.terms = terms or LabelTerms()
        self.seed = seed
        self.kinds = tuple(kinds)
        self.place: dict[str, int] = {}
        self.baselines: dict[str, int] = {}
        for name, feature in (baselines or {}).items():
            if feature not in self.features:
                raise TrainerError(f"{name}: there is no feature {feature}")
            self.baselines[name] = self.features.index(feature)
        self.learners = {kind: Learners(self.features, kind, seed) for kind in self.kinds}
        self.room = WaitingRoom(self.terms)
        self.names = (*self.kinds, UNUSUAL, IN_FORCE, RULES, *self.baselines)
        self.rows = Rows(self.names, seed, most_rows)
        self.bias = Bias(self.features)
        self.drift = Drift(self.features, seed)
        self._order = InOrder()
        self.first_at: int | None = None
        self.last_at: int | None = None
        self._dropped = {"other catalogue": 0, "malformed": 0, "before the models had learned": 0}
        self._daily = DailyChanges(("labels", "alerts", *self.kinds))

    # Learning.

    def hear(self, each: Heard) -> None:
        """Take in what comes about in order of time, and learn what nothing earlier can come before.

        What cannot be learned from is counted as malformed, before it could move the clock or stay for ever.
        """
        if not is_sound(each):
            self._dropped["malformed"] += 1
            return
        self._order.hear(each)
        self._go_through(self._order.settled())

    def miss(self, count: int) -> None:
        """Note that so much was gone before it could be heard; the report tells it."""
        self._dropped[_MISSED] = self.missed + count

    @property
    def missed(self) -> int:
        """How much was gone before it could be heard."""
        return self._dropped.get(_MISSED, 0)

    def finish(self) -> None:
        """Learn everything heard: nothing more comes. Going on is possible all the same."""
        self._go_through(self._order.until(2**62))

    def hear_again(self) -> int:
        """Let go of what was heard and waits to be learned; whoever feeds this says it again.

        Returns
        -------
        int
            Up to when, µs since the epoch, everything is learned: what happened after that is to be said.
        """
        self._order.let_go()
        return self._order.settled_us

    def _go_through(self, settled: Iterable[Sample | Label]) -> None:
        for each in settled:
            if isinstance(each, Label):
                self.label(each)
            else:
                self.take(each)

    def take(self, sample: Sample) -> None:
        """Predict for a sample, let it wait for its answer, and learn what its time answers."""
        if sample.catalogue != self.catalogue:
            self._dropped["other catalogue"] += 1
            return
        if len(sample.values) != len(self.features):
            self._dropped["malformed"] += 1
            return
        self.pass_time(sample.at)
        packed = compact(sample.values)
        values = loose(packed)
        self.first_at = sample.at if self.first_at is None else self.first_at
        self.last_at = sample.at if self.last_at is None else max(self.last_at, sample.at)
        alerted = sample.rules >= self.terms.alerted
        waiting = Waiting(
            player=sample.player,
            at=sample.at,
            moment=sample.moment,
            values=packed,
            said=compact(self._predict(sample, values)),
            birth_year=sample.birth_year,
            flagged=alerted,
        )
        self.learners[self.kinds[0]].learn_unlabelled(values)
        self.drift.see(sample.at, packed)
        self._daily.see("alerts", waiting.day, float(alerted))
        self._learn(self.room.take(waiting))

    def label(self, label: Label) -> None:
        """Learn what a label answers, after what its time does."""
        if label.source == "verdict":
            self.bias.see(label, self.room.of(label.player))
        else:
            self.pass_time(label.at)
        self._learn(self.room.label(label))

    def pass_time(self, at_us: int) -> None:
        """Learn what silence answers once the clock shows `at_us`, µs since the epoch."""
        self._learn(self.room.pass_time(at_us))
        self._daily.finish(self._known_until // DAY_US)

    @property
    def _known_until(self) -> int:
        """Up to when all samples are answered, µs since the epoch."""
        return self.room.clock - self.terms.patience_us

    def _predict(self, sample: Sample, values: Sequence[float | None]) -> list[float | None]:
        said: list[float | None] = []
        for kind in self.kinds:
            learners = self.learners[kind]
            # Of one class alone nothing is learned; its scorecard has nothing to say then, either.
            said.append(learners.probability(values) if all(learners.labels) else None)
        said.append(self.learners[self.kinds[0]].unusual(values))
        said.append(sample.scores.get("harm"))
        said.append(sample.rules if sample.rules > 0 else None)
        said.extend(values[place] for place in self.baselines.values())
        return said

    def _learn(self, answers: Iterable[Answer]) -> None:
        for answer in answers:
            said = answer.sample.said
            if any(isnan(each) for each in said[: len(self.kinds)]):
                # Nobody is compared before everybody can speak.
                self._dropped["before the models had learned"] += 1
            else:
                self.rows.add(answer)
                day = answer.sample.day
                self._daily.see("labels", day, float(answer.harmed))
                for place, kind in enumerate(self.kinds):
                    self._daily.see(kind, day, (said[place] - answer.harmed) ** 2)
            values = loose(answer.sample.values)
            for learners in self.learners.values():
                learners.learn(values, answer.harmed, answer.weight)

    # Telling.

    def report(
        self, *, capacity: float = 20.0, draws: int = 200, gender: Mapping[str, str] | None = None
    ) -> Report:
        """Return everything that was measured so far; see `evaluation.measure` for the parameters."""
        table = self.rows.table(self._known_until)
        counts = self.room.counts
        roles = dict.fromkeys(self.names, "baseline")
        roles.update(dict.fromkeys((*self.kinds, UNUSUAL), "model"), **{IN_FORCE: "in_force"})
        if not len(table) or all(isnan(each) for each in table.score(IN_FORCE)):
            del roles[IN_FORCE]  # nothing was in force
        mass = float(table.weights.sum())
        return Report(
            method=METHOD,
            catalogue=self.catalogue,
            features=list(self.features),
            seed=self.seed,
            capacity_per_1000=capacity,
            data=Data(
                samples=counts.taken,
                waiting=len(self.room),
                answered=dict(sorted(counts.answers.items())),
                dropped={
                    **self._dropped,
                    "older than the horizon": counts.late,
                    "replaced by a later one of the day": counts.thinned,
                    "too many waited": counts.overflowed,
                    "silent after a label of harm": counts.withheld,
                },
                labels=dict(sorted(counts.labels.items())),
                labels_unknown_player=counts.unknown,
                first_at=self.first_at,
                last_at=self.last_at,
                player_days=len(table),
                players=len(table.players),
                harmed=int(table.harmed.sum()),
                weighted_harmed=float(table.weights[table.harmed].sum()) / mass if mass > 0 else None,
                kept_players=table.kept,
                changes=self._daily.report(),
            ),
            scores=evaluation.measure(
                table,
                roles,
                probabilities=(*self.kinds, IN_FORCE),
                capacity=capacity,
                draws=draws,
                seed=self.seed,
                gender=gender,
            ),
            drift=self.drift.report(),
            bias=self.bias.report(self.terms, counts),
        )

    def rival(self, challenger: str, champion: str, since_us: int | None = None) -> str:
        """Return which score a challenger of a kind has to exceed to take the place of the champion.

        That of what was in force, if it spoke on enough days; before, that of the champion's kind as it went
        on learning, which is nothing to hold a challenger of the same kind against. `since_us` as in `gain`.
        """
        table = self._under_force(since_us)
        is_enough = len(np.unique(table.day)) >= ENOUGH_DAYS and bool(table.harmed.any())
        return IN_FORCE if is_enough or challenger == champion else champion

    def _under_force(self, since_us: int | None) -> Table:
        """Return the player-days of which what was in force spoke, from an instant on."""
        table = self.rows.table(self._known_until)
        spoke = ~np.isnan(table.score(IN_FORCE))
        return table.where(spoke if since_us is None else spoke & (table.at >= since_us))

    def gain(
        self,
        challenger: str,
        champion: str | None = None,
        *,
        since_us: int | None = None,
        metric: str = "pr_auc",
        draws: int = 500,
    ) -> Interval:
        """Return by how much one score exceeds another (by default the champion kind), paired by player.

        What was in force is compared on the days of which it spoke: before it was, it could not be right.

        Parameters
        ----------
        since_us
            From when on the champion has been in force, µs since the epoch: what was in force before was
            another, which must not speak for it.
        """
        other = champion or self.kinds[0]
        table = self._under_force(since_us) if other == IN_FORCE else self.rows.table(self._known_until)
        return evaluation.gain(table, challenger, other, metric=metric, draws=draws, seed=self.seed)

    def scorecard(self, kind: Kind, habit_features: Sequence[str], review_share: float) -> Scorecard:
        """Return what a kind has learned, frozen; TrainerError if it is not one of `kinds`."""
        if kind not in self.learners:
            raise TrainerError(f"there is no {kind} here, but {', '.join(self.kinds)}")
        # What is usual is the same for every kind, so that the champion's learners alone learn it.
        whole, own = (
            self.learners[each].scorecard(
                self.features, self.catalogue, habit_features, self.seed, review_share
            )
            for each in (self.kinds[0], kind)
        )
        return msgspec.structs.replace(whole, harm=own.harm, calibration=own.calibration)

    # Keeping.

    def state(self) -> bytes:
        """Return everything, `place` too, for `restore`."""
        return pickle.dumps((_FORMAT, self), protocol=5)

    @staticmethod
    def restore(data: bytes) -> Trainer:
        """Return a trainer from its state.

        A pickle runs code: call this through `Registry.load_state` alone, which knows what it wrote.

        Raises
        ------
        TrainerError
            It is the state of something else, or of another version.
        """
        try:
            kept = pickle.loads(data)  # noqa: S301  (the registry has checked whose it is)
        except (pickle.UnpicklingError, AttributeError, EOFError, ImportError, IndexError) as error:
            raise TrainerError(f"not the state of a trainer: {type(error).__name__}") from error
        if not (isinstance(kept, tuple) and len(kept) == 2 and kept[0] == _FORMAT):
            raise TrainerError("not the state of a trainer of this version")
        trainer = kept[1]
        if not isinstance(trainer, Trainer):
            raise TrainerError("not the state of a trainer")
        return trainer
