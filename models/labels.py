"""Late labels: samples wait, exactly as they were when they were made, until it is known what came of them.

A sample of the instant t is answered

- *harmed*, if a label of harm falls in (t, t + 30 d]; a verdict answers the 7 days before what it is about;
- *not harmed*, once 30 days have passed by the clock of whoever learns, without any.

Who is looked at is not drawn by lot: verdicts exist where an alert was, so a model that learns from them as
they come believes what its own alerts made it see. Hence a verdict's yes is weighted by the inverse of how
likely it was to be given at all (inverse propensity: Horvitz & Thompson 1952; for partly labelled data,
Bekker, Robberechts & Davis 2019). A verdict's no weighs one, since it says what silence would have said of
the same sample, and the peers that it might stand for are in the stream already, silent.
"""

from __future__ import annotations

import heapq
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import isfinite, isnan, nan

from models.sample import Label

DAY_US = 86_400_000_000
SILENCE = "silence"


@dataclass(frozen=True, slots=True)
class SourceTerms:
    """What labels of one source are worth.

    Parameters
    ----------
    weight
        How much an example weighs that is learned from it; 1 is a label without doubt.
    reach_us
        How long before the label's instant (for a verdict: before what it is about) samples are answered.
    lasts_us
        How long after a label of harm silence says nothing: samples of that time are never negatives.
    delay_us
        How late a label may come in after its instant. No sample is taken as not harmed before.
    """

    weight: float
    reach_us: int
    lasts_us: int
    delay_us: int = 0


@dataclass(frozen=True, slots=True)
class LabelTerms:
    """How labels answer samples. The defaults are this project's own starting points, for these reasons.

    Parameters
    ----------
    horizon_us
        30 days: a month of behaviour tells as much as six (DOMAIN: AUROC the same).
    self_exclusion
        A noisy label: of those who excluded themselves for six months, 19 % had played for under 24 hours. So
        it weighs 0.8. It lasts 180 days, the shortest that is counted, since whoever is shut out cannot come
        to harm where we look. It is an event of the stream itself, hence no delay.
    rg_event
        Words of distress or a threat, coded by a person: no doubt, no delay. What was true a day ago is not
        disproved by a quiet month: it lasts for the horizon.
    verdict
        A person looked: no doubt. It speaks of the 7 days before the alert, which is what was looked at. It
        needs no delay: of the horizon 23 days are left to give it in.
    silence
        What an example weighs that nothing was heard of.
    cap
        The most that one verdict may stand for; whatever is cut off is counted.
    alerted
        The rules' score from which a player counts as under an alert: the band `medium` of the packaged
        rules. Only the share of these that is looked at hangs on it.
    most_waiting
        Samples that wait at once; beyond, the oldest are dropped and counted. One takes about 0.5 KB with 25
        features.
    """

    horizon_us: int = 30 * DAY_US
    self_exclusion: SourceTerms = SourceTerms(0.8, 30 * DAY_US, 180 * DAY_US)
    rg_event: SourceTerms = SourceTerms(1.0, 30 * DAY_US, 30 * DAY_US)
    verdict: SourceTerms = SourceTerms(1.0, 7 * DAY_US, 30 * DAY_US)
    silence: float = 1.0
    cap: float = 20.0
    alerted: float = 25.0
    most_waiting: int = 1_000_000

    def of(self, source: str) -> SourceTerms | None:
        """Return the terms of a source, None if labels of it are not known here."""
        return {
            "self_exclusion": self.self_exclusion,
            "rg_event": self.rg_event,
            "verdict": self.verdict,
        }.get(source)

    @property
    def patience_us(self) -> int:
        """How long after a sample silence answers it."""
        return self.horizon_us + max(
            each.delay_us for each in (self.self_exclusion, self.rg_event, self.verdict)
        )


@dataclass(slots=True)
class Waiting:
    """One sample that waits: the features as they were, and what was said of them then.

    Attributes
    ----------
    values
        One number a feature, NaN where it was unknown.
    said
        One number for each score that was compared, the highest of the day so far, NaN where there was none.
    flagged
        Whether the player was under an alert at any of the day's moments, by `LabelTerms.alerted`.
    withheld
        Whether silence says nothing of it.
    denied
        The probability of being looked at, of a verdict that said no; None where there was none.
    """

    player: str
    at: int
    moment: str
    values: array[float]
    said: array[float]
    birth_year: int | None
    flagged: bool
    withheld: bool = False
    denied: float | None = None
    done: bool = False

    @property
    def day(self) -> int:
        """The UTC day, counted from the epoch."""
        return self.at // DAY_US


