"""The typed tree that a rule's conditions become.

Nodes are frozen and compare by meaning (positions left out), so that two rules that ask for the same
quantity share one window. Every expression bears its `unit` once typed; the parser leaves it `None`.
Params are already replaced by literals, names of `let`s stay names.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a value is; the comparisons that make sense follow from it."""

    BOOL = "bool"
    NUMBER = "number"  # ratios, shares, products: a double, compared within 1e-9
    COUNT = "count"  # whole numbers of things, compared exactly
    MONEY = "money"  # minor units of the rule's currency, compared within 1e-9
    DURATION = "duration"  # microseconds, compared exactly
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Place:
    """Line and column in the rule's file, counted from 1."""

    line: int
    column: int


NOWHERE = Place(0, 0)

HABIT_WINDOWS = 4
"""How many windows before the present one make a habit."""


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant: 7d, 200 CAD, 30%, 3, "text".

    `value` is an int of microseconds (DURATION), an int of minor units (MONEY), an int (COUNT), a float
    (NUMBER) or a str (TEXT). Whole plain numbers are COUNT, and COUNT mixes freely with NUMBER.
    `param` names the parameter it came from, if any.
    """

    value: int | float | str
    kind: Kind
    currency: str | None = None
    param: str | None = dataclasses.field(default=None, compare=False, repr=False)
    place: Place = dataclasses.field(default=NOWHERE, compare=False, repr=False)
    share: bool = dataclasses.field(default=False, compare=False, repr=False)  # written as 30%, shown as such


@dataclass(frozen=True, slots=True)
class Name:
    """A `let` of the same rule, or inside `where` a field of the event."""

    name: str
    kind: Kind | None = None
    place: Place = dataclasses.field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Negation:
    """Arithmetic minus."""

    operand: Expression
    kind: Kind | None = None
    place: Place = dataclasses.field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """`+ - * /`; division by zero is unknown."""

    operator: str
    left: Expression
    right: Expression
    kind: Kind | None = None
    place: Place = dataclasses.field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Comparison:
    """`== != < <= > >=`; `exact` is False for money and plain numbers (compared within 1e-9)."""

    operator: str
    left: Expression
    right: Expression
    exact: bool = True
    place: Place = dataclasses.field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Membership:
    """`x in (…)`, `x not in (…)`, over literals."""

    item: Expression
    options: tuple[Literal, ...]
    negated: bool = False
    exact: bool = True
    place: Place = dataclasses.field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Logic:
    """`and`, `or` of two or more; Kleene's logic over unknown."""

    operator: str
    operands: tuple[Expression, ...]
    place: Place = dataclasses.field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Not:
    operand: Expression
    place: Place = dataclasses.field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Call:
    """`min` and `max` of two or more, `abs` of one."""

    function: str
    arguments: tuple[Expression, ...]
    kind: Kind | None = None
    place: Place = dataclasses.field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Window:
    """Where a quantity looks.

    `scope` is "over" (then `length_us`, and `before_us` or 0), "session" or "lifetime".
    """

    scope: str
    length_us: int = 0
    before_us: int = 0


@dataclass(frozen=True, slots=True)
class Quantity:
    """`AGG(type[.field]) [where CONDITION] WINDOW`, e.g. sum(deposit.amount) over 7d.

    `aggregate` is one of count sum mean max min std distinct last first; `currency` is the rule's fixed
    currency for money fields, None meaning the player's first (and None for anything but money).
    `converted` is True when the field is money. `text` is the source as the analyst wrote it.
    """

    aggregate: str
    type: str
    field: str | None
    where: Expression | None
    window: Window
    kind: Kind | None = None
    converted: bool = False
    currency: str | None = None
    text: str = dataclasses.field(default="", compare=False, repr=False)
    place: Place = dataclasses.field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Since:
    """Time since the latest event of a type."""

    type: str
    place: Place = dataclasses.field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Age:
    """Time since the player's first event."""

    place: Place = dataclasses.field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class SessionAge:
    """Time from the start of the session in question to the moment of judgement."""

    place: Place = dataclasses.field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Habit:
    """`usual(name)`, the mean of a windowed quantity over the four windows of its length just before, or
    `z(name)`, how many of their standard deviations the quantity lies above that mean.
    """

    function: str
    name: str = dataclasses.field(compare=False)
    quantity: Quantity
    kind: Kind | None = None
    place: Place = dataclasses.field(default=NOWHERE, compare=False, repr=False)

    @property
    def before(self) -> tuple[Quantity, ...]:
        """The quantity over each of the four windows, the nearest first."""
        window = self.quantity.window
        return tuple(
            dataclasses.replace(
                self.quantity,
                window=Window("over", window.length_us, window.before_us + k * window.length_us),
                text="",
            )
            for k in range(1, HABIT_WINDOWS + 1)
        )

    @property
    def reach_us(self) -> int:
        """How long the player must have been known for the four windows to be whole."""
        window = self.quantity.window
        return window.before_us + (HABIT_WINDOWS + 1) * window.length_us


@dataclass(frozen=True, slots=True)
class Percentile:
    """`percentile(name)` or `percentile(name, condition)`: the share, 0 to 1, of a cohort that lies below.

    Attributes
    ----------
    measure
        What the let stands for.
    among
        What has to hold of whoever is compared, of the player too; None for no matter what.
    key
        Sixteen hex digits that mean the same measure, condition and product in every rule; cohort tables
        go by it.
    text
        The same to be read: params and lets put in.
    is_money, currency
        Whether players are compared with those of their currency: the rule's, None for the player's first.
    product
        What the product of the player's latest bet is read from; None where the measure asks for no bets.
    pinned
        The one product that the measure is about, if it is about one.
    """

    name: str = dataclasses.field(compare=False)
    measure: Expression
    among: Expression | None
    key: str
    is_money: bool
    currency: str | None
    product: Quantity | None
    pinned: str | None
    text: str = dataclasses.field(default="", compare=False, repr=False)
    kind: Kind = Kind.NUMBER
    place: Place = dataclasses.field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Score:
    """`score(model)`: what the model in force says of the player, computed just before the rule is judged."""

    model: str
    place: Place = dataclasses.field(default=NOWHERE, compare=False, repr=False)


Expression = (
    Literal
    | Name
    | Negation
    | Arithmetic
    | Comparison
    | Membership
    | Logic
    | Not
    | Call
    | Quantity
    | Since
    | Age
    | SessionAge
    | Habit
    | Percentile
    | Score
)


def kind_of(expression: Expression) -> Kind:
    """Return what a typed expression yields."""
    if isinstance(expression, Comparison | Membership | Logic | Not):
        return Kind.BOOL
    if isinstance(expression, Since | Age | SessionAge):
        return Kind.DURATION
    if isinstance(expression, Score):
        return Kind.NUMBER
    if expression.kind is None:
        raise TypeError("the expression has not been typed")
    return expression.kind
