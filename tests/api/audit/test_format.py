"""A second verifier, written from docs/audit.md alone: it shares no code with the first."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tests.api.audit.chains import KEYS, Chain, chain


def check(kind: str, signed: dict[str, Any]) -> None:
    secret = HKDF(SHA256(), 32, None, b"tiltwatch sign audit").derive(KEYS[signed["key"]])
    public = Ed25519PrivateKey.from_private_bytes(secret).public_key()
    statement = f"tiltwatch audit {kind} {signed['seq']} {signed['hash']}".encode()
    public.verify(base64.b64decode(signed["signature"]), statement)


async def test_the_format_is_as_it_is_written_down(store_url: str, tmp_path: Path) -> None:
    async with chain(store_url, tmp_path) as each:
        await odd(each)
        rows, head = await each.rows(), await each.head()
        outside = [json.loads(line) for line in each.outside.read_text().splitlines()]
    before, hashes = "0" * 64, {}
    for number, row in enumerate(rows, 1):
        assert row["seq"] == number
        body = [before, *(row[name] for name in ("seq", "at_us", "actor", "action", "subject", "details"))]
        text = json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
        before = hashlib.sha256(text).hexdigest()
        assert row["hash"] == before
        hashes[number] = before
        details = json.loads(row["details"])
        assert (
            json.dumps(details, separators=(",", ":"), ensure_ascii=False, sort_keys=True) == row["details"]
        )
    assert (head["seq"], head["hash"]) == (len(rows), before)
    check("head", head)
    assert [each["seq"] for each in outside] == [4, 7]
    for each in outside:
        assert hashes[each["seq"]] == each["hash"]
        check("checkpoint", each)


async def odd(each: Chain) -> None:
    """An entry with everything that JSON might be written in two ways for."""
    async with each.store.write() as session:
        each.audit.tell(
            session,
            "key:k",
            "thing.done",
            'thing:é/\u2028"\\',
            z=None,
            a=[1, True, "é\u2028\x1f\t\n/<>&😀"],
            m={"b": 1.5, "a": -0.25},
        )
