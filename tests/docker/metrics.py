"""Which metrics there are, as the documentation has them, and which an expression asks for."""

from __future__ import annotations

import re

from tests.docs.markdown import document

_ALWAYS = {"up", "ALERTS"}
"""What Prometheus itself tells of whatever it asks."""


def told() -> dict[str, str]:
    """Every metric that is documented, and of which process it is."""
    return {row[0].strip("`"): row[1] for row in document("docs/kafka.md").table("| metric |")}


def asked_for(expression: str) -> set[str]:
    """The metrics of ours that an expression reads; parts of a histogram count as the histogram."""
    names = set(re.findall(r"\btiltwatch_\w+", re.sub(r'"[^"]*"', '""', expression)))
    histograms = {re.sub(r"_(bucket|sum|count)$", "", name) for name in names}
    return {name for name in histograms if name not in _ALWAYS}


def served(page: str) -> set[str]:
    """The metrics that a page of Prometheus' text format holds, those without a value yet too."""
    names = set(re.findall(r"^# TYPE (\w+) \w+$", page, re.MULTILINE))
    return {name for name in names if not name.endswith("_created")}
