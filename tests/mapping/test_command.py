"""`tiltwatch map` as somebody types it."""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path

import pytest
import zstandard
from typer.testing import CliRunner, Result

from api.cli import app
from detector.errors import InputError, RuleErrors
from detector.language.pack import packs_dir, rule_files
from detector.mapping.catalogue import packaged_mappings
from tests.mapping.samples import BASE, MESSAGE


@pytest.fixture
def mapping(tmp_path: Path) -> Path:
    path = tmp_path / "sample.yml"
    path.write_text(BASE, "utf-8")
    return path


def lines(*messages: object) -> bytes:
    return b"".join(
        each if isinstance(each, bytes) else json.dumps(each).encode() + b"\n" for each in messages
    )


def run(*words: str | Path, stdin: bytes = b"") -> Result:
    return CliRunner().invoke(app, ["map", *map(str, words)], input=stdin, env={"COLUMNS": "200"})


GOOD = {**MESSAGE, "amount": 3}
OUT = (
    '{"type":"deposit","currency":"CAD","id":"m-1","source":"feed","player":"p-1","ts":"2026-03-01T10:00:00Z",'
    '"amount":300}\n'
)


def test_events_go_to_stdout_and_the_summary_to_stderr(mapping: Path) -> None:
    result = run("-", "--with", mapping, stdin=lines(GOOD))
    assert (result.exit_code, result.stdout) == (0, OUT)
    assert "A sample" in result.stderr
    assert "deposit" in result.stderr


def test_what_is_refused_is_told_with_its_line_and_kept(mapping: Path, tmp_path: Path) -> None:
    feed = lines(GOOD, b"\n", {**GOOD, "amount": "x"}, b"{\n", b"\xff\n", GOOD)
    told = run("-", "--with", mapping, stdin=feed)
    assert told.exit_code == 1
    assert told.stdout == OUT * 2
    assert "line 3: wrong_field: $.amount: must be a number" in told.stderr
    result = run("-", "--with", mapping, "--dead", tmp_path / "dead", "--out", tmp_path / "out", stdin=feed)
    assert (result.exit_code, result.stdout) == (1, "")
    assert (tmp_path / "out").read_text() == OUT * 2
    dead = [json.loads(line) for line in (tmp_path / "dead").read_bytes().splitlines()]
    assert [(each["line"], each["reason"]) for each in dead] == [
        (3, "wrong_field"),
        (4, "not_json"),
        (5, "not_json"),
    ]
    assert json.loads(dead[0]["original"]) == {**GOOD, "amount": "x"}
    assert base64.b64decode(dead[2]["original"]) == b"\xff"


def test_a_feed_by_the_wrong_mapping_does_not_fill_the_terminal(mapping: Path, tmp_path: Path) -> None:
    feed = lines(*[{**GOOD, "amount": "x"}] * 1020)
    told = run("-", "--with", mapping, stdin=feed).stderr.splitlines()
    assert sum(each.startswith("line ") for each in told) == 20
    assert "… and 1,000 more; --dead FILE keeps all, with why" in told
    result = run("-", "--with", mapping, "--dead", tmp_path / "dead", stdin=feed)
    assert "more; --dead" not in result.stderr
    assert len((tmp_path / "dead").read_bytes().splitlines()) == 1020


def test_an_id_put_together_wrongly_shows(mapping: Path) -> None:
    result = run("-", "--with", mapping, stdin=lines(GOOD, {**GOOD, "amount": 4}, GOOD))
    assert (result.exit_code, result.stdout) == (1, OUT * 2)
    assert "line 2: conflict: $.id: was sent before with other content" in result.stderr
    assert "repeated" in result.stderr


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.ZstdCompressor().compress])
def test_compressed_feeds(pack: object, mapping: Path, tmp_path: Path) -> None:
    (tmp_path / "feed").write_bytes(pack(lines(GOOD)))  # type: ignore[operator]
    assert run(tmp_path / "feed", "--with", mapping).stdout == OUT


def test_a_packaged_mapping_goes_by_its_name() -> None:
    message = {"type": "heartbeat", "at": 1}
    result = run("-", "--with", "provider", stdin=lines(message))
    assert (result.exit_code, result.stdout) == (0, "")
    assert "a heartbeat" in result.stderr


def test_own_currencies(mapping: Path) -> None:
    feed = lines({**GOOD, "currency": "GEM"})
    assert run("-", "--with", mapping, stdin=feed).exit_code == 1
    result = run("-", "--with", mapping, "--currencies", '{"GEM": 0}', stdin=feed)
    assert json.loads(result.stdout)["amount"] == 3


