"""Any document whatever: both paths of the decoder agree, nothing gets through or leaks."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.events import decode as module
from detector.events.decode import REASONS, Decoder, Refusal
from detector.events.document import Refused, read_document
from detector.events.identity import fingerprint, pack
from detector.events.vocabulary import EVENT_TYPES, WIRE_FIELDS
from tests.events.decoding import BARE, BET, CURRENCIES, accept
from tests.events.samples import PLAIN, SAMPLES, encode

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=6) | st.sampled_from(
    [",", '"', '":', '","x":"', "\\", "\\u0022", "{", "}", "[,]", "id"]
)
scalars = (
    texts
    | st.integers(-5, 2**54)
    | st.none()
    | st.booleans()
    | st.floats(allow_nan=False, allow_infinity=False)
)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


@st.composite
def spelt(draw: st.DrawFn, value: Any) -> str:
    """A JSON text of `value`, oddly spaced and escaped; an object's pairs may be given as a tuple."""
    gap = st.sampled_from(["", "", "", " ", "\n", "\t", "\r "])
    if isinstance(value, dict):
        value = tuple(value.items())
    if isinstance(value, tuple):
        pairs = [
            f"{draw(gap)}{draw(spelt(key))}{draw(gap)}:{draw(gap)}{draw(spelt(item))}{draw(gap)}"
            for key, item in value
        ]
        return "{" + (",".join(pairs) or draw(gap)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(draw(gap) + draw(spelt(item)) + draw(gap) for item in value) + "]"
    text = json.dumps(value, ensure_ascii=draw(st.booleans()))
    if isinstance(value, str) and value and draw(st.integers(0, 5)) == 0:
        text = '"' + "".join(f"\\u{unit:04x}" for unit in _units(value)) + '"'
    return text


def _units(text: str) -> list[int]:
    raw = text.encode("utf-16-be")
    return [int.from_bytes(raw[at : at + 2], "big") for at in range(0, len(raw), 2)]


@st.composite
def documents(draw: st.DrawFn) -> bytes:
    """Events of every type, some with fields left out, nulled, repeated, unknown, wrong or nested."""
    pairs = list(draw(st.sampled_from([*SAMPLES.values(), *PLAIN.values(), *[BET] * 10])).items())
    for _ in range(draw(st.integers(0, 3))):
        change = draw(st.sampled_from(["drop", "null", "repeat", "unknown", "wrong", "text"]))
        at = draw(st.integers(0, len(pairs) - 1))
        key, value = pairs[at]
        if change == "drop":
            del pairs[at]
        elif change == "null":
            pairs[at] = (key, None)
        elif change == "repeat":
            pairs.insert(draw(st.integers(0, len(pairs))), (key, draw(st.just(value) | scalars)))
        elif change == "unknown":
            pairs.insert(at, (draw(texts), draw(anything)))
        elif change == "wrong":
            pairs[at] = (key, draw(anything))
        elif key in ("id", "game", "session", "product", "channel"):
            pairs[at] = (key, draw(texts))
    if draw(st.booleans()):
        pairs = draw(st.permutations(pairs))
    return draw(spelt(tuple(pairs))).encode()


def _pairs_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise LookupError
    return members


@given(documents())
def test_the_hot_path_agrees_with_the_slow_one(raw: bytes) -> None:
    hot, slow = Decoder(CURRENCIES), Decoder(CURRENCIES)
    decoded = hot.decode(raw)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_PAID", dict.fromkeys(EVENT_TYPES.values()))
        assert slow.decode(raw) == decoded
    assert hot.unknown_fields == slow.unknown_fields
    try:
        document = json.loads(raw, object_pairs_hook=_pairs_once)
    except LookupError:
        assert isinstance(decoded, Refusal)
        assert decoded.reason == "duplicate_key"
        return
    if not isinstance(decoded, Refusal):
        unknown = set(document) - WIRE_FIELDS[decoded.type].keys() - {"type"}
        counted = {name for name in hot.unknown_fields if name.startswith(f"{decoded.type}.")}
        assert {f"{decoded.type}.{name}" for name in unknown} <= counted or decoded.replaced is not None
        known = {name: value for name, value in document.items() if name not in unknown}
        assert accept(encode(known)) == decoded


@given(documents())
def test_a_document_is_read_as_plain_json_is(raw: bytes) -> None:
    try:
        wanted = json.loads(raw, object_pairs_hook=_pairs_once)
    except LookupError:
        with pytest.raises(Refused) as caught:
            read_document(raw)
        assert caught.value.reason == "duplicate_key"
    else:
        assert read_document(raw) == wanted


@given(
    st.sampled_from([encode(sample) for sample in SAMPLES.values()]),
    st.lists(st.tuples(st.integers(0, 2_000), st.binary(max_size=3)), min_size=1, max_size=3),
)
def test_broken_bytes_never_raise(raw: bytes, cuts: list[tuple[int, bytes]]) -> None:
    for at, put in cuts:
        raw = raw[: at % len(raw)] + put + raw[at % len(raw) + len(put) :] or b" "
    decoded = Decoder(CURRENCIES).decode(raw)
    if isinstance(decoded, Refusal):
        assert decoded.reason in REASONS
        assert decoded.original == raw
        assert decoded.detail.startswith("$")
    else:
        json.loads(raw.decode(), object_pairs_hook=_pairs_once)


@given(st.binary(max_size=50))
def test_any_bytes_are_answered(raw: bytes) -> None:
    assert isinstance(Decoder(CURRENCIES).decode(raw), Refusal)


SECRET = "zq9secret"
HIDDEN = [SECRET, [SECRET], {SECRET: SECRET}, SECRET * 30, {"type": SECRET}, 987654.321, 987654, -987654]


@given(st.sampled_from(sorted(SAMPLES)), st.data())
def test_a_detail_never_repeats_what_was_sent(name: str, data: st.DataObject) -> None:
    sample = dict(SAMPLES[name])
    field = data.draw(st.sampled_from(sorted(sample)))
    value = data.draw(st.sampled_from(HIDDEN))
    carried = {key: sample[key] for key in ("voided", "replaced") if key in sample}
    sample[field] = value
    for key in data.draw(st.sampled_from([[], list(carried)])):
        inner = data.draw(st.sampled_from(sorted(carried[key])))
        sample[key] = carried[key] | {inner: value}
    raw = encode(sample)
    if data.draw(st.booleans()):
        raw = raw[:-1] + f',"{SECRET}":1,"{SECRET}":2}}'.encode()
    decoded = Decoder(CURRENCIES).decode(raw)
    if isinstance(decoded, Refusal):
        assert SECRET not in decoded.detail
        assert "987654" not in decoded.detail


@pytest.mark.parametrize("name", SAMPLES)
def test_the_packed_form_has_a_key_for_each_that_was_sent(name: str) -> None:
    """What the hot path counts on: of full events, of bare ones, and with nulls that count as absent."""
    bare = {key: value for key, value in PLAIN[name].items() if key in BARE[name]}
    for event in (SAMPLES[name], PLAIN[name], bare):
        sent = {key for key, value in event.items() if value is not None or key in ("old", "new")}
        assert set(msgspec.msgpack.decode(pack(accept(event)))) == sent
        decoder = Decoder(CURRENCIES)
        assert fingerprint(accept(event, decoder)) == decoder.content


def test_the_hot_path_takes_the_common_types(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(Decoder, "_examine")
    common = {"session_start", "session_end", "deposit", "deposit_failed", "bet", "withdrawal", "contact"}
    for name in common:
        accept(PLAIN[name])
        accept(json.dumps(PLAIN[name]).encode())
