"""What an alert says: which rule held, when, why, on what evidence, and what is proposed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from detector.cohorts.tables import Cohorts
from detector.engine.plan import children, leaves, walk
from detector.events.instants import rfc3339_ms
from detector.events.money import Currencies
from detector.language.rule import Rule
from detector.language.syntax import (
    Age,
    Comparison,
    Expression,
    Habit,
    Kind,
    Literal,
    Membership,
    Name,
    Percentile,
    Quantity,
    Score,
    SessionAge,
    Since,
    kind_of,
)
from detector.windows.tiles import tile_width

SECOND_US = 1_000_000


class Evidence(msgspec.Struct, kw_only=True, gc=False, omit_defaults=True):
    """One quantity of `when`, as it was at the judgement.

    `value` is in the unit named by `unit`: a currency code means minor units of it, "s" seconds; null means
    unknown. `threshold` is the value it was held against by `operator`, null where it stands inside a
    larger expression. A `let` that reckons with several quantities comes before them, by its `name`, its
    `quantity` and `window` empty. `window` is (after, upto], for bets as rounded to tiles, or says session
    or lifetime. `artefact` names the models or the table that a value was held against. Behind a score stand
    the features that made it what it is: `adds` is what each adds to it, in the score's own measure.
    """

    name: str | None
    quantity: str
    value: int | float | str | bool | None
    unit: str
    operator: str | None
    threshold: int | float | str | bool | None
    window: dict[str, str] | str
    artefact: str | None = None
    adds: float | None = None


class Alert(msgspec.Struct, kw_only=True, gc=False):
    """A finished alert; the fields are its JSON keys, in files, streams and over HTTP alike."""

    id: str
    player: str
    rule: str
    kind: str
    title: str
    category: str
    audience: str
    severity: str
    opened_at: str
    score: int
    band: str
    contributions: dict[str, int]
    evidence: list[Evidence]
    events: list[str]
    explanation: str
    sources: list[str]
    response: str

    def to_json(self) -> bytes:
        """One line of JSON, without the line end."""
        return _encode(self)


_encode = msgspec.json.Encoder().encode


class Note(msgspec.Struct, frozen=True, gc=False):
    """A correction touched what an open alert stands on; the alert stays."""

    player: str
    alert: str
    event: str
    code: str
    at: str


def alert_id(player: str, rule: Rule, opened_at: int, kind: str, severity: str) -> str:
    """The same alert has the same id, whoever computes it and however often."""
    parts = [player, rule.id, rule.version, opened_at, kind, severity]
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class _Leaf:
    """A quantity of `when`: where its value, and its threshold's, stand among the facts."""

    node: Expression
    name: str | None
    value: int
    operator: str | None
    threshold: int | None


@dataclass(frozen=True, slots=True)
class _Compared:
    """Where among the facts the parts of a percentile stand."""

    measure: int | None
    among: int | None
    product: int | None


_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}