@dataclass(frozen=True, slots=True)
class Answer:
    """What became known of one sample.

    Attributes
    ----------
    weight
        What it weighs in learning: the source's weight times `stands_for`.
    stands_for
        How many samples like it this one stands for, by inverse propensity; 1 for all but a verdict's yes.
    source
        The label's source, or `silence`.
    label_at
        When the label of harm fell, None without.
    drawn
        Of a verdict: 0 for one on an alert, else the share of the random review; None without a verdict.
    """

    sample: Waiting
    harmed: bool
    weight: float
    stands_for: float
    source: str
    label_at: int | None = None
    drawn: float | None = None


@dataclass(slots=True)
class Counts:
    """What became of samples and labels, for the report.

    Attributes
    ----------
    taken, thinned, overflowed
        Samples that were taken in; those that a later one of the same day and moment replaced; those that
        were dropped as the oldest of too many.
    late
        Samples older than the horizon when they came: nobody waited for their labels.
    withheld
        Samples that silence would have answered, in the time after a label of harm.
    labels
        Labels by source.
    unknown, unlearnt
        Labels of players of whom no sample waits; of sources that have no terms here.
    answers
        Samples answered as harmed or not, by `source:harmed` and `source:not`.
    capped
        Verdicts that would have stood for more than the cap.
    flagged, looked_at
        Samples under an alert that were answered, and how many of these by a verdict on an alert.
    """

    taken: int = 0
    thinned: int = 0
    overflowed: int = 0
    late: int = 0
    withheld: int = 0
    labels: dict[str, int] = field(default_factory=dict)
    unknown: int = 0
    unlearnt: int = 0
    answers: dict[str, int] = field(default_factory=dict)
    capped: int = 0
    flagged: int = 0
    looked_at: int = 0

    @property
    def looked_at_share(self) -> float:
        """The estimated share of samples under an alert that a verdict speaks of; 1 before any is known."""
        return (self.looked_at + 1) / (self.flagged + 1)


