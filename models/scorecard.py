"""A scorecard: all that is needed to score, as one plain document that is never changed.

Learning happens elsewhere; whoever scores reads this. Scoring is a pure function: the same scorecard and the
same values always give the same scores.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from functools import cached_property
from typing import Literal

import msgspec

from models import habit as habits
from models.calibration import CalibrationCard, calibrated
from models.errors import ScorecardError
from models.harm import ForestCard, HarmCard, LogisticCard, log_odds, probability
from models.quantiles import MOST_KNOTS, Knots, middle, place
from models.reasons import Reason, added, put_back, shared
from models.trees import sound
from models.unusual import UnusualCard, unusual

NAMES = ("harm", "unusual", "habit", "review")
LARGEST_FILE = 16 * 1024 * 1024
_DAY_US = 86_400_000_000


class Judgement(msgspec.Struct, frozen=True, gc=False):
    """What the models make of one moment.

    Parameters
    ----------
    scores
        By name; None where a model has nothing to say.
    habit
        The player's baseline from now on.
    """

    scores: dict[str, float | None]
    habit: list[float] | None


class Scorecard(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, dict=True):
    """Models as they were when they were frozen.

    Parameters
    ----------
    catalogue
        The id of the catalogue of features.
    features
        Their names, in the order of values.
    quantiles
        How each feature is distributed among all players' moments.
    unusual, harm
        None where too little had been learned.
    calibration
        From raw log-odds of harm to those to believe.
    habit
        Which features, by index, each player's own baseline is of.
    seed
        Of the random review.
    review_share
        The share of players whom the random review is to look at each day.
    version
        Of this form.
    """

    catalogue: str
    features: list[str]
    quantiles: list[Knots]
    unusual: UnusualCard | None
    harm: HarmCard | None
    calibration: CalibrationCard
    habit: list[int]
    seed: int
    review_share: float
    version: Literal[1] = 1

    @staticmethod
    def read(document: bytes) -> Scorecard:
        """A scorecard from its JSON.

        Raises ScorecardError, naming the place, where it is none.
        """
        if len(document) > LARGEST_FILE:
            raise ScorecardError(f"scorecard: {len(document)} bytes are more than {LARGEST_FILE}")
        try:
            card = _decoder.decode(document)
        except (msgspec.DecodeError, RecursionError) as error:
            raise ScorecardError(f"scorecard: {error}") from None
        _check(card)
        return card

    def to_json(self) -> bytes:
        """Canonical: the same scorecard always gives the same bytes."""
        return _encoder.encode(self)

    @cached_property
    def id(self) -> str:
        """The first 16 hexadecimal digits of the SHA-256 of its JSON."""
        return hashlib.sha256(self.to_json()).hexdigest()[:16]

    @property
    def names(self) -> tuple[str, ...]:
        """Of its scores, as rules call them."""
        return NAMES

    def judge(
        self,
        player: str,
        at_us: int,
        values: Sequence[float | None],
        habit: list[float] | None,
        ends_session: bool,
    ) -> Judgement:
        """Score one moment of one player.

        Parameters
        ----------
        player
            Whoever it is; decides on the random review only.
        at_us
            The player's clock, µs since the epoch.
        values
            One a feature, None where unknown.
        habit
            The player's baseline as the last judgement left it, None where there is none.
        ends_session
            The baseline learns from whole sessions only; at other moments it is compared with.
        """
        own = [values[index] for index in self.habit]
        if self.harm is None:
            harm = None
        else:
            harm = probability(calibrated(self.calibration, log_odds(self.harm, values)))
        scores = {
            "harm": harm,
            "unusual": None if self.unusual is None else unusual(self.unusual, self.places(values)),
            "habit": habits.deviation(habit, own) if habit else None,
            "review": draw(self.seed, player, at_us),
        }
        if ends_session and own:
            habit = habits.updated(habit or [], own)
        return Judgement(scores, habit)

    def reasons(self, name: str, values: Sequence[float | None], habit: list[float] | None) -> list[Reason]:
        """Why a score is what it is, the weightiest feature first; none where there is no score.

        Parameters
        ----------
        name
            One of `names`; any other is a KeyError. Of `review` there are no reasons: it is drawn.
        values, habit
            As they were judged.

        Notes
        -----
        Of logistic harm the sum is exact: with the bias it makes the log-odds of the raw score. Of a forest,
        and of `unusual`, a reason is by how much the raw log-odds, or the score, would be less if the feature
        were as usual: for the player where their own habit is kept, else for all. Of `habit` it is what the
        feature has of the deviation, and the sum is the deviation.
        """
        if name not in NAMES:
            raise KeyError(name)
        if name == "harm" and isinstance(self.harm, LogisticCard):
            return added(self.features, values, self.harm)
        if name == "harm" and (harm := self.harm) is not None:
            return put_back(
                self.features, values, self._usual(habit), lambda changed: log_odds(harm, changed)
            )
        if name == "unusual" and (forest := self.unusual) is not None:
            return put_back(
                self.features,
                values,
                self._usual(habit),
                lambda changed: unusual(forest, self.places(changed)) or 0.0,
            )
        if name == "habit" and habit:
            names = [self.features[index] for index in self.habit]
            return shared(names, [values[index] for index in self.habit], habit)
        return []

    def _usual(self, habit: list[float] | None) -> list[float | None]:
        """A value for each feature: the player's own habit where it is kept, else the middle of all."""
        usual = [middle(knots) for knots in self.quantiles]
        for place_of_habit, index in enumerate(self.habit):
            own = habits.habitual(habit or [], place_of_habit)
            usual[index] = usual[index] if own is None else own
        return usual

    def places(self, values: Sequence[float | None]) -> list[float]:
        """Where each value lies among all players' moments, the middle where it is unknown."""
        placed = map(place, self.quantiles, values)
        return [0.5 if at is None else at for at in placed]