class Facts:
    """Which expressions of a rule have to be evaluated for an alert, and how they are shown.

    Attributes
    ----------
    expressions
        To be compiled into one function that returns their values in this order.
    has_no_cohorts
        Whether the rule asks for places in cohorts, and no table has any of them.
    """

    def __init__(self, rule: Rule, currencies: Currencies, cohorts: Cohorts | None = None) -> None:
        self.rule = rule
        self.cohorts = cohorts
        self.currencies = currencies
        self.has_no_cohorts = bool(rule.percentiles) and not any(
            cohorts is not None and cohorts.ranks(each.key) for each in rule.percentiles
        )
        self.expressions: list[Expression] = []
        self._leaves: list[_Leaf] = []
        self.models: list[str] = []  # whose score the rule asks for
        self._texts: list[tuple[str, int | None]] = []
        self._compared: dict[Percentile, _Compared] = {}
        lets = dict(rule.lets)
        seen: set[Expression] = set()
        for comparison in walk(rule.when):
            if isinstance(comparison, Comparison):
                sides = (
                    (comparison.left, comparison.right, comparison.operator),
                    (comparison.right, comparison.left, _MIRRORED[comparison.operator]),
                )
                for side, other, operator in sides:
                    self._collect(side, other, operator, lets, seen)
            elif isinstance(comparison, Membership):
                self._collect(comparison.item, None, None, lets, seen)
        self._collect(rule.when, None, None, lets, seen)
        for place, part in enumerate(rule.explain):
            if place % 2 == 0:
                self._texts.append((part, None))
            else:
                expression = rule.lets.get(part, rule.constants.get(part))
                assert expression is not None
                self._texts.append((part, self._ask(expression)))

    def _ask(self, expression: Expression) -> int:
        if expression not in self.expressions:
            self.expressions.append(expression)
        return self.expressions.index(expression)

    def _collect(
        self,
        side: Expression,
        other: Expression | None,
        operator: str | None,
        lets: dict[str, Expression],
        seen: set[Expression],
    ) -> None:
        name = None
        while isinstance(side, Name):
            name, side = side.name, lets[side.name]
        if name is not None and operator is not None and children(side) and Name(name) not in seen:
            # What the analyst gave a name is what the agent should read, beside what it is made of.
            seen.add(Name(name))
            place = self._ask(side)
            threshold = None if other is None else self._ask(other)
            self._leaves.append(_Leaf(side, name, place, operator, threshold))
        for node in _told(side, lets):
            if node in seen:
                continue
            seen.add(node)
            if isinstance(node, Score):
                self.models.append(node.model)
            alone = node == side
            known = name if alone else next((n for n, let in lets.items() if let == node), None)
            threshold = self._ask(other) if alone and other is not None else None
            self._leaves.append(_Leaf(node, known, self._ask(node), operator if alone else None, threshold))
            if isinstance(node, Percentile):
                self._compare(node, lets, seen)

    def _compare(self, node: Percentile, lets: dict[str, Expression], seen: set[Expression]) -> None:
        """Beside a place, show what is compared: the let itself where it reckons with several quantities."""
        parts = (node.measure, node.among, node.product)
        self._compared[node] = _Compared(*(None if each is None else self._ask(each) for each in parts))
        named = Name(node.name)
        if children(node.measure) and named not in seen:
            seen.add(named)
            self._leaves.append(_Leaf(node.measure, node.name, self._ask(node.measure), None, None))
        self._collect(named, None, None, lets, seen)

    def lacks_cohort(self, values: list[Any]) -> bool:
        """Whether somebody's place is unknown only because there is nobody to compare them with."""
        for node, parts in self._compared.items():
            known = [
                None if each is None else values[each] for each in (parts.measure, parts.among, parts.product)
            ]
            value, is_one, product = known
            if value is None or (node.among is not None and not is_one):
                continue
            if values[self._ask(node)] is None and (node.pinned is None or product is not None):
                return True
        return False

    def evidence(self, values: list[Any], at_us: int, currency: str | None) -> list[Evidence]:
        """The quantities of `when` with their values; `currency` is the player's first."""
        found = []
        for leaf in self._leaves:
            unit = self._unit(leaf.node, currency)
            threshold = None if leaf.threshold is None else values[leaf.threshold]
            found.append(
                Evidence(
                    name=leaf.name,
                    quantity=quantity_text(leaf.node),
                    value=shown(values[leaf.value], unit),
                    unit=unit,
                    operator=leaf.operator,
                    threshold=shown(threshold, unit),
                    window=_window(leaf.node, at_us),
                    artefact=self._artefact(leaf, values, at_us, currency),
                )
            )
        return found

    def _artefact(self, leaf: _Leaf, values: list[Any], at_us: int, currency: str | None) -> str | None:
        node = leaf.node
        if self.cohorts is None or not isinstance(node, Percentile) or values[leaf.value] is None:
            return None
        place = self._compared[node].product
        product = None if place is None else values[place]
        spoken = (node.currency or currency) if node.is_money else None
        found = self.cohorts.found(node.key, at_us, spoken, product)
        return None if found is None else found.told(by_product=node.product is not None)

    def explanation(self, values: list[Any], currency: str | None) -> str:
        """The rule's `explain` with its names filled in."""
        parts = []
        for text, place in self._texts:
            if place is None:
                parts.append(text)
            else:
                expression = self.expressions[place]
                if isinstance(expression, Literal) and expression.share:
                    parts.append(f"{expression.value:.4%}".rstrip("0%").rstrip(".") + "%")
                elif isinstance(expression, Percentile) and values[place] is not None:
                    parts.append(f"{values[place]:.0%}")
                else:
                    parts.append(self._in_words(values[place], kind_of(expression), currency))
        return "".join(parts)

    def _unit(self, node: Expression, currency: str | None) -> str:
        kind = kind_of(node)
        if kind is Kind.MONEY:
            return self.rule.currency or currency or ""
        return "s" if kind is Kind.DURATION else str(kind)

    def _in_words(self, value: Any, kind: Kind | None, currency: str | None) -> str:
        if value is None:
            return "unknown"
        if kind is Kind.MONEY:
            code = self.rule.currency or currency
            return self.currencies.format_money(value, code) if code else str(round(value))
        if kind is Kind.DURATION:
            return duration_text(int(value))
        if kind is Kind.NUMBER:
            return f"{value:.2f}".rstrip("0").rstrip(".")
        return str(value)


