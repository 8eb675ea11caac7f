"""The page of markers: from `rules/markers.yml` and the rules of the pack."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from detector.language.pack import default_pack, load_rules, packs_dir
from detector.language.rule import Rule

REGULATORS = ("AGCO", "Ksa", "PointsBet Ontario", "RD", "UKGC")
"""How a source that is a regulator's clause or case begins; every other source is research or practice."""
HEADER = ("marker", "rule", "severity", "source", "clause", "threshold (from, to)")


@dataclass(frozen=True, slots=True)
class Marker:
    """One marker of harm: the ids of the rules that watch for it, and what of it is not told yet."""

    name: str
    rules: tuple[str, ...]
    open: str | None


@cache
def markers() -> tuple[Marker, ...]:
    """Every marker, in the order of `rules/markers.yml`; KeyError for one without `rules`."""
    read = _yaml(packs_dir() / "markers.yml")
    return tuple(Marker(name, tuple(told["rules"]), told.get("open")) for name, told in read.items())


def watched() -> Iterator[list[str]]:
    """A row for each marker and rule: what it rests on, and what can be tuned."""
    rules = {rule.id: rule for rule in load_rules(default_pack())}
    for marker in markers():
        name = marker.name
        for rule in filter(None, map(rules.get, marker.rules)):
            yield [name, *_row(rule)]
            name = ""


def waiting() -> Iterator[list[str]]:
    """A row for each marker of which something is not told."""
    return ([marker.name, marker.open] for marker in markers() if marker.open)


def clauses(sources: Iterable[str]) -> list[str]:
    """Those of a rule's sources that are a regulator's."""
    return [source for source in sources if source.startswith(REGULATORS)]


def _row(rule: Rule) -> list[str]:
    regulators = clauses(rule.sources)
    return [
        f"[{rule.id}](../rules/ontario/{rule.id}.yml)",
        ", ".join([rule.severity, *rule.escalate]),
        "; ".join(source for source in rule.sources if source not in regulators) or "none",
        "; ".join(regulators) or "none",
        _thresholds(_yaml(default_pack() / f"{rule.id}.yml").get("params", {})) or "any",
    ]


def _thresholds(params: dict[str, Any]) -> str:
    """The params as their file writes them."""
    return "; ".join(
        f"`{name}` {param['value']}" + (f" ({param['min']}, {param['max']})" if "min" in param else "")
        for name, param in params.items()
    )


@cache
def _yaml(path: Path) -> Any:
    return YAML(typ="safe", pure=True).load(path.read_text("utf-8"))
