"""The parts of the documentation that are made from the code.

Between `<!-- made: NAME -->` and `<!-- end -->` stands what `sections()[NAME]` gives. To renew them all, run
`python -m tests.docs.generated` in the repository.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal, get_args, get_origin

import typer

from api.access.limits import DEFAULTS
from api.access.roles import GRANTS, MEANINGS, ROLES, SCOPES
from api.cli import app
from api.settings import PREFIX, Settings
from detector.engine.places import JURISDICTIONS
from detector.events import decode, document
from detector.events.vocabulary import MAX_MONEY, WIRE_FIELDS, Field, FieldKind
from detector.language import load, parse, source, timeline, types
from detector.language.features import FEATURES
from detector.language.literals import write_duration
from detector.language.rule import CATEGORIES, SEVERITIES
from detector.mapping import cases, message
from detector.mapping import load as mapping
from detector.score.load import SCORES
from detector.score.scoring import BANDS, Override
from tests.docs import desk, ladder
from tests.docs.markdown import ROOT, documents
from tests.docs.markers import HEADER, waiting, watched

_MADE = re.compile(r"(<!-- made: ([^\n]+?) -->\n).*?(<!-- end -->)", re.DOTALL)
_KINDS = {
    FieldKind.INSTANT: "time",
    FieldKind.TRUTH: "true or false",
    FieldKind.BY_LIMIT: "money, count or minutes",
    FieldKind.EVENT: "carried event",
}
COMMON = set.intersection(*(set(fields) for fields in WIRE_FIELDS.values()))


def sections(commands: typer.Typer = app) -> Mapping[str, Callable[[], str]]:
    """Name → what makes the section's text."""
    return {
        "types": _types,
        "closed sets": _closed_sets,
        "limits of events": lambda: _bounds(_EVENT_BOUNDS),
        "limits of rules": lambda: _bounds(_RULE_BOUNDS),
        "limits of mappings": lambda: _bounds(_MAPPING_BOUNDS),
        "settings": _settings,
        "jurisdictions": _jurisdictions,
        "score": _score,
        "ladder": _ladder,
        "scopes": _scopes,
        "request limits": _limits,
        "actions": lambda: _table(ladder.ACTIONS_HEADER, ladder.actions()),
        "reasons": lambda: _table(ladder.REASONS_HEADER, ladder.reasons()),
        "findings": lambda: _table(desk.FINDINGS_HEADER, desk.findings()),
        "verdicts": lambda: _table(desk.VERDICTS_HEADER, desk.verdicts()),
        "waiting": lambda: _table(desk.WAITING_HEADER, desk.waiting()),
        "contested": lambda: _table(desk.WAITING_HEADER, desk.contested()),
        "grounds": lambda: _table(desk.GROUNDS_HEADER, desk.grounds()),
        "markers": lambda: _table(HEADER, watched()),
        "features": _features,
        "markers that wait": lambda: _table(["marker", "what is not told, and why"], waiting()),
        **{
            f"command {name}": _command(command)
            for name, command in _commands(typer.main.get_command(commands))
        },
    }


def renewed(text: str, made: Mapping[str, Callable[[], str]]) -> str:
    """A document with its made sections as they should be; KeyError for a section nobody makes."""
    return _MADE.sub(lambda match: f"{match[1]}\n{made[match[2]]()}\n{match[3]}", text)


def named(text: str) -> list[str]:
    """The sections that a document asks for."""
    return [match[2] for match in _MADE.finditer(text)]


def _table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    header = list(header)
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


# Models


def _features() -> str:
    rows = (
        [
            f"`{each.name}`",
            each.title,
            each.unit,
            f"`{each.formula}`",
            "yes" if each.own else "",
            ", ".join(each.sources),
        ]
        for each in FEATURES.packaged.features
    )
    return _table(["feature", "what it is", "unit", "formula", "own", "after"], rows)


# Events


def _told(name: str, field: Field) -> str:
    told = f"**`{name}`**" if field.required else f"`{name}`"
    return f"{told} ({'one of a set' if field.choices else _KINDS.get(field.kind, str(field.kind))})"


def _types() -> str:
    rows = []
    for type_, fields in WIRE_FIELDS.items():
        own = {name: field for name, field in fields.items() if name not in COMMON}
        rows.append([f"`{type_}`", ", ".join(_told(name, field) for name, field in own.items()) or "none"])
    return _table(["type", "fields beyond the common ones"], rows)


def _closed_sets() -> str:
    sets = {
        (name, field.choices): None
        for fields in WIRE_FIELDS.values()
        for name, field in fields.items()
        if field.choices
    }
    return _table(
        ["field", "values"], ([f"`{name}`", ", ".join(f"`{v}`" for v in values)] for name, values in sets)
    )


# Limits

