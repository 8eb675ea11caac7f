"""Reads which response a rule proposes: one level for all it says, or one a severity."""

from __future__ import annotations

from collections.abc import Collection
from itertools import pairwise

from detector.language.parse import suggestion
from detector.language.rule import RESPONSES, SEVERITIES
from detector.language.source import Fault, Mapping, Node, shorten, single


def read_responses(node: Node, reached: Collection[str]) -> dict[str, str]:
    """Return severity → level for every severity that the rule reaches, ascending.

    Raises
    ------
    Fault
        Where a level or a severity is none, where one that the rule reaches has no level or one has that it
        never reaches, and where a level falls as the severity rises.
    """
    wanted = [severity for severity in SEVERITIES if severity in reached]
    if not isinstance(node, Mapping):
        return dict.fromkeys(wanted, _level(node))
    given: dict[str, str] = {}
    places = {}
    for key, value in node:
        if key.text not in SEVERITIES:
            told = f"`respond` names severities: {', '.join(SEVERITIES)}"
            raise Fault(key.place, told + suggestion(key.text, SEVERITIES))
        if wanted and key.text not in reached:
            told = f"the rule never reaches {key.text}, only {' and '.join(wanted)}"
            raise Fault(key.place, told)
        given[key.text] = _level(value)
        places[key.text] = value.place
    if missing := [severity for severity in wanted if severity not in given]:
        raise Fault(node.place, f"`respond` says nothing for {' and '.join(missing)}, which the rule reaches")
    ascending = {severity: given[severity] for severity in SEVERITIES if severity in given}
    for lower, higher in pairwise(ascending):
        if given[higher] < given[lower]:
            told = f"{given[higher]} for {higher} is less than {given[lower]} for {lower}"
            raise Fault(places[higher], f"{told}: a response does not fall as the severity rises")
    return ascending


def _level(node: Node) -> str:
    text = single(node)
    if text not in RESPONSES:
        told = f'`respond` is one of {", ".join(RESPONSES)}, not "{shorten(text)}"'
        raise Fault(node.place, told + suggestion(text.upper(), RESPONSES))
    return text
