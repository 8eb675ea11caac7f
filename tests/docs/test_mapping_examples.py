"""Every mapping that the documentation shows is one, and its examples come out as it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from detector.events.money import Currencies
from detector.mapping.catalogue import load_mapping, mapping_files, packaged_mappings
from detector.mapping.conditions import TESTS
from detector.mapping.examples import check_examples
from detector.mapping.load import KEYS
from detector.mapping.tables import OTHERWISE
from detector.mapping.values import DIRECTIVES, EPOCHS, ROUNDINGS, SIGNS, TEXT_TIME
from tests.docs.markdown import Block, document

PAGE = document("docs/mapping.md")
BLOCKS = [block for block in PAGE.blocks if block.language == "yaml"]
REST = {
    "title": "An example",
    "money": "{unit: major}",
    "common": "{id: .id, source: feed, player: .player, ts: .at}",
}
"""What an example that shows only some keys is completed with."""


def written(block: Block, folder: Path) -> Path:
    """An example as a mapping file, completed where it is not whole."""
    given = dict(re.findall(r"^(\w+):(?: ([\w-]+))?", block.text, re.MULTILINE))
    rest = {} if "id" in given else {"id": "example", **REST}
    missing = "".join(f"{key}: {value}\n" for key, value in rest.items() if key not in given)
    path = folder / f"{given.get('id', 'example')}.yml"
    path.write_text(block.text + missing, "utf-8")
    return path


@pytest.mark.parametrize("block", [pytest.param(block, id=str(block.line)) for block in BLOCKS])
def test_an_example_loads(block: Block, tmp_path: Path) -> None:
    mapping = load_mapping(written(block, tmp_path), Currencies())
    if mapping.examples:
        assert [str(finding) for finding in check_examples(mapping, Currencies())] == []


def test_one_of_them_is_whole_and_has_examples() -> None:
    assert any("\nexamples:" in block.text and block.text.startswith("id:") for block in BLOCKS)


def test_the_reference_names_what_there_is() -> None:
    assert {row[0].strip("`") for row in PAGE.table("| key | what it says |")} == set(KEYS)
    assert {row[0].strip("`") for row in PAGE.table("| name |")} == {
        path.stem for path in mapping_files(packaged_mappings())
    }
    told = set(PAGE.codes)
    assert told >= {*ROUNDINGS, *SIGNS, *EPOCHS, TEXT_TIME} | set(OTHERWISE)
    assert all(f"{{{test}:" in PAGE.prose for test in TESTS)
    assert all(f"%{letter}" in PAGE.prose for letter in DIRECTIVES if letter != "%")