class WaitingRoom:
    """Samples that wait for what comes of them.

    Of each player at most one sample waits a day and kind of moment, and one more for each verdict that said
    no. What comes out hangs on the order of the input alone.
    """

    def __init__(self, terms: LabelTerms) -> None:
        self.terms = terms
        self.counts = Counts()
        self.clock = 0
        self._of: dict[str, list[Waiting]] = {}
        self._due: list[tuple[int, int, Waiting]] = []
        self._number = 0
        self._waiting = 0
        self._silent_until: dict[str, int] = {}

    def __len__(self) -> int:
        return self._waiting

    def of(self, player: str) -> Sequence[Waiting]:
        """Return what waits of a player, in the order it was taken."""
        return self._of.get(player, ())

    def take(self, sample: Waiting) -> list[Answer]:
        """Let a sample wait, and return what the time that it shows answers.

        A later one of the same player, day and kind of moment takes the place of an earlier one, which is
        counted; the highest scores of the day are kept.
        """
        answers = self.pass_time(sample.at)
        if sample.at + self.terms.horizon_us < self.clock:
            self.counts.late += 1
            return answers
        self.counts.taken += 1
        sample.withheld = sample.at < self._silent_until.get(sample.player, 0)
        mine = self._of.setdefault(sample.player, [])
        for old in reversed(mine):
            if old.moment == sample.moment and old.day == sample.day and old.denied is None:
                self.counts.thinned += 1
                _renew(old, sample)
                return answers
        mine.append(sample)
        self._put(sample)
        self._waiting += 1
        while self._waiting > self.terms.most_waiting:
            self._drop_oldest()
        return answers

    def label(self, label: Label) -> list[Answer]:
        """Return what a label answers, after what the time that it shows answers, oldest samples first.

        A verdict shows no time. It comes when somebody had the time for it, perhaps weeks after the last that
        is known of players, and silence would answer for weeks that nobody heard.
        """
        is_verdict = label.source == "verdict"
        answers = [] if is_verdict else self.pass_time(label.at)
        counts = self.counts
        counts.labels[label.source] = counts.labels.get(label.source, 0) + 1
        terms = self.terms.of(label.source)
        if terms is None:
            counts.unlearnt += 1
            return answers
        mine = self._of.get(label.player)
        if not mine:
            counts.unknown += 1
            return answers
        upto = label.about if is_verdict else label.at - 1  # harm in (t, t + 30 d]: not at t itself
        reached = [each for each in mine if upto - terms.reach_us < each.at <= upto]
        if not label.harmed:
            # Only what a person found can say so, and only until somebody learns better: a self-exclusion
            # within the horizon still counts.
            for each in reached if is_verdict else ():
                each.denied = label.drawn
            return answers
        stands_for = self._stands_for(label, reached) if is_verdict else 1.0
        for each in reached:
            answers.append(
                self._answer(
                    Answer(
                        sample=each,
                        harmed=True,
                        weight=terms.weight * stands_for,
                        stands_for=stands_for,
                        source=label.source,
                        label_at=label.at,
                        drawn=label.drawn if is_verdict else None,
                    )
                )
            )
        until = label.at + terms.lasts_us
        for each in self._of.get(label.player, ()):
            if upto < each.at < until:
                each.withheld = True
        self._silent_until[label.player] = max(until, self._silent_until.get(label.player, 0))
        return answers

    def pass_time(self, at_us: int) -> list[Answer]:
        """Return what silence answers once the clock shows `at_us`; it never goes back."""
        if at_us // DAY_US > self.clock // DAY_US:
            self._silent_until = {who: until for who, until in self._silent_until.items() if until > at_us}
        self.clock = max(self.clock, at_us)
        answers: list[Answer] = []
        while self._due and self._due[0][0] < self.clock:
            due, _, sample = heapq.heappop(self._due)
            if sample.done:
                continue
            if sample.at + self.terms.patience_us > due:  # a later one took its place
                self._put(sample)
            elif sample.withheld:
                self.counts.withheld += 1
                self._forget(sample)
            else:
                answers.append(self._answer(self._not_harmed(sample)))
        return answers

    def _not_harmed(self, sample: Waiting) -> Answer:
        if sample.denied is None:
            return Answer(sample, False, self.terms.silence, 1.0, SILENCE)
        return Answer(sample, False, self.terms.verdict.weight, 1.0, "verdict", drawn=sample.denied)

    def _stands_for(self, verdict: Label, reached: Iterable[Waiting]) -> float:
        """Return how many a verdict's yes stands for.

        The review draws a player's day, and a verdict speaks of a week: a player with k days in it is k times
        as likely to be drawn, so that the propensity is 1 - (1 - q)^k.
        """
        if verdict.drawn > 0:
            days = len({each.day for each in reached}) or 1
            propensity = 1 - (1 - min(verdict.drawn, 1.0)) ** days
        else:
            propensity = self.counts.looked_at_share
        if propensity * self.terms.cap < 1:
            self.counts.capped += 1
            return self.terms.cap
        return 1 / propensity

    def _answer(self, answer: Answer) -> Answer:
        counts = self.counts
        key = f"{answer.source}:{'harmed' if answer.harmed else 'not'}"
        counts.answers[key] = counts.answers.get(key, 0) + 1
        if answer.sample.flagged:
            counts.flagged += 1
            counts.looked_at += answer.drawn == 0
        self._forget(answer.sample)
        return answer

    def _forget(self, sample: Waiting) -> None:
        sample.done = True
        self._waiting -= 1
        mine = self._of[sample.player]
        # By identity: two samples may be alike.
        del mine[next(place for place, each in enumerate(mine) if each is sample)]
        if not mine:
            del self._of[sample.player]

    def _put(self, sample: Waiting) -> None:
        heapq.heappush(self._due, (sample.at + self.terms.patience_us, self._number, sample))
        self._number += 1

    def _drop_oldest(self) -> None:
        while True:
            due, _, sample = heapq.heappop(self._due)
            if sample.done:
                continue
            if sample.at + self.terms.patience_us > due:
                self._put(sample)
                continue
            self.counts.overflowed += 1
            self._forget(sample)
            return


def compact(values: Iterable[float | None]) -> array[float]:
    """Return numbers as eight bytes each; NaN where one is unknown or not finite."""
    return array("d", (nan if each is None or not isfinite(each) else each for each in values))


def loose(values: array[float]) -> tuple[float | None, ...]:
    """Return what `compact` was given, None for what was unknown."""
    return tuple(None if isnan(each) else each for each in values)


def _renew(old: Waiting, new: Waiting) -> None:
    # In place, so that however often somebody deposits, one entry waits for the day.
    for place, said in enumerate(new.said):
        if isnan(old.said[place]) or said > old.said[place]:
            old.said[place] = said
    old.at = max(old.at, new.at)
    old.values = new.values
    old.birth_year = new.birth_year
    old.flagged = old.flagged or new.flagged
    old.withheld = old.withheld or new.withheld
