"""Makes a mapping of a file: every key checked, every field typed, every fault told at its place."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path as FilePath
from typing import Any

from detector.events.money import Currencies
from detector.events.vocabulary import CARRIED_TYPES, CARRIER_FIELDS, WIRE_FIELDS, Field, FieldKind
from detector.language.parse import suggestion
from detector.language.reading import Reading
from detector.language.source import (
    Fault,
    Mapping,
    Node,
    Scalar,
    scalar,
    shorten,
    single,
)
from detector.language.syntax import Place
from detector.mapping.blocks import Entry, as_meant, block_of, entries_of, items_of
from detector.mapping.cases import Case, EventPlan, Step
from detector.mapping.conditions import read_condition
from detector.mapping.examples import read_example
from detector.mapping.feed import Example, FeedMapping
from detector.mapping.fields import FieldPlan, read_field
from detector.mapping.forms import Forms, read_money_form, read_time_form
from detector.mapping.message import ABSENT, Path, Scope, Scopes, looks_like_path
from detector.mapping.origins import Unmapped, known_keys, read_origin, read_path
from detector.mapping.tables import check_table, read_table
from detector.mapping.values import MoneyForm, TimeForm

_NEEDED = ("id", "title", "cases")
KEYS = (*_NEEDED, "about", "each", "times", "money", "tables", "common", "examples")
_CASE_KEYS = ("when", "each", "event", "events", "drop", "refuse")
_DOES = ("event", "events", "drop", "refuse")
_ID = re.compile(r"[a-z][a-z0-9-]{0,62}")
_FIRST = ("currency", "limit")  # other fields are read by them
_OF_EVERY = ("id", "source", "player", "ts")  # what hardly a file gives event by event
_EVERY = {name for fields in WIRE_FIELDS.values() for name in fields}
MAX_CASES = 200
MAX_EVENTS = 16
MAX_EXAMPLES = 200


def read_mapping(path: FilePath, currencies: Currencies) -> Reading[FeedMapping]:
    """Read one mapping file; never raises for what the file holds."""
    reading: Reading[FeedMapping] = Reading(str(path))
    reading.read("mapping", lambda root: _Loader(path, root, currencies, reading).mapping())
    return reading


class _Loader:
    def __init__(
        self, path: FilePath, root: Mapping, currencies: Currencies, reading: Reading[FeedMapping]
    ) -> None:
        self._path = path
        self._root = root
        self._reading = reading
        self._forms = Forms(currencies)
        self._levels = 1  # records that a path can start from outside a case's own `each`
        self._common: tuple[Entry, ...] = ()
        self._used: set[str] = set()
        self._complete = True  # whether every event could be read
        self._lacks: dict[str, dict[Place, list[str]]] = {}  # field → event → types that need it
        self._built: list[FeedMapping] = []

    def mapping(self) -> FeedMapping | None:
        for key, _ in self._root:
            if key.text not in KEYS:
                self._reading.tell(
                    key.place, f'unknown key "{shorten(key.text)}"{suggestion(key.text, KEYS)}'
                )
        self._root = replace(self._root, entries=as_meant(self._root.entries, KEYS))
        for needed in _NEEDED:
            if self._root.get(needed) is None:
                self._reading.tell(self._root.place, f"`{needed}` is missing")
        name = self._read("id", self._id)
        title = self._read("title", single)
        self._read("about", single)
        each = self._read("each", lambda node: read_path(scalar(node), 1))
        self._levels = 1 if self._root.get("each") is None else 2
        self._read("tables", self._tables)
        self._stand_in()
        self._read("money", self._money)
        self._read("times", self._times)
        common = self._read("common", entries_of)
        self._common = as_meant(common or (), _EVERY)
        cases = self._read("cases", self._cases) or []
        examples = self._read("examples", self._examples) or []
        self._tell_of_common(common or (), bool(cases))
        if common is not None or self._root.get("common") is None:
            self._tell_of_lacks()
        if self._reading.findings:
            return None
        self._built.append(FeedMapping(name, title, self._path, each, tuple(cases), tuple(examples)))
        return self._built[0]

    # How findings are gathered

    @contextmanager
    def _told(self, *, event: bool = False) -> Iterator[None]:
        try:
            yield
        except Fault as fault:
            self._complete &= not event
            self._reading.tell(fault.place, fault.message)

    def _stand_in(self) -> None:
        """Put something in the place of what may be wrong: its own finding will do, without one a field."""
        if self._root.get("money") is not None:
            self._forms = replace(self._forms, money=MoneyForm("minor"))
        if self._root.get("times") is not None:
            self._forms = replace(self._forms, time=TimeForm(zone="UTC"))

    def _tell_of_common(self, common: tuple[Entry, ...], any_case: bool) -> None:
        for key, _ in common:
            if key.text not in _EVERY:
                told = f'no event has a field "{shorten(key.text)}"{suggestion(key.text, _EVERY)}'
                self._reading.tell(key.place, told)
            elif key.text not in self._used and any_case and self._complete:
                self._reading.tell(key.place, f"no event of this file has a `{key.text}`")

    def _tell_of_lacks(self) -> None:
        for name, events in self._lacks.items():
            if name in _OF_EVERY and len(events) > 1 and name not in self._used:
                node = self._root.get("common") or self._root
                self._reading.tell(node.place, f"every event needs `{name}`: give it in `common`")
                continue
            for place, types in events.items():
                self._reading.tell(place, f"a {' or '.join(types)} needs `{name}`, here or in `common`")

    def _read(self, key: str, make: Callable[[Node], Any]) -> Any:
        node = self._root.get(key)
        if isinstance(node, Scalar) and (node.is_null or not node.text.strip()):
            self._reading.tell(node.place, f"`{key}` is empty")
        elif node is not None:
            return self._reading.made(node, make)
        return None

    # What stands once in a file

    def _id(self, node: Node) -> str:
        text = single(node)
        if not _ID.fullmatch(text):
            raise Fault(node.place, "an id is 1 to 63 small letters, digits and hyphens, a letter first")
        if text != self._path.stem:
            raise Fault(
                node.place, f'the id is "{text}" but the file "{shorten(self._path.stem)}": name both alike'
            )
        return text

    def _tables(self, node: Node) -> None:
        tables = {}
        for key, value in entries_of(node):
            with self._told():
                tables[key.text] = value
                check_table(value)
        self._forms = replace(self._forms, tables=tables)

    def _money(self, node: Node) -> None:
        block = block_of(node)
        known_keys(block, ("unit", "round", "sign", "decimals"), "`money`")
        form = read_money_form(block, None)
        if form is None:
            raise Fault(node.place, "`money` needs `unit`: major (12.50) or minor (1250)")
        self._forms = replace(self._forms, money=form)

    def _times(self, node: Node) -> None:
        block = block_of(node)
        known_keys(block, ("format", "zone"), "`times`")
        form = read_time_form(block, TimeForm())
        self._forms = replace(self._forms, time=form)

    def _examples(self, node: Node) -> list[Example]:
        found = []
        for item in items_of(node, "examples", MAX_EXAMPLES):
            with self._told():
                found.append(read_example(item))
        return found

    # Cases

    def _cases(self, node: Node) -> list[Case]:
        found: list[Case] = []
        items = items_of(node, "cases", MAX_CASES)
        for number, item in enumerate(items, 1):
            with self._told(event=True):
                block = block_of(item)
                case = self._case(block)
                if case.when is None and number < len(items) and block.get("when") is None:
                    raise Fault(item.place, "a case without `when` takes every record: put it last")
                found.append(case)
        return found

    def _case(self, block: Mapping) -> Case:
        known_keys(block, _CASE_KEYS, "a case")
        does = [key for key in _DOES if block.get(key) is not None]
        if len(does) != 1:
            raise Fault(block.place, f"a case does one thing: {', '.join(_DOES)}")
        when_node, each_node, node = block.get("when"), block.get("each"), block.get(does[0])
        assert node is not None
        when = None
        if when_node is not None:
            with self._told():
                when = read_condition(when_node, self._levels)
        if does[0] in ("drop", "refuse"):
            if each_node is not None:
                raise Fault(
                    each_node.place, f"nothing is made here: `each` and `{does[0]}` do not go together"
                )
            why = single(node)
            if not why:
                raise Fault(node.place, f"say why: `{does[0]}` has a reason")
            return (
                Case(block.place, when, drop=why)
                if does[0] == "drop"
                else Case(block.place, when, refuse=why)
            )
        each = None if each_node is None else read_path(scalar(each_node), self._levels)
        items = [node] if does[0] == "event" else items_of(node, "events", MAX_EVENTS)
        plans = []
        for position, item in enumerate(items, 1):
            with self._told(event=True):
                plans.append(self._event(block_of(item), position, inner=each is not None))
        return Case(block.place, when, each, events=tuple(plans))

    def _event(self, block: Mapping, position: int, *, inner: bool) -> EventPlan:
        levels = self._levels + inner
        types, type_of = self._types(block, levels, WIRE_FIELDS.keys())
        when_node = block.get("when")
        when = None if when_node is None else read_condition(when_node, levels)
        given = self._own(block, types, ())
        own = {key.text for key, _ in given}
        common = [(key, node) for key, node in self._common if key.text not in own]
        fields: dict[str, list[Step]] = {}
        for type_ in types:
            known = WIRE_FIELDS[type_]
            made = self._fields(common, known, self._levels, outer=inner)
            made |= self._fields(given, known, levels)
            self._used |= made.keys()
            self._demand(block, type_, made, ())
            self._check_id(block, made, inner, "id" in own)
            fields[type_] = _steps(type_, made)
        return EventPlan(type_of, fields, when, position, own_id="id" in own or position == 1)

    def _types(self, block: Mapping, levels: int, known: Any) -> tuple[list[str], Callable[[Scopes], str]]:
        """The types that an event may have, and what tells which."""
        node = block.get("type")
        if node is None:
            raise Fault(block.place, "an event needs its `type`")
        if isinstance(node, Scalar) and not looks_like_path(node.text):
            only = self._type(node, known)
            return [only], lambda scopes: only
        if not isinstance(node, Mapping) or node.get("from") is None or node.get("table") is None:
            raise Fault(node.place, "`type` is a type of event, or {from: .path, table: {theirs: ours}}")
        known_keys(node, ("from", "table", "else"), "`type`")
        origin_node, table_node, otherwise = node.get("from"), node.get("table"), node.get("else")
        assert origin_node is not None
        assert table_node is not None
        origin = read_origin(origin_node, levels)
        table = read_table("type", table_node, otherwise, self._forms.tables)
        if table.otherwise in ("omit", "pass"):
            raise Fault(
                otherwise.place if otherwise else node.place,
                "the `else` of a type is refuse, drop or {value: …}",
            )
        types = list(dict.fromkeys(self._type(outcome, known) for outcome in table.outcomes))
        if not types or None in table.values.values():
            raise Fault(table_node.place, "every value of this table is a type of event")

        def type_of(scopes: Scopes) -> str:
            value = origin.find(scopes)
            if value is ABSENT or value is None:
                raise Unmapped("missing_field", origin.at(scopes), "tells the type of event, and is missing")
            return str(table.look_up(value, origin.at(scopes)))

        return types, type_of

    def _type(self, node: Scalar, known: Any) -> str:
        text = node.text.strip()
        if text not in known:
            raise Fault(node.place, f'no event type "{shorten(text)}"{suggestion(text, known)}')
        return text

    def _own(self, block: Mapping, types: list[str], banned: tuple[str, ...]) -> list[Entry]:
        """The fields that the event itself maps; a finding for each that none of its types has."""
        every = {name for type_ in types for name in WIRE_FIELDS[type_]} - set(banned)
        given = [entry for entry in block if entry[0].text not in ("type", "when")]
        for key, _ in given:
            if key.text in banned:
                self._reading.tell(key.place, f"`{key.text}` is the correction's own; leave it out")
            elif key.text not in every:
                told = (
                    f'a {" or ".join(types)} has no field "{shorten(key.text)}"{suggestion(key.text, every)}'
                )
                self._reading.tell(key.place, told)
        own = [entry for entry in given if entry[0].text not in banned]
        return [(key, node) for key, node in as_meant(own, every) if key.text in every]

    def _fields(
        self, entries: list[Entry], known: Any, levels: int, *, outer: bool = False
    ) -> dict[str, FieldPlan]:
        made = {}
        for key, node in entries:
            spec: Field | None = known.get(key.text)
            if spec is None:
                continue
            with self._told():
                if spec.kind is FieldKind.EVENT:
                    plan = self._carried(key.text, node, levels)
                else:
                    plan = read_field(key.text, spec, node, self._forms, levels)
                made[key.text] = replace(plan, outer=outer)
            made.setdefault(key.text, _FAILED)
        return made

    def _demand(
        self, block: Mapping, type_: str, made: dict[str, FieldPlan], spared: tuple[str, ...]
    ) -> None:
        for name, spec in WIRE_FIELDS[type_].items():
            if spec.required and name not in made and name not in spared:
                self._lacks.setdefault(name, {}).setdefault(block.place, []).append(type_)

    def _check_id(self, block: Mapping, made: dict[str, FieldPlan], inner: bool, own: bool) -> None:
        plan = made.get("id")
        if plan is None or plan is _FAILED:
            return
        if inner and not own:
            raise Fault(
                block.place,
                "each record of `each` needs an `id` of its own: give it here, with something of the record",
            )
        if (inner or self._levels == 2) and all(path.level != 1 for path in plan.paths):
            node = block.get("id") or next(node for key, node in self._common if key.text == "id")
            raise Fault(
                node.place,
                "this id is the same for all records of a message: put something of the record in it",
            )

    # Corrections

    def _carried(self, name: str, node: Node, levels: int) -> FieldPlan:
        if isinstance(node, Scalar):
            path = read_path(node, levels)
            return FieldPlan(partial(self._by_cases, name, path), (path,))
        block = block_of(node)
        types, type_of = self._types(block, levels, CARRIED_TYPES.keys())
        if block.get("when") is not None:
            raise Fault(block.place, f"`{name}` has no `when`: it belongs to the event")
        fields: dict[str, list[Step]] = {}
        for type_ in types:
            own = self._own(block, types, CARRIER_FIELDS)
            made = self._fields(own, WIRE_FIELDS[type_], levels)
            self._demand(block, type_, made, CARRIER_FIELDS)
            fields[type_] = _steps(type_, made)
        plan = EventPlan(type_of, fields)
        return FieldPlan(lambda scopes, made: plan.make(scopes, carried=True))

    def _by_cases(self, name: str, path: Path, scopes: Scopes, made: Any) -> Any:
        """Map the old record that the feed carries by the file's own cases."""
        value = path.find(scopes)
        if value is ABSENT or value is None:
            return ABSENT
        at = path.at(scopes)
        events = self._built[0].carried([*scopes[: self._levels - 1], Scope(value, at)])
        if len(events) > 1 and name == "replaced":
            events = [event for event in events if event["type"] == made["type"]]
        if len(events) != 1 or events[0]["type"] not in CARRIED_TYPES:
            raise Unmapped(
                "unmapped", at, f"must give one event to be carried; write `{name}` out in the mapping"
            )
        return events[0]


def _nothing(scopes: Scopes, made: Any) -> Any:
    return ABSENT


_FAILED = FieldPlan(_nothing)  # stands for a field that has a finding of its own


def _steps(type_: str, made: dict[str, FieldPlan]) -> list[Step]:
    names = sorted(made, key=lambda name: name not in _FIRST)
    return [Step.of(name, made[name], required=WIRE_FIELDS[type_][name].required) for name in names]
