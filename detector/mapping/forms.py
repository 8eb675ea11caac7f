"""How a feed writes money and times: said once in a mapping file, or by a field for itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from detector.events.instants import known_zones
from detector.events.money import Currencies
from detector.language.parse import suggestion
from detector.language.source import Fault, Node, shorten, single
from detector.language.source import Mapping as Block
from detector.mapping.values import DIRECTIVES, EPOCHS, ROUNDINGS, SIGNS, TEXT_TIME, MoneyForm, TimeForm

MAX_DECIMALS = 18


@dataclass(frozen=True, slots=True)
class Forms:
    """What the file says once for all its fields, and what the deployment counts money in."""

    currencies: Currencies
    money: MoneyForm | None = None
    time: TimeForm = field(default_factory=TimeForm)
    tables: Mapping[str, Node] = field(default_factory=dict)


def read_money_form(block: Block, default: MoneyForm | None) -> MoneyForm | None:
    """`unit`, `round`, `sign` and `decimals`; None where nobody says the unit."""
    unit = _unit(block.get("unit"))
    if unit is None and default is None:
        return None
    form = default or MoneyForm("minor")
    if unit is not None:
        form = replace(form, unit=unit)
    if (node := block.get("round")) is not None:
        form = replace(form, rounding=_one_of(node, "round", ROUNDINGS))
    if (node := block.get("sign")) is not None:
        form = replace(form, sign=_one_of(node, "sign", SIGNS))
    if (node := block.get("decimals")) is not None:
        form = replace(form, decimals=_decimals(node))
    if form.decimals and form.unit != "minor":
        raise Fault(block.place, "`decimals` tells the feed's own minor units: it goes with `unit: minor`")
    return form


def _unit(node: Node | None) -> str | int | None:
    if node is None:
        return None
    text = single(node)
    if text in ("major", "minor"):
        return text
    if _is_decimals(text):
        return int(text)
    told = f"`unit` is major, minor, or a number of decimals (3: thousandths) of at most {MAX_DECIMALS}"
    raise Fault(node.place, told + suggestion(text, ("major", "minor")))


def _is_decimals(text: str) -> bool:
    return text.isdecimal() and len(text) <= 2 and int(text) <= MAX_DECIMALS


def _decimals(node: Node) -> dict[str, int]:
    if not isinstance(node, Block):
        raise Fault(node.place, "`decimals` is a mapping of currencies to decimals: {ISK: 2}")
    found = {}
    for key, value in node:
        text = single(value)
        if not _is_decimals(text):
            raise Fault(value.place, f"decimals are a whole number from 0 to {MAX_DECIMALS}")
        found[key.text] = int(text)
    return found


def read_time_form(block: Block, default: TimeForm) -> TimeForm:
    """`format` and `zone`; Fault where a pattern gives no zone and nobody says it."""
    form = default
    if (node := block.get("zone")) is not None:
        zone = single(node)
        if zone not in known_zones():
            raise Fault(node.place, f'no zone "{shorten(zone)}"{suggestion(zone, known_zones())}')
        form = replace(form, zone=zone)
    if (node := block.get("format")) is not None:
        form = replace(form, format=_format(node))
        if "%" in form.format and "%z" not in form.format and form.zone is None:
            raise Fault(node.place, "this format says no zone: give `zone` beside it, or in `times`")
    return form


def _format(node: Node) -> str:
    text = single(node)
    if text == TEXT_TIME or text in EPOCHS:
        return text
    if "%" not in text:
        names = (TEXT_TIME, *EPOCHS)
        raise Fault(
            node.place,
            f"`format` is one of {', '.join(names)}, or a pattern such as %Y-%m-%d{suggestion(text, names)}",
        )
    percent = text.replace("%%", "").split("%")[1:]
    for part in percent:
        if part[:1] not in DIRECTIVES or not part:
            raise Fault(
                node.place,
                f'"%{part[:1]}" is not read; there are {", ".join("%" + each for each in DIRECTIVES)}',
            )
    if not {"Y", "y"} & {part[0] for part in percent}:
        raise Fault(node.place, "this format has no year")
    try:
        datetime.strptime(datetime(2026, 1, 31, tzinfo=UTC).strftime(text), text)  # noqa: DTZ007
    except Exception:  # what an odd pattern does to strptime is not written down anywhere
        raise Fault(node.place, "this format cannot be read; name each part once") from None
    return text


def _one_of(node: Node, key: str, choices: Sequence[str] | Mapping[str, Any]) -> str:
    text = single(node)
    if text not in choices:
        raise Fault(node.place, f"`{key}` is one of {', '.join(choices)}{suggestion(text, choices)}")
    return text
