"""Rule files written on the spot."""

from __future__ import annotations

from pathlib import Path

import pytest

from detector.events.money import Currencies
from detector.language.load import read_rule
from tests.language.samples import BASE, Read, Reads


@pytest.fixture
def read(tmp_path: Path) -> Reads:
    """Read a rule file's text, named after the sample's id unless said otherwise."""

    def read_text(text: str, name: str = "sample.yml") -> Read:
        path = tmp_path / name
        path.write_text(text, "utf-8")
        reading = read_rule(path, Currencies())
        return Read(text, reading.found, reading.findings)

    return read_text


@pytest.fixture
def sample(read: Reads) -> Reads:
    """Read a small sound rule with some of its keys written otherwise (None: left out)."""

    def read_sample(**keys: str | None) -> Read:
        written = BASE | keys
        return read("".join(f"{key}: {value}\n" for key, value in written.items() if value is not None))

    return read_sample