def shown(value: Any, unit: str) -> Any:
    """A value for reading: seconds for durations; whole doubles as integers, whatever path they came by."""
    if unit == "s" and isinstance(value, (int, float)):
        # A microsecond is the finest there is.
        value = round(value / SECOND_US, 6)
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _told(side: Expression, lets: dict[str, Expression]) -> Iterator[Expression]:
    """The quantities to be shown: a habit, and beside it what it is the habit of."""
    for node in leaves(side, lets):
        if isinstance(node, (Quantity, Since, Age, SessionAge, Habit, Percentile, Score)):
            yield node
        if isinstance(node, Habit):
            yield node.quantity


def quantity_text(node: Expression) -> str:
    """A quantity as its analyst wrote it."""
    if isinstance(node, Quantity):
        return node.text
    if isinstance(node, Since):
        return f"since({node.type})"
    if isinstance(node, Score):
        return f"score({node.model})"
    if isinstance(node, Habit):
        return f"{node.function}({node.name})"
    if isinstance(node, Percentile):
        return f"percentile({node.text})"
    if isinstance(node, (Age, SessionAge)):
        return "age" if isinstance(node, Age) else "session_age"
    return ""


def _window(node: Expression, at_us: int) -> dict[str, str] | str:
    if isinstance(node, Habit):
        # From the beginning of the farthest of the four windows to the end of the nearest.
        nearest, farthest = (_stretch(each, at_us) for each in (node.before[0], node.before[-1]))
        return {"after": farthest["after"], "upto": nearest["upto"]}
    if isinstance(node, Percentile):
        node = node.measure
    if not isinstance(node, Quantity):
        plain = isinstance(node, (Since, Age))
        return "session" if isinstance(node, SessionAge) else "lifetime" if plain else ""
    return _stretch(node, at_us) if node.window.scope == "over" else node.window.scope


def _stretch(node: Quantity, at_us: int) -> dict[str, str]:
    window = node.window
    after, upto = at_us - window.before_us - window.length_us, at_us - window.before_us
    if node.type == "bet":
        width = tile_width(window.length_us)
        after = after // width * width
        upto = at_us if not window.before_us else (upto // width + 1) * width
    return {"after": rfc3339_ms(after), "upto": rfc3339_ms(upto)}


def duration_text(duration_us: int) -> str:
    """A duration in its two largest parts: 3 d 4 h, 61 min 5 s."""
    if duration_us < 0:
        return "-" + duration_text(-duration_us)
    seconds = duration_us // SECOND_US
    parts = []
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2]) or "0 s"