def draw(seed: int, player: str, at_us: int) -> float:
    """A number in [0, 1) for each player and UTC day, by a hash; without the seed nobody knows it."""
    text = f"{seed}:{at_us // _DAY_US}:{player}".encode()
    # 53 bits, as many as a float holds, or the greatest draws would be rounded up to 1.
    return (int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big") >> 11) / 2**53


_decoder = msgspec.json.Decoder(Scorecard)
_encoder = msgspec.json.Encoder(order="deterministic")


def _check(card: Scorecard) -> None:
    """What types do not say: numbers, lengths, order."""
    width = len(card.features)

    def wrong(where: str, why: str) -> ScorecardError:
        return ScorecardError(f"scorecard: {why} - at `$.{where}`")

    if len(set(card.features)) != width:
        raise wrong("features", "a name stands twice")
    if len(card.quantiles) != width:
        raise wrong("quantiles", f"{width} features have {len(card.quantiles)} distributions")
    for index, knots in enumerate(card.quantiles):
        if why := _crooked(knots):
            raise wrong(f"quantiles[{index}]", why)
    if card.unusual is not None:
        if why := _crooked(card.unusual.history):
            raise wrong("unusual.history", why)
        if not (0 < card.unusual.most < math.inf):
            raise wrong("unusual.most", "the greatest mass is above 0")
        for index, tree in enumerate(card.unusual.trees):
            if not sound(tree, width):
                raise wrong(f"unusual.trees[{index}]", "this is no tree")
    if isinstance(card.harm, LogisticCard | ForestCard):
        scaling = card.harm.scaling
        if len(scaling.means) != width or len(scaling.deviations) != width:
            raise wrong("harm.scaling", f"there are {width} features")
        if not all(deviation > 0 for deviation in scaling.deviations):
            raise wrong("harm.scaling.deviations", "a deviation is above 0")
    if isinstance(card.harm, LogisticCard):
        if len(card.harm.weights) != width or len(card.harm.missing) != width:
            raise wrong("harm", f"there are {width} features")
    elif isinstance(card.harm, ForestCard):
        for index, tree in enumerate(card.harm.trees):
            if not sound(tree, 2 * width):
                raise wrong(f"harm.trees[{index}]", "this is no tree")
    if not (card.calibration.a > 0 and card.calibration.b > 0):
        raise wrong("calibration", "slopes are above 0")
    if len(card.habit) > habits.MOST_FEATURES or len(set(card.habit)) != len(card.habit):
        raise wrong("habit", f"at most {habits.MOST_FEATURES} features, each once")
    if not all(0 <= index < width for index in card.habit):
        raise wrong("habit", f"there are {width} features")
    if not 0 <= card.review_share <= 1:
        raise wrong("review_share", "a share is from 0 to 1")


def _crooked(knots: Knots) -> str | None:
    if len(knots.values) != len(knots.places):
        return "as many places as values"
    if len(knots.values) > MOST_KNOTS:
        return f"more than {MOST_KNOTS} knots"
    if sorted(knots.values) != knots.values or sorted(knots.places) != knots.places:
        return "knots are in ascending order"
    if knots.places and not (knots.places[0] >= 0 and knots.places[-1] <= 1):
        return "places are from 0 to 1"
    return None
