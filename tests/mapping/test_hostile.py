"""Whatever is sent and whatever a file holds: mapping and decoding never raise, and nothing is lost."""

from __future__ import annotations

import copy
import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from detector.events.decode import REASONS, Decoder, Refusal
from detector.mapping.catalogue import load_mapping, mapping_files, packaged_mappings
from detector.mapping.examples import check_examples
from detector.mapping.feed import FeedMapping, translate
from detector.mapping.load import read_mapping
from tests.mapping.samples import CURRENCIES

FILES = mapping_files(packaged_mappings())
MAPPINGS = [load_mapping(path, CURRENCIES) for path in FILES]
EXAMPLES = [(mapping, json.loads(each.message)) for mapping in MAPPINGS for each in mapping.examples]

each_mapping = pytest.mark.parametrize("mapping", MAPPINGS, ids=lambda mapping: mapping.id)

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**40), 10**40),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
    st.sampled_from(
        ["", "-1", "1e9", "12.345", "2026-03-01T10:00:00", "9999-12-31T23:59:59Z", "CAD", "\ud800", "x" * 200]
    ),
)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def settle(mapping: FeedMapping, raw: bytes) -> None:
    """Map, decode, and see that every record became events, or was dropped, or is kept with why."""
    records = mapping.records(raw)
    found = translate(mapping, Decoder(CURRENCIES), raw)
    for record in records:
        assert record.dropped is not None or record.refused is not None or record.events
    if found.refusal is not None:
        assert found.refusal.reason in REASONS
        assert found.refusal.original == raw
    for taken in found.taken:
        again = Decoder(CURRENCIES).decode(taken.raw)
        assert not isinstance(again, Refusal)
        assert again == taken.event
    if any(record.refused for record in records):
        assert found.refusal is not None


@each_mapping
@settings(max_examples=60, deadline=None)
@given(message=anything)
def test_any_json_is_settled(mapping: FeedMapping, message: Any) -> None:
    settle(mapping, json.dumps(message).encode())


@each_mapping
@settings(max_examples=30, deadline=None)
@given(raw=st.binary(max_size=60))
def test_any_bytes_are_settled(mapping: FeedMapping, raw: bytes) -> None:
    settle(mapping, raw)


@settings(max_examples=300, deadline=None)
@given(
    which=st.integers(0, len(EXAMPLES) - 1), seed=st.integers(0, 2**32), value=anything, gone=st.booleans()
)
def test_a_real_message_with_one_thing_changed_is_settled(
    which: int, seed: int, value: Any, gone: bool
) -> None:
    mapping, example = EXAMPLES[which]
    message = copy.deepcopy(example)
    places = list(_places(message))
    owner, key = random.Random(seed).choice(places)
    if gone:
        del owner[key]
    else:
        owner[key] = value
    settle(mapping, json.dumps(message).encode())


def _places(value: Any) -> Any:
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        yield value, key
        yield from _places(inner)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(which=st.integers(0, len(FILES) - 1), seed=st.integers(0, 2**32))
def test_a_file_with_one_line_spoilt_loads_or_says_why(which: int, seed: int, tmp_path: Path) -> None:
    rng = random.Random(seed)
    lines = FILES[which].read_text("utf-8").split("\n")
    number = rng.randrange(len(lines))
    line = lines[number]
    at = rng.randrange(len(line) + 1)
    lines[number] = rng.choice(
        [
            "",
            line[:at],
            line[:at] + rng.choice(":{}[]'\"-.$% ") + line[at:],
            line[:at] + line[at + 1 :],
            line + line,
        ]
    )
    path = tmp_path / FILES[which].name
    path.write_text("\n".join(lines), "utf-8")
    reading = read_mapping(path, CURRENCIES)
    assert (reading.found is None) == bool(reading.findings)
    for finding in reading.findings:
        assert 1 <= finding.line <= len(lines) + 1
    if reading.found is not None:
        check_examples(reading.found, CURRENCIES)
