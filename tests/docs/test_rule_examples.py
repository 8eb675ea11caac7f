"""Every rule that the documentation shows is one: it loads, it types, and its timelines hold."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from detector.events.money import Currencies
from detector.language.load import read_rule
from detector.language.pack import check, default_pack, load_rule, packs_dir
from detector.timelines import check_timeline
from tests.docs.markdown import Block, document, documents

REST = {
    "version": "1",
    "status": "draft",
    "title": "An example",
    "category": "play",
    "audience": "risk",
    "severity": "low",
    "trigger": "bet",
    "when": "age >= 1d",
    "cooldown": "1d",
    "explain": "an example",
    "respond": "L0",
}
"""What an example that shows only some keys is completed with."""

OTHER_YAML = {Path("docs/mapping.md"), Path("docs/operations.md")}  # pages whose YAML is no rule
EXAMPLES = [
    (each.path, block)
    for each in documents()
    for block in each.blocks
    if block.language == "yaml" and each.path not in OTHER_YAML
]
WHOLE = [(path, block) for path, block in EXAMPLES if re.search(r"^id:", block.text, re.MULTILINE)]


def written(block: Block, folder: Path) -> Path:
    """An example as a rule file, completed where it is not whole."""
    given = dict(re.findall(r"^(\w+):(?: ([\w-]+))?", block.text, re.MULTILINE))
    rest = {} if "id" in given else {"id": "example", **REST}
    missing = "".join(f"{key}: {value}\n" for key, value in rest.items() if key not in given)
    path = folder / f"{given.get('id', 'example')}.yml"
    path.write_text(block.text + missing, "utf-8")
    return path


@pytest.mark.parametrize(
    ("path", "block"), [pytest.param(*each, id=f"{each[0]}:{each[1].line}") for each in EXAMPLES]
)
def test_an_example_loads_and_its_timelines_hold(path: Path, block: Block, tmp_path: Path) -> None:
    rule = load_rule(written(block, tmp_path))
    assert [told for test in rule.tests for told in check_timeline(rule, test)] == []


@pytest.mark.parametrize(
    ("path", "block"), [pytest.param(*each, id=f"{each[0]}:{each[1].line}") for each in WHOLE]
)
def test_a_whole_rule_could_go_live(path: Path, block: Block, tmp_path: Path) -> None:
    copy = written(block, tmp_path)
    copy.write_text(
        re.sub(r"^status: \w+", "status: live", copy.read_text("utf-8"), flags=re.MULTILINE), "utf-8"
    )
    assert check([copy]) == []


def test_the_readme_explains_a_rule_of_the_pack(tmp_path: Path) -> None:
    (block,) = [block for path, block in WHOLE if path == Path("README.md")]
    rule = load_rule(written(block, tmp_path))
    packaged = load_rule(default_pack() / f"{rule.id}.yml")
    assert rule.behaviour == packaged.behaviour
    assert (rule.title, rule.explain, rule.tell) == (packaged.title, packaged.explain, packaged.tell)
    assert {test.name for test in rule.tests} <= {test.name for test in packaged.tests}


def test_the_reference_names_the_keys_that_there_are() -> None:
    named = [row[0].strip("`") for row in document("docs/rules.md").table("| key |")]
    template = (packs_dir() / "TEMPLATE.yml").read_text("utf-8")
    assert named == list(dict.fromkeys(named))
    assert set(named) == set(re.findall(r"^(\w+):", template, re.MULTILINE))


@pytest.mark.parametrize(
    ("condition", "told"),
    [[cell.strip("`") for cell in row] for row in document("docs/rules.md").table("| written as")],
)
def test_a_mistake_is_told_as_the_reference_says(condition: str, told: str, tmp_path: Path) -> None:
    path = written(Block("yaml", f"when: {condition}\n", 0), tmp_path)
    assert [finding.message for finding in read_rule(path, Currencies()).findings] == [told]
