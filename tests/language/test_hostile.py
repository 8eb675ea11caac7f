"""Files made to hurt: each ends in a finding, soon, in little memory, and runs nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from detector.events.money import Currencies
from detector.language.load import read_rule
from tests.language.samples import BASE, EXAMPLE

CONDITIONS = {
    "brackets": "(" * 10_000 + "age > 1d" + ")" * 10_000,
    "short brackets": "(" * 900 + ")" * 900,
    "nots": "not " * 490 + "age > 1d",
    "minuses": "1 > " + "-" * 1_900 + "1",
    "sums": "1 > " + "+".join("1" * 900),
    "nested calls": "abs(" * 400 + "1" + ")" * 400 + " > 0",
    "wide calls": "min(" * 30 + "1, 2" + ", 3)" * 30 + " > 0",
    "and": " and ".join(["age>1d"] * 180),
    "number": "1 > " + "9" * 1_900,
    "duration": "age > " + "9" * 1_900 + "d",
    "decimals": "age > 0." + "0" * 1_900 + "1s",
    "money": "1 CAD > " + "9" * 1_900 + " CAD",
    "names": "a" * 1_900 + " > 1",
    "dots": ".".join("a" * 900) + " > 1",
    "import": '__import__("os").system("touch /") == 0',
    "class": "().__class__.__base__.__subclasses__()",
    "format": "{0.__class__} > 1",
    "nul": "age > \\0",
    "quotes": '"' * 1_999,
    "spaces": "age" + " " * 1_900 + "> 1d",
}
YAML = {
    "flow": "k: " + "[" * 10_000,
    "flow closed": "k: " + "[" * 10_000 + "]" * 10_000,
    "maps": "k: " + "{a: " * 10_000,
    "dashes": "- " * 10_000 + "x",
    "questions": "? " * 10_000 + "x",
    "colons": "a: " * 10_000,
    "indents": "\n".join(" " * n + "k:" for n in range(350)),
    "million": "k: " + "x" * 1_000_000,
    "million lines": "\n" * 1_000_000,
    "aliases": "a: &a [x,x]\n" + "".join(f"k{n}: &b{n} [*a,*a,*b{n - 1}]\n" for n in range(1, 9)),
    "merges": "a: &a {b: 1}\nc: {<<: *a, <<: *a}\n",
    "tags": "k: !!python/object/apply:os.system ['touch /']\n",
    "recursion": "&a [*a]\n",
    "elements": "k: [" + "x," * 30_000 + "]",
    "keys": "".join(f"k{n}: 1\n" for n in range(6_500)),
    "same key": "k: 1\n" * 6_500,
    "documents": "---\n" * 15_000,
    "comments": "#\n" * 30_000,
    "quotes": "k: '" + "'" * 60_000,
    "escapes": 'k: "' + "\\x41" * 15_000 + '"',
    "block": "k: |\n" + " x\n" * 20_000,
    "wide indent": "k:\n" + " " * 60_000 + "x",
    "plain lines": "k: x\n" + "  y\n" * 15_000,
    "unclosed": 'k: "' + "x\n" * 30_000,
    "tests": "tests:\n" + "- {name: x, timeline: '1:00', expect: []}\n" * 1_500,
    "timeline": "tests: [{name: x, expect: [], timeline: '" + "01:00 bet 5 CAD 0 CAD " * 2_500 + "'}]",
    "lines": "tests:\n- name: x\n  expect: []\n  timeline: |\n" + "    01:00 bet 5 CAD 0 CAD\n" * 2_000,
    "expect": "tests:\n- name: x\n  timeline: 01:00 tick\n  expect: [" + "{at: day 1 01:00}," * 1_000 + "]",
    "params": "params:\n" + "".join(f"  p{n}: {{value: {n}}}\n" for n in range(900)),
    "near keys": "".join(f"cooldowns{n}: 1\n" for n in range(2_900)),
    "faulty tests": "tests:\n" + "- {nmae: x, timeline: '1:00'}\n" * 1_100,
    "faulty lets": "let:\n" + "".join(f"  l{n}: {'1 + ' * 200}x\n" for n in range(64)),
    "many lets": "let:\n" + "".join(f"  l{n}: {'1 > 0 and ' * 24}1 > 0\n" for n in range(62)),
    "long lets": "let:\n" + "".join(f"  l{n}: {'1 > 0 and ' * 90}1 > 0\n" for n in range(64)),
    "deep lets": "let:\n" + "".join(f"  l{n}: {'-' * 200}x\n" for n in range(64)),
}  # fmt: skip

HARMLESS = ("and", "spaces", "yaml comments", "yaml expect", "yaml many lets")  # for all their size

# Run apart, so that time and memory are of reading alone and a crash would not take the tests with it.
CHILD = """
import json, resource, sys, time
from pathlib import Path
from detector.events.money import Currencies
from detector.language.load import read_rule

