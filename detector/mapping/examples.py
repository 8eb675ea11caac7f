"""The examples that a mapping file holds: messages with what is to come of them, run like tests."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec

from detector.errors import Finding
from detector.events.decode import REASONS, Decoder, Refusal
from detector.events.money import Currencies
from detector.language.parse import suggestion
from detector.language.source import Fault, Mapping, Node, Scalar, Sequence, single
from detector.language.syntax import Place
from detector.mapping.feed import Example, FeedMapping, translate
from detector.mapping.origins import known_keys

_KEYS = ("name", "message", "events", "dropped", "refused")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")


def read_example(node: Node) -> Example:
    """Read one example; Fault where it is none."""
    if not isinstance(node, Mapping):
        raise Fault(node.place, "an example has a name, a message and what comes of it")
    known_keys(node, _KEYS, "an example")
    name, message = node.get("name"), node.get("message")
    if name is None or message is None:
        raise Fault(node.place, "an example needs a `name` and a `message`")
    if all(node.get(key) is None for key in ("events", "dropped", "refused")):
        raise Fault(node.place, "say what comes of it: `events`, `dropped` or `refused`")
    events, dropped, refused = node.get("events"), node.get("dropped"), node.get("refused")
    if events is not None and not isinstance(events, Sequence):
        raise Fault(events.place, "`events` is a list")
    reason = None if refused is None else single(refused)
    if refused is not None and reason not in REASONS:
        raise Fault(refused.place, f"`refused` is a reason of a refusal{suggestion(reason or '', REASONS)}")
    return Example(
        single(name),
        node.place,
        _message(message),
        () if events is None else tuple(to_json(item).encode() for item in events.items),
        None if dropped is None else single(dropped),
        reason,
    )


def _message(node: Node) -> bytes:
    # A block of text is taken as it stands: so a message that is no JSON can be an example too.
    if isinstance(node, Scalar) and node.style:
        return node.text.strip().encode()
    return to_json(node).encode()


def to_json(node: Node) -> str:
    """YAML as JSON: what is written plainly as a number, true, false or null is one, all else is text."""
    if isinstance(node, Sequence):
        return f"[{', '.join(to_json(item) for item in node.items)}]"
    if isinstance(node, Mapping):
        return f"{{{', '.join(f'{json.dumps(key.text)}: {to_json(value)}' for key, value in node)}}}"
    if node.style == "":
        if node.is_null:
            return "null"
        if node.text in ("true", "false") or _NUMBER.fullmatch(node.text):
            return node.text
    return json.dumps(node.text)


def check_examples(mapping: FeedMapping, currencies: Currencies) -> list[Finding]:
    """Run a mapping's examples.

    Returns
    -------
    A finding for each that does not come out as it says, and for each case that no example reaches.
    """
    findings = []

    def tell(place: Place, message: str) -> None:
        findings.append(Finding(str(mapping.path), place.line, place.column, message))

    reached: set[int | None] = set()
    for example in mapping.examples:
        reached |= {record.case for record in mapping.records(example.message)}
        for told in _differences(example, mapping, currencies):
            tell(example.place, f"{example.name}: {told}")
    for number, case in enumerate(mapping.cases):
        if number not in reached:
            tell(case.place, "no example comes this way; add one")
    return findings


def _differences(example: Example, mapping: FeedMapping, currencies: Currencies) -> list[str]:
    decoder = Decoder(currencies)
    found = translate(mapping, decoder, example.message)
    told = []
    reason = found.refusal.reason if found.refusal else None
    if reason != example.refused:
        detail = f" ({found.refusal.detail})" if found.refusal else ""
        told.append(_unlike("refused", example.refused, reason) + detail)
    dropped = found.dropped[0] if found.dropped else None
    if dropped != example.dropped:
        told.append(_unlike("dropped", example.dropped, dropped))
    if told:
        return told  # that other events come than expected, or none, follows from it
    wanted = []
    for number, raw in enumerate(example.events, 1):
        event = decoder.decode(raw)
        if isinstance(event, Refusal):
            told.append(f"the event {number} expected is none: {event.reason}, {event.detail}")
            return told
        wanted.append(event)
    made = [taken.event for taken in found.taken]
    if len(made) != len(wanted):
        # Which of them is meant by which is then anybody's guess.
        return [f"{len(wanted)} events expected, but {len(made)} came"]
    for number, (want, have) in enumerate(zip(wanted, made, strict=True), 1):
        told += [f"event {number}: {difference}" for difference in _between(want, have)]
    return told


def _unlike(what: str, wanted: str | None, found: str | None) -> str:
    expected, came = (f"not {what}" if each is None else f"{what} ({each})" for each in (wanted, found))
    return f"expected to be {expected}, but it is {came}"


def _between(want: Any, have: Any) -> list[str]:
    wanted, made = _plain(want), _plain(have)
    return [
        f"`{name}` should be {_shown(wanted, name)}, but is {_shown(made, name)}"
        for name in {**wanted, **made}
        if wanted.get(name, ...) != made.get(name, ...)
    ]


def _plain(event: Any) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(event)
    return plain


def _shown(event: dict[str, Any], name: str) -> str:
    return json.dumps(event[name]) if name in event else "missing"
