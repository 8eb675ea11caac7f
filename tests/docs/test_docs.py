"""What the documentation says is so."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import typer
from redis import Redis

from api.app import create_app
from api.cli import app
from api.settings import PREFIX, Settings, read_settings
from detector.drivers import streams
from detector.drivers.clock import wall_clock_us
from detector.drivers.valkey import Server
from detector.engine.places import read_places
from detector.events.decode import REASONS, Decoder, Refusal
from detector.events.money import Currencies, Rates
from detector.events.vocabulary import FIELDS, SESSION_SUMMARY, WIRE_FIELDS
from tests.api.serving import post, serving
from tests.docs.generated import COMMON, named, renewed, sections
from tests.docs.markdown import ROOT, Document, document, documents, tracked

MADE = sections()
RENEW = "run `python -m tests.docs.generated`"

each_document = pytest.mark.parametrize("each", documents(), ids=lambda each: str(each.path))


# Links


@each_document
def test_relative_links_lead_somewhere(each: Document) -> None:
    for link in each.links:
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (ROOT / each.path.parent / name).resolve() if name else ROOT / each.path
        assert target.exists(), link
        assert target.is_relative_to(ROOT), link
        if anchor:
            assert anchor in Document(target, target.read_text("utf-8")).anchors, link


def test_every_page_and_every_decision_is_linked() -> None:
    for index, folder in (("docs/index.md", "docs"), ("docs/decisions/README.md", "docs/decisions")):
        linked = {link.partition("#")[0] for link in document(index).links}
        pages = {path.name for path in (ROOT / folder).glob("*.md")} - {Path(index).name}
        assert pages <= linked


def test_decisions_are_numbered_and_say_why() -> None:
    paths = sorted((ROOT / "docs/decisions").glob("0*.md"))
    assert [int(path.name[:4]) for path in paths] == list(range(1, len(paths) + 1))
    for path in paths:
        text = path.read_text("utf-8")
        assert text.startswith(f"# {int(path.name[:4])}. "), path.name
        assert re.findall(r"^## (\w+)$", text, re.MULTILINE) == ["Context", "Decision", "Consequences"], (
            path.name
        )


# Commands


def said(each: Document) -> Iterator[str]:
    """Every line of shell and every bit of code that is a call of `tiltwatch`."""
    lines = [line for block in each.blocks if block.language == "sh" for line in block.text.splitlines()]
    for line in [*lines, *each.codes]:
        for part in re.split(r"[|;]|&&", line.partition(" #")[0]):
            words = re.sub(r"^\s*(\w+=\S+ )*(\.venv/bin/)?", "", part)
            if re.match(r"tiltwatch [a-z-]", words):
                yield words.strip()


@each_document
def test_commands_exist_with_their_options(each: Document) -> None:
    for call in said(each):
        command: Any = typer.main.get_command(app)
        words = shlex.split(call)[1:]
        while words and hasattr(command, "commands"):
            assert words[0] in command.commands, call
            command = command.commands[words.pop(0)]
        known = {option for param in command.params for option in (*param.opts, *param.secondary_opts)}
        options = {word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)}
        assert options <= known | {"--help"}, call


@each_document
def test_make_targets_exist(each: Document) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    code = "\n".join([*each.codes, *(block.text for block in each.blocks if block.language == "sh")])
    assert set(re.findall(r"\bmake ([a-z]+)\b", code)) <= targets


def test_the_readme_names_the_two_commands() -> None:
    assert {"make run", "make test"} <= set(document("README.md").codes)


# What is made from the code


@each_document
def test_made_sections_are_as_the_code_has_them(each: Document) -> None:
    unknown = set(named(each.text)) - MADE.keys()
    assert not unknown, f"nothing makes {', '.join(sorted(unknown))}"
    assert renewed(each.text, MADE) == each.text, RENEW


def test_everything_that_is_made_stands_somewhere_once() -> None:
    standing = [name for each in documents() for name in named(each.text)]
    assert sorted(standing) == sorted(MADE), RENEW


def test_settings_named_anywhere_exist() -> None:
    names = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    for each in documents():
        assert set(re.findall(rf"\b{PREFIX}[A-Z_]+\b", each.text)) <= names, each.path


# Events


def test_common_fields_are_told() -> None:
    told = [row[0] for row in document("docs/events.md").table("| field | what it is |\n")]
    assert {name.strip("*`") for name in told} == COMMON
    required = {name for name in COMMON if WIRE_FIELDS["bet"][name].required}
    assert {name.strip("*`") for name in told if name.startswith("**")} == required


def test_derived_fields_are_told() -> None:
    told = {
        (row[0].strip("`"), row[1].strip("`")) for row in document("docs/events.md").table("| field | of |")
    }
    sent = [type_ for type_ in FIELDS if type_ != SESSION_SUMMARY]
    derived = {(name, type_) for type_ in sent for name, field in FIELDS[type_].items() if field.derived}
    everywhere = {name for name, _ in derived if all((name, type_) in derived for type_ in sent)}
    assert told == {(name, "every type" if name in everywhere else type_) for name, type_ in derived}


def test_fields_of_a_session_summary_are_told() -> None:
    page = (
        document("docs/events.md").text.partition("## What a closed session was like")[2].partition("## ")[0]
    )
    rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]
    told = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    assert sorted(told) == sorted(FIELDS[SESSION_SUMMARY].keys() - {"gap"})


def test_reasons_of_refusal_are_told() -> None:
    assert tuple(row[0].strip("`") for row in document("docs/events.md").table("| reason |")) == REASONS


def test_events_shown_are_events() -> None:
    blocks = [block for block in document("docs/events.md").blocks if block.language == "json"]
    decoder = Decoder(Currencies())
    assert blocks
    for block in blocks:
        event = decoder.decode(block.text.encode())
        assert not isinstance(event, Refusal), event.detail
    assert not decoder.unknown_fields


# The service and its Redis


def test_the_files_of_a_deployment_shown_can_be_read(tmp_path: Path) -> None:
    blocks = {block.language: block.text for block in document("docs/operations.md").blocks}
    (tmp_path / "places.yml").write_text(blocks["yaml"])
    assert read_places(tmp_path / "places.yml").zone("acme-west", None) == "America/Edmonton"
    (tmp_path / "rates.csv").write_text(blocks["csv"])
    rates = Rates.read(tmp_path / "rates.csv", Currencies({"BTC": 8}))
    assert rates.convert(1_000, "EUR", "CAD", 20_454) == 1_610


def test_routes_and_what_alerts_are_filtered_by_are_told() -> None:
    page = document("docs/operations.md")
    paths = create_app(read_settings({}), "redis://localhost").openapi()["paths"]
    routes = {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}
    assert {row[0].strip("`") for row in page.table("| route |")} == routes
    assert {each["name"] for each in paths["/v1/alerts"]["get"]["parameters"]} <= set(page.codes)


async def test_the_exchange_shown_is_what_is_said(valkey: Server, redis: Redis) -> None:
    page = document("docs/operations.md")
    (asked,) = [block.text for block in page.blocks if block.text.startswith("curl")]
    (told,) = [block.text for block in page.blocks if block.language == "json"]
    async with serving(valkey.url, now_us=wall_clock_us()) as client:
        answer = await post(client, asked.split("'")[-2].encode())
    assert (answer.status_code, answer.text) == (202, told.strip())


def test_keys_of_redis_are_told() -> None:
    told = {row[0].strip("`") for row in document("docs/operations.md").table("| key |")}
    keys = {value for value in vars(streams).values() if isinstance(value, str) and value.startswith("tw:")}
    assert told == keys | {"tw:ids:PERIOD"}


# The tree


def test_the_changelog_is_of_this_version() -> None:
    released = re.findall(r"^## \[(\d[^\]]*)\]", document("CHANGELOG.md").text, re.MULTILINE)
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    assert released[0] == declared == version("tiltwatch")


def test_the_tree_names_no_machine_and_no_package_host() -> None:
    # Written so that this file does not find itself.
    hosts = r"pypi[.]org|python(?:hosted)|npmjs[.](?:org|com)|deb[.]debian|repo1?[.]maven"
    anywhere = re.compile(rf"{hosts}|/(?:work|root)/|/home/\w|[.]library\b|/Users/\w")
    outside_tests = re.compile(r"(?<![\w.])/(?:tmp)/")
    found = []
    for path in tracked():
        text = (ROOT / path).read_text("utf-8", errors="replace")
        patterns = [anywhere] if path.parts[0] == "tests" else [anywhere, outside_tests]
        found += [f"{path}: {match[0]}" for pattern in patterns for match in pattern.finditer(text)]
    assert found == []


def test_what_ci_runs_is_what_newcomers_run() -> None:
    ci = ROOT / ".ci/run"
    assert ci.stat().st_mode & 0o111
    loops = re.findall(r"for target in ([a-z ]+);", ci.read_text("utf-8"))
    assert " ".join(loops) == "setup check test prove"
