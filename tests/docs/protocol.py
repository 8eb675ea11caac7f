"""Renew the JSON Schemas of the partner protocol: `python -m tests.docs.protocol`."""

from __future__ import annotations

from api.consent.receipts import schema
from api.referrals.protocol import schemas
from tests.docs.markdown import ROOT

FOLDER = ROOT / "docs/protocol"


def files() -> dict[str, bytes]:
    """Every schema file, as the code has it."""
    return schemas() | {"consent-receipt.schema.json": schema()}


if __name__ == "__main__":
    for name, content in files().items():
        (FOLDER / name).write_bytes(content)
