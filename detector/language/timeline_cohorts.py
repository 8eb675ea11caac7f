"""Reads the cohorts that a test of a rule brings along.

    cohorts: {spread: [0 CAD, 5 CAD, 20 CAD, 80 CAD]}

names a let that the rule asks `percentile` of, and evenly spaced quantiles of its cohort: here a third of the
players lie below 5 CAD, two thirds below 20 CAD. They hold for every product, at all times, and money for
players of its currency.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from detector.events.money import Currencies
from detector.language.kinds import PLAIN, SPOKEN
from detector.language.literals import read_literal
from detector.language.parse import suggestion
from detector.language.rule import OwnCohort
from detector.language.source import Fault, Mapping, Node, Scalar, shorten
from detector.language.source import Sequence as List
from detector.language.syntax import Literal, Percentile, kind_of

MAX_EDGES = 201


def read_cohorts(
    node: Node | None, percentiles: Sequence[Percentile], currencies: Currencies
) -> Iterator[OwnCohort]:
    """Give the cohorts of a test; Fault at what does not fit."""
    if node is None:
        return
    if not isinstance(node, Mapping):
        raise Fault(node.place, "`cohorts` gives lets their quantiles: {spread: [0 CAD, 5 CAD, 80 CAD]}")
    names = {each.name for each in percentiles}
    for name, listed in node:
        if name.text not in names:
            near = suggestion(name.text, names)
            raise Fault(name.place, f'percentile is not asked of "{shorten(name.text)}"{near}')
        for asked in percentiles:
            if asked.name == name.text:
                yield _cohort(asked, listed, currencies)


def _cohort(asked: Percentile, listed: Node, currencies: Currencies) -> OwnCohort:
    items = listed.items if isinstance(listed, List) else ()
    if not 2 <= len(items) <= MAX_EDGES:
        raise Fault(listed.place, f"a cohort has 2 to {MAX_EDGES} quantiles, from the least to the greatest")
    literals = [_quantile(asked, item, currencies) for item in items]
    found = {each.currency for each in literals if each.currency is not None}
    if len(found) > 1:
        raise Fault(listed.place, "a cohort has one currency")
    edges = [float(each.value) for each in literals]
    for (lower, higher), item in zip(pairwise(edges), items[1:], strict=True):
        if higher < lower:
            raise Fault(item.place, "quantiles ascend")
    return OwnCohort(asked.key, asked.text, next(iter(found), None), tuple(edges))


def _quantile(asked: Percentile, item: Node, currencies: Currencies) -> Literal:
    wanted = kind_of(asked.measure)
    if not isinstance(item, Scalar):
        raise Fault(item.place, f"a quantile of {asked.name} is {SPOKEN[wanted]}")
    try:
        literal = read_literal(item.text.strip(), currencies, item.place)
    except ValueError as error:
        raise Fault(item.place, str(error)) from None
    kind = None if literal is None else literal.kind
    if literal is None or not (kind is wanted or {kind, wanted} <= set(PLAIN)):
        raise Fault(item.place, f'a quantile of {asked.name} is {SPOKEN[wanted]}, not "{shorten(item.text)}"')
    return literal