currencies = Currencies()
read_rule(Path(sys.argv[1]), currencies)  # builds what is built once
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
answers = {}
for path in map(Path, sys.argv[2:]):
    start = time.process_time()
    reading = read_rule(path, currencies)
    took = time.process_time() - start
    answers[path.parent.name] = [reading.found is None, len(reading.findings), took,
                          max(len(f.message) for f in reading.findings) if reading.findings else 0]
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(json.dumps({"answers": answers, "grown_kb": grown}))
"""


def _written(without: str = "") -> str:
    return "".join(f"{key}: {value}\n" for key, value in BASE.items() if value and key != without)


def test_every_hostile_file_ends_soon_in_a_finding_and_little_memory(tmp_path: Path) -> None:
    sound = tmp_path / "deposit-escalation.yml"
    sound.write_text(EXAMPLE, "utf-8")
    hostile = [(name, f"{_written(without='when')}when: |\n  {text}\n") for name, text in CONDITIONS.items()]
    hostile += [(f"yaml {name}", f"{_written()}{text}\n") for name, text in YAML.items()]
    paths = []
    for name, text in hostile:
        path = tmp_path / name / "sample.yml"
        path.parent.mkdir()
        path.write_text(text, "utf-8")
        paths.append(path)
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(sound), *map(str, paths)],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert len(told["answers"]) == len(paths)
    for name, (refused, findings, took_s, longest) in told["answers"].items():
        sound_after_all = name in HARMLESS
        assert refused is not sound_after_all, name
        assert (findings > 0) is not sound_after_all, name
        assert took_s < 1, name
        assert longest < 400, name
    assert told["grown_kb"] < 64 * 1024


FRAGMENTS = st.sampled_from(
    [
        *"{}[]:-\n\"'&*!|>#%?,.()=<@`\\~\t\x00\u2028é",
        *("over 7d", "where ", " and ", "not ", "min(", "count(bet)", "limit_change.new", "session", "age"),
        *(
            "7d",
            "200 CAD",
            "30%",
            "- ",
            "---\n",
            "<<: ",
            "day 1 ",
            "10:00",
            " target=e1",
            "9" * 30,
            "{recent}",
        ),
    ]
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    edits=st.lists(
        st.tuples(
            st.integers(0, len(EXAMPLE)), st.integers(0, 12), st.one_of(FRAGMENTS, st.text(max_size=8))
        ),
        min_size=1,
        max_size=4,
    )
)
def test_a_rule_mangled_anyhow_is_a_rule_or_a_finding_within_it(
    tmp_path: Path, edits: list[tuple[int, int, str]]
) -> None:
    text = EXAMPLE
    for at, cut, put in edits:
        text = text[:at] + put + text[at + cut :]
    path = tmp_path / "deposit-escalation.yml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    reading = read_rule(path, Currencies())
    assert (reading.found is None) is bool(reading.findings)
    lines = text.replace("\r\n", "\n").split("\n")
    for finding in reading.findings:
        assert 1 <= finding.line <= len(lines)
        assert 1 <= finding.column <= len(lines[finding.line - 1]) + 1
        assert "\n" not in str(finding)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=300))
def test_any_bytes_are_read_without_a_traceback(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "any.yml"
    path.write_bytes(data)
    assert read_rule(path, Currencies()).findings


@pytest.mark.parametrize("text", ["!!python/name:os.system", "${HOME}", "{{ 7 * 7 }}", "%s%s%s%n", "$(id)"])
def test_texts_are_only_texts(tmp_path: Path, text: str) -> None:
    path = tmp_path / "sample.yml"
    path.write_text(_written().replace(BASE["title"] or "", f"'{text}'"), "utf-8")
    rule = read_rule(path, Currencies()).found
    assert rule is not None
    assert rule.title == text
