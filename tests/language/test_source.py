"""What is let through to the rule reader, and that every character knows its place."""

from __future__ import annotations

import pytest

from detector.language.source import MAX_BYTES, Fault, Mapping, Scalar, read_source
from detector.language.syntax import Place


def refusal(data: bytes) -> tuple[int, int, str]:
    with pytest.raises(Fault) as caught:
        read_source(data)
    return caught.value.place.line, caught.value.place.column, caught.value.message


def value_of(text: str) -> Scalar:
    node = read_source(text.encode()).get("k")
    assert isinstance(node, Scalar)
    return node


@pytest.mark.parametrize(
    ("text", "offset", "place"),
    [
        ("k: some text", 5, Place(1, 9)),
        ("k: 'some text'", 5, Place(1, 10)),
        ('k: "some text"', 5, Place(1, 10)),
        ("k: |\n  some\n  text\n", 5, Place(3, 3)),
        ("k: |\n\n      some\n\n      text\n", 1, Place(3, 7)),
        ("k: |-\n  some\n    text\n", 7, Place(3, 5)),
        ("k:\n  - x\n", 0, None),
        ("a: é\nk: 'é text'", 2, Place(2, 7)),
        ("\ufeffk: some text", 5, Place(1, 9)),
        ("a: b\r\nk: some text\r\n", 5, Place(2, 9)),
    ],
)
def test_each_character_of_a_value_has_its_place(text: str, offset: int, place: Place | None) -> None:
    if place is not None:
        assert value_of(text).at(offset) == place


@pytest.mark.parametrize(
    "text", ["k: >\n  some\n  text\n", "k: some\n  text\n", 'k: "a\\tb"', "k: 'it''s'", 'k: "some\n  text"']
)
def test_a_value_whose_columns_yaml_moves_has_no_places(text: str) -> None:
    assert not value_of(text).spans


def test_scalars_stay_as_written() -> None:
    root = read_source(b"a: NO\nb: 1_000\nc: 0o17\nd: 2026-01-01\ne: ~\nf: 1e3\ng: 12:30:45\n")
    assert [node.text for _, node in root if isinstance(node, Scalar)] == [
        *("NO", "1_000", "0o17", "2026-01-01", "~", "1e3", "12:30:45"),
    ]


@pytest.mark.parametrize(
    ("data", "place", "message"),
    [
        (b"a: &x 1\nb: 2\n", (1, 4), "anchors"),
        (b"a: 1\nb: *x\n", (2, 4), "aliases"),
        (b"a: !!python/object:os.system 1\n", (1, 4), "tags"),
        (b"a: !x [1]\n", (1, 4), "tags"),
        (b"%YAML 1.2\n---\na: 1\n", (2, 1), "directives"),
        (b"a: 1\n---\nb: 2\n", (2, 1), "second document"),
        (b"a: 1\nb: 2\na: 3\n", (3, 1), '"a" comes twice'),
        (b"k: {a: 1, a: 2}\n", (1, 11), '"a" comes twice'),
        (b"? [a, b]\n: 1\n", (1, 3), "plain word"),
        (b"? {a: b}\n: 1\n", (1, 3), "plain word"),
        (b"- a\n", (1, 1), "mapping"),
        (b"", (1, 1), "mapping"),
        (b"just words\n", (1, 1), "mapping"),
        (b"a: 1\n\tb: 2\n", (2, 1), "tab"),
        (b"a: 1\nb: x\x00y\n", (2, 5), "U+0000"),
        ("a: x\u202ey\n".encode(), (1, 5), "U+202E"),
        ("a: x\u2028y\n".encode(), (1, 5), "U+2028"),
        ("a: é".encode() + b"\xff\n", (1, 5), "not UTF-8"),
        (b"a: [1\nb: 2\n", (2, 2), "not YAML"),
        (b"a: b: c\n", (1, 5), "not YAML"),
        (b'a: "x\n', (2, 1), "not YAML"),
        (b"a: " + b"[" * 13 + b"]" * 13, (1, 16), "nested more than 12"),
        (b"a:\n" + b"- " * 13 + b"x\n", (2, 1), "too deep"),
        (b"".join(b" " * n + b"k:\n" for n in range(15)), (13, 13), "nested more than 12"),
        (b"a: 1\n" + b" " * 90 + b"b: 2\n", (2, 1), "indented too deep"),
        (b"a: [" + b"1," * 6000 + b"]", None, "at most 6000 YAML elements"),
        (b"#" * (MAX_BYTES + 1), (1, 1), "bytes"),
    ],
)
def test_what_no_rule_needs_is_refused_where_it_stands(
    data: bytes, place: tuple[int, int] | None, message: str
) -> None:
    line, column, told = refusal(data)
    assert message in told
    assert place is None or (line, column) == place


def test_a_merge_key_merges_nothing() -> None:
    root = read_source(b"a: {<<: {b: 1}, c: 2}\n").get("a")
    assert isinstance(root, Mapping)
    assert [key.text for key, _ in root] == ["<<", "c"]
