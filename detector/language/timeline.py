"""Reads the tests of a rule: lines such as `day 40 10:00 deposit 250 CAD session=s1` become raw events.

    [day N | YYYY-MM-DD] HH:MM[:SS] TYPE [MONEY …] [key=value …]

A line without a day keeps the day of the line above (the first has day 1, which is 2026-01-01); blank lines
and lines starting with `#` are passed over. MONEY fills the type's money fields in the order of the
vocabulary. A value with blanks stands in double quotes (`new="200 CAD"`, `until="day 9 10:00"`); `none` is a
limit's "no limit", and the other values are written as in conditions. Events are called e1, e2, … in the
order of their lines (ticks left out) unless they bear an `id=`. `void target=e3` and `replaces=e3` carry what
that line holds, wherever it stands.

    scores: {harm: 40%}

is what the models say at each of its deposits and session ends; without it they say nothing.

    expect: [{at: day 40 10:00}, {at: day 41 10:00, severity: critical, kind: escalate}]

lists every alert; the severity is the rule's unless it says otherwise, and without a kind any kind fits.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from detector.events.decode import Decoder, Refusal
from detector.events.instants import known_zones, micros
from detector.events.money import Currencies
from detector.events.vocabulary import (
    CARRIER_FIELDS,
    EVENT_TYPES,
    LIMIT_KINDS,
    MONEY_FIELDS,
    WIRE_FIELDS,
    FieldKind,
)
from detector.language.literals import read_literal, read_money
from detector.language.parse import suggestion
from detector.language.rule import MODELS, SEVERITIES, ExpectedAlert, Timeline
from detector.language.source import Fault, Mapping, Node, Scalar, Sequence, shorten
from detector.language.syntax import Kind, Percentile, Place
from detector.language.timeline_cohorts import read_cohorts

FIRST_DAY = date(2026, 1, 1)
MAX_DAYS = 4_000
MAX_LINES = 1_000
KINDS = ("open", "escalate", "remind")
_TEST_KEYS = ("name", "zone", "scores", "cohorts", "timeline", "expect")
_EXPECT_KEYS = ("at", "severity", "kind")

_WORD = re.compile(r'(?:[^\s"]|"[^"]*")+')
_DAY = re.compile(r"[0-9]{1,4}")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_CLOCK = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])(?::([0-5][0-9]))?")
_MOMENT = re.compile(r"(?:day +([0-9]{1,4})|([0-9]{4}-[0-9]{2}-[0-9]{2}))[ T]+([0-9:]+)")
_AMOUNT = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?([A-Z][A-Z0-9]{2,15})")
_FILLED_IN = ("ts", "voided", "replaced")  # by the line's time and by what `target` and `replaces` name


@dataclass(frozen=True, slots=True)
class _Word:
    text: str
    place: Place


@dataclass(frozen=True, slots=True)
class _Line:
    """A line that has been read, its corrections not filled in yet."""

    place: Place
    event: dict[str, Any]
    correction: tuple[str, _Word] | None  # the field to fill, and the id of what goes there


def read_test(
    node: Node, severity: str, currencies: Currencies, percentiles: tuple[Percentile, ...] = ()
) -> Timeline:
    """Return one test of a rule whose own severity is `severity`, and that asks for `percentiles`.

    Raises
    ------
    Fault
        At the word that does not fit; also where the decoder would refuse the event.
    """
    if not isinstance(node, Mapping):
        raise Fault(node.place, "a test has `name`, `timeline` and `expect`")
    for key, _ in node:
        if key.text not in _TEST_KEYS:
            raise Fault(
                key.place, f'unknown key "{shorten(key.text)}" in a test{suggestion(key.text, _TEST_KEYS)}'
            )
    name, lines, expected = (_needed(node, key) for key in ("name", "timeline", "expect"))
    if not isinstance(name, Scalar) or not name.text.strip():
        raise Fault(name.place, "a test needs a name")
    if not isinstance(lines, Scalar) or not lines.spans:
        raise Fault(lines.place, "a timeline is a `|` block")
    zone = _zone(node.get("zone"))
    reader = _Reader(zone or "UTC", currencies)
    return Timeline(
        name=name.text.strip(),
        zone=zone,
        events=tuple(reader.events(lines)),
        expect=tuple(reader.expectation(item, severity) for item in _items(expected)),
        line=node.place.line,
        cohorts=tuple(read_cohorts(node.get("cohorts"), percentiles, currencies)),
        scores=_scores(node.get("scores"), currencies),
    )


def _scores(node: Node | None, currencies: Currencies) -> dict[str, float]:
    """What the models say at every moment of the test, by model."""
    if node is None:
        return {}
    if not isinstance(node, Mapping):
        raise Fault(node.place, "`scores` is a mapping of models to numbers: {harm: 40%}")
    found = {}
    for key, value in node:
        if key.text not in MODELS:
            told = f'no model is called "{shorten(key.text)}"{suggestion(key.text, MODELS)}'
            raise Fault(key.place, f"{told}; there are {', '.join(MODELS)}")
        try:
            literal = read_literal(value.text.strip(), currencies) if isinstance(value, Scalar) else None
        except ValueError as error:
            raise Fault(value.place, str(error)) from None
        if literal is None or literal.kind not in (Kind.COUNT, Kind.NUMBER):
            raise Fault(value.place, "a score is a number or a share, such as 3.5 or 40%")
        found[key.text] = float(literal.value)
    return found


def _needed(test: Mapping, key: str) -> Node:
    node = test.get(key)
    if node is None:
        raise Fault(test.place, f"this test has no `{key}`")
    return node


def _items(expected: Node) -> tuple[Node, ...]:
    if not isinstance(expected, Sequence):
        raise Fault(expected.place, "`expect` is a list, [] for silence")
    return expected.items


def _zone(node: Node | None) -> str | None:
    if node is None:
        return None
    if not isinstance(node, Scalar) or node.text not in known_zones():
        near = suggestion(node.text, list(known_zones())) if isinstance(node, Scalar) else ""
        raise Fault(node.place, f"a zone is an IANA name such as America/Toronto{near}")
    return node.text


class _Reader:
    """Reads the lines of one test, keeping the day from line to line."""

    def __init__(self, zone: str, currencies: Currencies) -> None:
        self._zone = ZoneInfo(zone)
        self._zone_name = zone
        self._currencies = currencies
        self._day = FIRST_DAY

    def events(self, block: Scalar) -> Iterator[bytes]:
        """Yield each line's event as raw JSON, in the order of the lines."""
        lines = list(self._lines(block))
        if not lines:
            raise Fault(block.place, "a timeline needs at least one line")
        by_id: dict[tuple[str, str], _Line] = {}
        for line in lines:
            by_id.setdefault((line.event.get("player", ""), line.event.get("id", "")), line)
        decoder = Decoder(self._currencies)
        for line in lines:
            event = dict(line.event)
            if line.correction:
                holding, named = line.correction
                target = by_id.get((event["player"], named.text)) if named.text else None
                if target is None:
                    told = f'no line of player {shorten(event["player"])} has the id "{shorten(named.text)}"'
                    raise Fault(named.place, told)
                event[holding] = {k: v for k, v in target.event.items() if k not in CARRIER_FIELDS}
            raw = json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()
            decoded = decoder.decode(raw)
            if isinstance(decoded, Refusal):
                raise Fault(line.place, f"such an event is refused ({decoded.reason}): {decoded.detail}")
            yield raw

    def expectation(self, node: Node, severity: str) -> ExpectedAlert:
        """Return one entry of `expect`."""
        if not isinstance(node, Mapping):
            raise Fault(
                node.place,
                "an expected alert is {at: day 40 10:00}, with severity and kind where they differ",
            )
        values: dict[str, str] = {}
        at = node.get("at")
        if not isinstance(at, Scalar):
            raise Fault(node.place, "an expected alert needs `at`, such as at: day 40 10:00")
        for key, value in node:
            if key.text not in _EXPECT_KEYS:
                raise Fault(
                    key.place, f'unknown key "{shorten(key.text)}"{suggestion(key.text, _EXPECT_KEYS)}'
                )
            choices = {"severity": SEVERITIES, "kind": KINDS}.get(key.text)
            if choices is None:
                continue
            if not isinstance(value, Scalar) or value.text not in choices:
                raise Fault(value.place, f"`{key.text}` is one of {', '.join(choices)}")
            values[key.text] = value.text
        instant = self._moment(_Word(at.text.strip(), at.place))
        return ExpectedAlert(micros(instant), values.get("severity", severity), values.get("kind"))

    def _lines(self, block: Scalar) -> Iterator[_Line]:
        offset = 0
        events = 0
        for number, text in enumerate(block.text.split("\n")):
            if number > MAX_LINES:
                raise Fault(block.at(offset), f"a timeline has at most {MAX_LINES} lines")
            words = [_Word(match[0], block.at(offset + match.start())) for match in _WORD.finditer(text)]
            if '"' in _WORD.sub("", text):
                raise Fault(block.at(offset + text.rindex('"')), "a text has no closing quote")
            offset += len(text) + 1
            if not words or words[0].text.startswith("#"):
                continue
            line = self._line(words, events + 1)
            events += line.event["type"] != "tick"
            yield line

    def _line(self, words: list[_Word], number: int) -> _Line:
        start = words[0].place
        rest = self._take_day(words)
        if not rest or not _CLOCK.fullmatch(rest[0].text):
            place = rest[0].place if rest else words[-1].place
            raise Fault(place, "a line is [day N | YYYY-MM-DD] HH:MM[:SS] TYPE …")
        instant = self._instant(self._day, rest[0])
        if len(rest) < 2:
            raise Fault(rest[0].place, "an event type is missing behind the time")
        kind = rest[1]
        if kind.text not in EVENT_TYPES:
            near = suggestion(kind.text, list(EVENT_TYPES))
            raise Fault(kind.place, f'no event type "{shorten(kind.text)}"{near}')
        ts = instant.astimezone(UTC).isoformat().replace("+00:00", "Z")
        event: dict[str, Any] = {"type": kind.text, "ts": ts}
        if kind.text != "tick":
            event |= {"id": f"e{number}", "source": "timeline", "player": "player"}
        return self._fill(start, event, rest[2:])

    def _fill(self, start: Place, event: dict[str, Any], words: list[_Word]) -> _Line:
        type_ = event["type"]
        amounts = _amounts([word for word in words if "=" not in word.text])
        if len(amounts) > len(MONEY_FIELDS[type_]):
            extra = amounts[len(MONEY_FIELDS[type_])]
            raise Fault(extra.place, f'{type_} has no place for "{shorten(extra.text)}": write key=value')
        for field, amount in zip(MONEY_FIELDS[type_], amounts, strict=False):
            self._set_money(event, field, amount)
        # `limit` tells how `old` and `new` are read, wherever it stands.
        keyed = [word for word in words if "=" in word.text]
        keyed.sort(key=lambda word: word.text.startswith(("old=", "new=")))
        correction = None
        named: set[str] = set()
        for word in keyed:
            key, value = _split(word)
            if key in named:
                raise Fault(word.place, f"{key} comes twice")
            named.add(key)
            known = {name: of for name, of in WIRE_FIELDS[type_].items() if name not in _FILLED_IN}
            if key not in known:
                near = suggestion(key, known)
                raise Fault(word.place, f'a line sets no "{shorten(key)}" of {type_}{near}')
            if (type_, key) == ("void", "target"):
                correction = ("voided", value)
            elif key == "replaces":
                correction = ("replaced", value)
            self._set(event, key, known[key].kind, value)
        return _Line(start, event, correction)

    def _set(self, event: dict[str, Any], key: str, kind: FieldKind, word: _Word) -> None:
        if kind is FieldKind.BY_LIMIT:
            if word.text == "none":
                event[key] = None
                return
            if event.get("limit") not in LIMIT_KINDS:
                raise Fault(
                    word.place,
                    f"{key} is money, a count or minutes by limit=, which is one of {', '.join(LIMIT_KINDS)}",
                )
            kind = LIMIT_KINDS[event["limit"]]
        if kind is FieldKind.MONEY:
            self._set_money(event, key, word)
        elif kind is FieldKind.INSTANT:
            event[key] = self._moment(word).astimezone(UTC).isoformat().replace("+00:00", "Z")
        elif kind is FieldKind.TRUTH:
            if word.text not in ("true", "false"):
                raise Fault(word.place, f"{key} is true or false")
            event[key] = word.text == "true"
        elif kind is FieldKind.TEXT:
            event[key] = word.text
        else:
            event[key] = self._number(key, kind, word)

    def _number(self, key: str, kind: FieldKind, word: _Word) -> float:
        try:
            literal = read_literal(word.text, self._currencies)
        except ValueError as error:
            raise Fault(word.place, str(error)) from None
        if literal is not None and not isinstance(literal.value, str):
            if literal.kind is Kind.COUNT:
                return literal.value
            if (
                kind is FieldKind.MINUTES
                and literal.kind is Kind.DURATION
                and literal.value % 60_000_000 == 0
            ):
                return literal.value // 60_000_000
            if kind is FieldKind.NUMBER and literal.kind is Kind.NUMBER:
                return literal.value
        said = {FieldKind.NUMBER: "a number or a share such as 80%", FieldKind.MINUTES: "whole minutes"}
        raise Fault(word.place, f"{key} is {said.get(kind, 'a whole number')}")

    def _set_money(self, event: dict[str, Any], key: str, word: _Word) -> None:
        match = _AMOUNT.fullmatch(word.text)
        if not match:
            raise Fault(word.place, f'{key} is money, such as {key}="200 CAD"')
        try:
            minor, currency = read_money(match[1], match[2], self._currencies)
        except ValueError as error:
            raise Fault(word.place, str(error)) from None
        if event.setdefault("currency", currency) != currency:
            raise Fault(word.place, f"{currency} in an event of {shorten(str(event['currency']))}")
        event[key] = minor

    def _take_day(self, words: list[_Word]) -> list[_Word]:
        if words[0].text == "day":
            if len(words) < 2 or not _DAY.fullmatch(words[1].text):
                raise Fault(words[0].place, "`day` needs a number, such as day 12")
            self._day = self._numbered(int(words[1].text), words[1].place)
            return words[2:]
        if _DATE.fullmatch(words[0].text):
            self._day = _dated(words[0].text, words[0].place)
            return words[1:]
        return words

    def _moment(self, word: _Word) -> datetime:
        match = _MOMENT.fullmatch(word.text)
        if not match:
            raise Fault(
                word.place, f'"{shorten(word.text)}" is no moment, such as day 40 10:00 or 2026-02-09 10:00'
            )
        day = self._numbered(int(match[1]), word.place) if match[1] else _dated(match[2], word.place)
        return self._instant(day, _Word(match[3], word.place))

    def _numbered(self, number: int, place: Place) -> date:
        if not 1 <= number <= MAX_DAYS:
            raise Fault(place, f"days run from 1 to {MAX_DAYS}")
        return FIRST_DAY + timedelta(days=number - 1)

    def _instant(self, day: date, clock: _Word) -> datetime:
        match = _CLOCK.fullmatch(clock.text)
        if not match:
            raise Fault(clock.place, f'"{shorten(clock.text)}" is no time of day, such as 10:00 or 10:00:30')
        # A doubled hour is read as its first occurrence (fold 0); a skipped one comes back as another time.
        hour, minute, second = (int(part or 0) for part in match.groups())
        local = datetime.combine(day, time(hour, minute, second), self._zone)
        if local.astimezone(UTC).astimezone(self._zone).replace(tzinfo=None) != local.replace(tzinfo=None):
            raise Fault(
                clock.place, f"{day} {clock.text} does not exist in {self._zone_name}: the clocks skip it"
            )
        return local


def _dated(text: str, place: Place) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise Fault(place, f"{text} is no date") from None
    if not 1970 <= day.year <= 2100:
        raise Fault(place, "a date lies within 1970 and 2100")
    return day


def _amounts(words: list[_Word]) -> list[_Word]:
    """Join the words between type and keys, two and two, to amounts of money."""
    amounts = []
    for index in range(0, len(words), 2):
        amount = " ".join(word.text for word in words[index : index + 2])
        if not _AMOUNT.fullmatch(amount):
            raise Fault(
                words[index].place, f'"{shorten(amount)}" is no money such as 200 CAD and no key=value'
            )
        amounts.append(_Word(amount, words[index].place))
    return amounts


def _split(word: _Word) -> tuple[str, _Word]:
    """Return the key and the value of `key=value` or `key="va lue"`."""
    key, _, value = word.text.partition("=")
    column = word.place.column + len(key) + 1
    if len(value) > 1 and value.startswith('"') and value.endswith('"'):
        return key, _Word(value[1:-1], Place(word.place.line, column + 1))
    return key, _Word(value, Place(word.place.line, column))