_EVENT_BOUNDS: dict[str, int | str] = {
    "bytes of an event": decode.MAX_BYTES,
    "nesting of arrays and objects": document.MAX_DEPTH,
    "minor units of money": MAX_MONEY,
    "minutes a `ts` may lie ahead of its receipt": int(decode.AHEAD.total_seconds() // 60),
}
_RULE_BOUNDS: dict[str, int | str] = {
    "bytes of a file": source.MAX_BYTES,
    "YAML elements of a file": source.MAX_EVENTS,
    "nesting of YAML": source.MAX_NESTING,
    "characters of one condition": parse.MAX_LENGTH,
    "characters of all conditions together": load.MAX_CONDITIONS,
    "nesting of a condition": parse.MAX_DEPTH,
    "distinct quantities": load.MAX_QUANTITIES,
    "params, and as many lets": load.MAX_NAMES,
    "shortest window, silence, cooldown or remind": write_duration(types.MIN_WINDOW_US),
    "longest of these, a window's `before` included": f"{types.MAX_REACH_US // 86_400_000_000}d",
    "lines of a timeline": timeline.MAX_LINES,
    "last day of a timeline": timeline.MAX_DAYS,
}
_MAPPING_BOUNDS: dict[str, int | str] = {
    "bytes of a message": message.MAX_MESSAGE,
    "nesting of a message": document.MAX_DEPTH,
    "records of a message": cases.MAX_RECORDS,
    "cases of a file": mapping.MAX_CASES,
    "events that one case makes of a record": mapping.MAX_EVENTS,
}


def _bounds(bounds: Mapping[str, int | str]) -> str:
    rows = ([name, f"{value:,}" if isinstance(value, int) else value] for name, value in bounds.items())
    return _table(["what", "limit"], rows)


# The score


def _score() -> str:
    scoring = SCORES.packaged
    edges = _table(["band", *BANDS], [["from", *map(str, scoring.edges)]])
    weights = _table(["severity", *SEVERITIES], [["points", *map(str, scoring.weights)]])
    rows = (
        [f"`{category}`", write_duration(scoring.half_lives_us[category]), str(scoring.caps[category])]
        for category in CATEGORIES
    )
    categories = _table(["category", "half-life", "at most"], rows)
    money = ", ".join(f"`{category}`" for category in CATEGORIES if category in scoring.money)
    own = [[f"`{rule_id}`", ", ".join(_own(override))] for rule_id, override in sorted(scoring.rules.items())]
    return "\n".join(
        [
            edges,
            weights,
            categories,
            f"{money} together add up to at most {scoring.money_cap}; protection takes off at most "
            f"{scoring.relief}.\n",
            _table(["rule", "otherwise than others"], own),
        ]
    )


def _own(override: Override) -> Iterator[str]:
    for severity, weight in zip(SEVERITIES, override.weights, strict=True):
        if weight is not None:
            yield f"{severity}: {weight} points"
    if override.half_life_us is not None:
        yield f"half-life {write_duration(override.half_life_us)}"


# Settings and commands


def _ladder() -> str:
    parts = [
        f"### {name}\n\n{throughout}\n\n{_table(ladder.RUNGS_HEADER, rows)}"
        for name, throughout, rows in ladder.jurisdictions()
    ]
    return "\n".join(parts)


def _scopes() -> str:
    rows = (
        [f"`{scope}`", MEANINGS[scope], ", ".join(role for role in ROLES if scope in GRANTS[role])]
        for scope in SCOPES
    )
    return _table(["scope", "lets one", "roles that have it"], rows)


def _limits() -> str:
    return _table(["who", "requests"], ([who, f"`{limit}`"] for who, limit in DEFAULTS.items()))


def _settings() -> str:
    rows = []
    for name, field in Settings.model_fields.items():
        default = "none" if field.default is None else f"`{_written(field.default)}`"
        told = field.description or ""
        if get_origin(field.annotation) is Literal:
            told += f" One of {', '.join(f'`{choice}`' for choice in get_args(field.annotation))}."
        rows.append([f"`{PREFIX}{name.upper()}`", default, told])
    return _table(["setting", "default", "what it does"], rows)


def _jurisdictions() -> str:
    zones: dict[str, list[str]] = {}
    for name, zone in JURISDICTIONS.items():
        zones.setdefault(zone, []).append(f"`{name}`")
    return _table(["jurisdiction", "zone"], ([", ".join(names), zone] for zone, names in zones.items()))


def _written(default: object) -> str:
    return str(default).lower() if isinstance(default, bool) else str(default)


def _commands(command: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every command that does something, by the words that call it."""
    for name, below in getattr(command, "commands", {}).items():
        words = f"{path} {name}".strip()
        if hasattr(below, "commands"):
            yield from _commands(below, words)
        else:
            yield words, below


def _command(command: Any) -> Callable[[], str]:
    def text() -> str:
        rows = []
        for param in command.params:
            if param.param_type_name == "argument":
                told = f"`{(param.metavar or param.name).upper()}`" + (
                    "" if param.required else " (optional)"
                )
            else:
                told = ", ".join(f"`{option}`" for option in [*param.opts, *param.secondary_opts])
                if param.default not in (None, False, "", 0.0) and not callable(param.default):
                    told += f" (default `{param.default}`)"
            rows.append([told, param.help or ""])
        table = f"\n{_table(['argument or option', 'what it does'], rows)}" if rows else ""
        return f"{command.help}\n{table}"

    return text


if __name__ == "__main__":
    made = sections()
    for each in documents():
        text = renewed(each.text, made)
        if text != each.text:
            (ROOT / each.path).write_text(text, "utf-8")
            print(f"renewed {each.path}")