def test_the_packaged_mappings_are_sound() -> None:
    result = run("--check")
    assert (result.exit_code, result.output) == (
        0,
        "5 mappings checked, every example comes out as it says\n",
    )


def test_mappings_are_no_rules() -> None:
    assert packaged_mappings().parent == packs_dir()
    assert not [path for path in rule_files(packs_dir()) if path.parent == packaged_mappings()]


EXAMPLES = """\
examples:
  - name: three dollars
    message: {id: m-1, player: p-1, at: "2026-03-01T05:00:00-05:00", currency: CAD, amount: 3.00}
    events: [{type: deposit, id: m-1, source: feed, player: p-1, ts: "2026-03-01T10:00:00Z",
              amount: 300, currency: CAD}]
"""


def test_check_runs_the_examples(mapping: Path) -> None:
    mapping.write_text(BASE + EXAMPLES, "utf-8")
    assert run("--check", mapping).exit_code == 0
    assert run("--check", mapping.parent).exit_code == 0
    mapping.write_text(BASE + EXAMPLES.replace("amount: 300", "amount: 3"), "utf-8")
    result = run("--check", mapping)
    assert result.exit_code == 1
    assert result.output == f"{mapping}:14:5: three dollars: event 1: `amount` should be 3, but is 300\n"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            "\n              amount: 300,",
            "",
            "the event 1 expected is none: missing_field, $.amount: is required",
        ),
        ("player: p-1, at", "at", "expected to be not refused, but it is refused (missing_field)"),
        (
            "amount: 300, currency: CAD}]",
            "amount: 300, currency: CAD}, {type: tick, ts: '2026-03-01T10:00:00Z'}]",
            "2 events expected, but 1 came",
        ),
        (
            "events: [",
            "refused: unmapped\n    events: [",
            "expected to be refused (unmapped), but it is not refused",
        ),
        ("events: [", "dropped: why\n    events: [", "expected to be dropped (why), but it is not dropped"),
        ("amount: 300", "amount: 300, method: card", '`method` should be "card", but is missing'),
        ("message: {", "msg: {", 'an example has no key "msg"'),
        ("events: [{type", "refused: nonsense\n    events: [{type", "`refused` is a reason"),
        ("name: three dollars", "nam: x", 'an example has no key "nam"; did you mean "name"?'),
    ],
)
def test_an_example_that_comes_out_otherwise(old: str, new: str, told: str, mapping: Path) -> None:
    assert old in EXAMPLES
    mapping.write_text(BASE + EXAMPLES.replace(old, new), "utf-8")
    result = run("--check", mapping)
    assert result.exit_code == 1
    assert told in result.output


def test_a_case_that_no_example_reaches_is_told(mapping: Path) -> None:
    text = BASE.replace("cases:\n", "cases:\n  - when: {.kind: fun}\n    drop: for fun\n") + EXAMPLES
    mapping.write_text(text, "utf-8")
    result = run("--check", mapping)
    assert result.output == f"{mapping}:12:5: no example comes this way; add one\n"


def test_an_example_may_be_text_that_is_no_json(mapping: Path) -> None:
    more = '  - name: cut short\n    message: |\n      {"id": 1\n    refused: not_json\n'
    mapping.write_text(BASE + EXAMPLES + more, "utf-8")
    assert run("--check", mapping).exit_code == 0


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("no-such", "--with", "provider"), InputError),
        (("-", "--with", "providr"), InputError),
        (("--check", "no-such"), InputError),
        (("-",), None),
        (("--with", "provider"), None),
        (("--check", "--with", "provider"), None),
        (("a", "b", "--with", "provider"), None),
    ],
)
def test_wrong_usage(words: tuple[str, ...], error: type[Exception] | None) -> None:
    result = run(*words)
    if error is None:
        assert result.exit_code == 2
    else:
        assert isinstance(result.exception, error)
    assert "did you mean" in str(result.exception) or "providr" not in words


def test_a_mapping_with_faults_is_told_line_by_line(mapping: Path) -> None:
    mapping.write_text(BASE.replace("ammount", "x").replace("amount: .", "ammount: ."), "utf-8")
    result = run("-", "--with", mapping)
    assert isinstance(result.exception, RuleErrors)
    assert str(result.exception).splitlines()[0].startswith(f"{mapping}:12:")


def test_nothing_is_written_over_the_feed(mapping: Path, tmp_path: Path) -> None:
    feed = tmp_path / "feed"
    feed.write_bytes(lines(GOOD))
    for words in (("--out", feed), ("--dead", feed), ("--out", tmp_path / "x", "--dead", tmp_path / "x")):
        assert isinstance(run(feed, "--with", mapping, *words).exception, InputError)
    assert feed.read_bytes() == lines(GOOD)
