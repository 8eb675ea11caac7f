"""Hashes of events are the same everywhere, for the same content, and only for it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.events.decode import Decoder, Refusal
from detector.events.identity import fingerprint, identity
from detector.events.money import Currencies
from tests.events.samples import PLAIN, SAMPLES, encode


def of(raw: bytes) -> int:
    event = Decoder(Currencies()).decode(raw)
    assert not isinstance(event, Refusal)
    return fingerprint(event)


def test_they_hold_across_processes_and_versions() -> None:
    """A stored record must not take a repeat for a conflict after an upgrade."""
    assert identity("casino-a", "e-1") == 8_769_220_649_120_918_214
    assert of(encode(SAMPLES["bet"])) == 4_624_251_382_386_361_073


@given(st.text(max_size=5), st.text(max_size=5), st.text(max_size=5), st.text(max_size=5))
def test_source_and_id_do_not_run_together(source: str, event_id: str, source2: str, event_id2: str) -> None:
    same = (source, event_id) == (source2, event_id2)
    assert (identity(source, event_id) == identity(source2, event_id2)) == same
    assert 0 <= identity(source, event_id) < 2**64


def test_source_and_id_that_would_join_alike() -> None:
    joins = [("a", "bc"), ("ab", "c"), ("1:a", "b"), ("1", ":ab"), ("", "abc"), ("abc", ""), ("3:abc", "")]
    assert len({identity(*join) for join in joins}) == len(joins)


@pytest.mark.parametrize("name", SAMPLES)
def test_spelling_does_not_change_it(name: str) -> None:
    sample = SAMPLES[name]
    for raw in (
        json.dumps(sample, indent=1).encode(),
        encode(dict(reversed(sample.items()))),
        encode(sample | {"unknown": 1}),
        encode(sample).replace(b"2026-01-01T10:00:00.123456Z", b"2026-01-01T05:00:00.123456-05:00"),
        encode(sample).replace(b"2026-01-01T10:00:00.123456Z", b"2026-01-01t10:00:00.123456+00:00"),
        encode(sample).replace(b"2026-01-01T09:58:00-05:00", b"2026-01-01T14:58:00Z"),
    ):
        assert of(raw) == of(encode(sample))


@pytest.mark.parametrize("name", PLAIN)
def test_null_is_absent(name: str) -> None:
    if name != "tick":
        assert of(encode(PLAIN[name] | {"brand": None})) == of(
            encode({key: value for key, value in PLAIN[name].items() if key != "brand"})
        )


@pytest.mark.parametrize("name", SAMPLES)
def test_every_field_counts(name: str) -> None:
    sample = SAMPLES[name]
    seen = {of(encode(sample))}
    changes: dict[str, object] = {
        "ts": "2026-01-01T10:00:00.123457Z",
        "currency": "EUR",
        "replaced": sample.get("replaced", {}) | {"stake": 201},
        "voided": sample.get("voided", {}) | {"stake": 201},
        "limit": "loss",
        "period": "24h",
        "topic": "threat",
        "outcome": "failed",
        "over_age": False,
        "timezone": "America/Vancouver",
        "until": None,
        "placed_at": None,
        "new": 1,
    }
    fields = [field for field in sample if field != "type"]
    for field in fields:
        value = sample[field]
        other = changes.get(field, value + 1 if isinstance(value, int | float) else f"{value}x")
        seen.add(of(encode(sample | {field: other})))
    assert len(seen) == len(fields) + 1


def test_no_limit_is_not_an_absent_one() -> None:
    absent = {key: value for key, value in PLAIN["limit_change"].items() if key != "new"}
    assert of(encode(absent)) != of(encode(absent | {"new": None}))
