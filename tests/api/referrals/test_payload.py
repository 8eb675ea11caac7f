"""What leaves is what the protocol has, whatever a player is like."""

from __future__ import annotations

import inspect
import json
from typing import Any, get_args

import jsonschema
import msgspec
from hypothesis import given
from hypothesis import strategies as st

from api.referrals.payload import Agreed, payload, region_of
from api.referrals.protocol import Channel, ContactBy, Language, Purpose, Reason, Urgency, Window
from api.referrals.tokens import ALPHABET, new_code, new_token
from tests.docs.markdown import ROOT
from tests.docs.protocol import files

URL = "https://tiltwatch.example/v1/referrals/x/status"
CREATED: Any = json.loads((ROOT / "docs/protocol/referral.created.schema.json").read_bytes())


def closed_objects(document: Any) -> list[dict[str, Any]]:
    """Every object in a schema."""
    if isinstance(document, dict):
        own = [document] if document.get("type") == "object" else []
        return own + [each for value in document.values() for each in closed_objects(value)]
    if isinstance(document, list):
        return [each for value in document for each in closed_objects(value)]
    return []


agreements = st.builds(
    Agreed,
    purpose=st.sampled_from(get_args(Purpose)),
    consent=st.just("cs_" + "a" * 26),
    text=st.just("referral@1"),
    outcome=st.booleans(),
    expires_us=st.integers(0, 4_000_000_000_000_000),
    jurisdiction=st.one_of(
        st.none(), st.text(max_size=12), st.sampled_from(("CA-ON", "GB", "CA-ON-TORONTO"))
    ),
    urgency=st.sampled_from(get_args(Urgency)),
    reasons=st.lists(st.sampled_from(get_args(Reason)), max_size=5),
    contact_by=st.builds(
        ContactBy,
        st.sampled_from(get_args(Channel)),
        st.sampled_from(get_args(Language)),
        st.sampled_from(get_args(Window)),
    ),
    sealed_contact=st.one_of(st.none(), st.just("aaaa..bbbb.cccc.dddd")),
)


@given(agreements)
def test_it_is_what_the_schema_has(agreed: Agreed) -> None:
    made = json.loads(msgspec.json.encode(payload(new_token(), agreed, URL)))
    jsonschema.validate(made, CREATED)
    if agreed.purpose == "donation":
        assert not {"urgency", "reasons", "contact_by", "sealed_contact"} & made.keys()


def test_nothing_in_the_schema_is_open_or_free_text() -> None:
    objects = closed_objects(CREATED)
    assert len(objects) == 4
    for each in objects:
        assert each["additionalProperties"] is False
        for name, field in each["properties"].items():
            kinds = field.get("anyOf", [field])
            for kind in kinds:
                if kind.get("type") == "string":
                    assert "enum" in kind or "pattern" in kind, name


def test_it_cannot_know_the_player() -> None:
    # It is given the token, what was agreed to, and where to reply; none of these holds a player.
    assert list(inspect.signature(payload).parameters) == ["token", "agreed", "reply_url"]
    assert set(Agreed.__dataclass_fields__) == {
        "purpose",
        "consent",
        "text",
        "outcome",
        "expires_us",
        "jurisdiction",
        "urgency",
        "reasons",
        "contact_by",
        "sealed_contact",
    }


@given(st.text(max_size=20))
def test_no_region_is_finer_than_a_province(jurisdiction: str) -> None:
    region = region_of(jurisdiction)
    assert region is None or (region == jurisdiction and len(region) <= 6)


def test_tokens_and_codes_are_made_of_chance() -> None:
    tokens = {new_token() for _ in range(2_000)}
    assert len(tokens) == 2_000
    assert {len(each) for each in tokens} == {35}
    codes = {new_code() for _ in range(2_000)}
    assert len(codes) == 2_000
    assert set("".join(codes)) == set(ALPHABET)
    assert not set(ALPHABET) & set("01OILSZ25B8UG")


def test_the_schemas_are_as_the_code_has_them() -> None:
    folder = ROOT / "docs/protocol"
    assert {path.name for path in folder.glob("*.schema.json")} == set(files())
    for name, content in files().items():
        assert (folder / name).read_bytes() == content, "run `python -m tests.docs.protocol`"
