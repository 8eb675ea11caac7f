"""Turns the text of a condition into a syntax tree, or says where it went wrong.

The tree is lark's, names still unresolved; `detector.language.types` makes the typed one of it. Length and
depth are bounded before and after parsing, so that no text can exhaust the stack of this or a later stage.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches
from functools import cache
from importlib.resources import files

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedCharacters, UnexpectedToken

from detector.language.source import Fault, Scalar, shorten

MAX_LENGTH = 2_000
MAX_DEPTH = 32

KEYWORDS = ("and", "or", "not", "in", "where", "over", "before")
AGGREGATES = ("count", "sum", "mean", "max", "min", "std", "distinct", "last", "first")
FUNCTIONS = ("min", "max", "abs")
HABITS = ("usual", "z")
PLACES = ("percentile",)
SCOPES = ("session", "lifetime")
RESERVED = frozenset(
    {
        *(*KEYWORDS, *AGGREGATES, *FUNCTIONS, *HABITS, *PLACES, *SCOPES),
        *("since", "score", "age", "session_age"),
    }
)

SyntaxTree = Tree[Token]
Branch = Token | SyntaxTree

_HINTS = {
    "=": 'write "==" to compare',
    "!": 'write "!=" or "not"',
    "&": 'write "and"',
    "|": 'write "or"',
    "'": 'texts stand in double quotes: "…"',
    '"': "a text has no closing quote",
    "%": "a share is a number and %, such as 30%",
}
_AFTER_NUMBER = re.compile(r"(?<![A-Za-z0-9_.])[0-9.]+ *\Z")
_OPERATOR = "an operator (and, or, ==, +, …)"
_SPELLING = {
    **dict.fromkeys(("_AND", "_OR", "_NOT", "_IN", "COMPARE", "SUM_SIGN", "PRODUCT_SIGN"), _OPERATOR),
    "$END": "the end",
    "LPAR": '"("',
    "RPAR": '")"',
    "DOT": '"."',
    "COMMA": '","',
    "NAME": "a name",
    "DURATION": "a duration such as 7d",
}
_WINDOW = "a window such as over 7d, over session or over lifetime"
_VALUE = "a value (a quantity, a name, 7d, 200 CAD, 30%, 3 or a text in double quotes)"


@cache
def _grammar() -> Lark:
    text = files("detector.language").joinpath("grammar.lark").read_text("utf-8")
    return Lark(text, parser="lalr", lexer="contextual", propagate_positions=True, maybe_placeholders=True)


def parse(source: Scalar) -> Branch:
    """Return the syntax tree of a condition or quantity.

    Raises
    ------
    Fault
        At the character that does not fit.
    """
    text = source.text
    _check_text(source)
    try:
        tree = _grammar().parse(text)
    except UnexpectedCharacters as error:
        raise _strange(source, getattr(error, "pos_in_stream", 0)) from None
    except UnexpectedToken as error:
        raise _unexpected(source, error.token, set(error.accepts or error.expected)) from None
    if _depth(tree) > MAX_DEPTH:
        raise Fault(source.at(0), f"nested more than {MAX_DEPTH} deep; name parts of it under `let`")
    return tree


def offset_of(branch: Branch) -> int:
    """Return where a branch starts in its text."""
    found = branch.start_pos if isinstance(branch, Token) else branch.meta.start_pos
    return found or 0


def end_of(branch: Branch) -> int:
    """Return where a branch ends in its text."""
    found = branch.end_pos if isinstance(branch, Token) else branch.meta.end_pos
    return found or 0


def leaf(branch: Branch) -> str:
    """Return the text of a branch that is a single token, or of its first."""
    while isinstance(branch, Tree):
        branch = branch.children[0]
    return str(branch)


def suggestion(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean "…"?` for the nearest known word, or nothing."""
    near = nearest(word, known)
    return "" if near is None else f'; did you mean "{near}"?'


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that is spelt most like it, None where none is."""
    near = get_close_matches(word, list(known), n=1, cutoff=0.6) if len(word) < 100 else []
    return near[0] if near else None


def _check_text(source: Scalar) -> None:
    text = source.text
    if not source.spans:
        raise Fault(source.place, _why_no_places(source))
    if source.in_flow and source.style == "":
        raise Fault(source.place, "inside { } or [ ] a condition must be quoted: a comma would split it")
    if not text.strip():
        raise Fault(source.place, "a condition is missing")
    if len(text) > MAX_LENGTH:
        raise Fault(source.at(0), f"a condition has at most {MAX_LENGTH} characters")
    depth = 0
    for match in re.finditer(r'"[^"\n]*"|[()]', text):
        depth += {"(": 1, ")": -1}.get(match[0], 0)
        if depth > MAX_DEPTH:
            raise Fault(source.at(match.start()), f"brackets nested more than {MAX_DEPTH} deep")
    for match in re.finditer(r'"[^"\n]*"|([A-Za-z_][A-Za-z0-9_]*)\s*\(', text):
        if match[1]:
            _check_function(source, match[1], match.start(1))


def _check_function(source: Scalar, name: str, offset: int) -> None:
    # Looked at before parsing: a misspelt aggregate would be told as a misplaced `over` behind it.
    known = (*AGGREGATES, *HABITS, *PLACES, "abs", "since", "score")
    if name not in known and name not in KEYWORDS:
        near = suggestion(name, known) or f"; there are {', '.join(known)}"
        raise Fault(source.at(offset), f'unknown function "{shorten(name)}"{near}')


def _why_no_places(source: Scalar) -> str:
    if source.style == ">":
        return "a folded text (>) moves columns: write a `|` block"
    if source.style in ("'", '"') and "\n" not in source.text:
        return "no escapes in a quoted condition (\\ or doubled quotes): write it plain or in a `|` block"
    return "a condition stands on one line or in a `|` block"


def _strange(source: Scalar, offset: int) -> Fault:
    character = source.text[offset]
    hint = _HINTS.get(character)
    return Fault(source.at(offset), f'unexpected "{character}"' + (f": {hint}" if hint else ""))


def _unexpected(source: Scalar, token: Token, expected: set[str]) -> Fault:
    wants_value = {"NAME", "NUMBER"} <= expected
    wants_window = expected == {"_OVER", "_WHERE"}
    missing = _VALUE if wants_value else _WINDOW if wants_window else _spelled(expected)
    if token.type == "$END":
        end = len(source.text.rstrip())
        return Fault(source.at(end), f"ends too soon: {missing} is missing")
    start = offset_of(token)
    told = f'unexpected "{shorten(str(token))}": {missing} is expected here'
    if wants_window:
        told = f"an aggregate needs a window: {_WINDOW} is missing"
    elif token.type == "COMPARE" and "_AND" in expected:
        told = 'comparisons do not chain: write "a < b and b < c"'
    elif token.type == "_OVER":
        told = "`over` follows an aggregate, such as sum(deposit.amount) over 7d"
    elif token.type == "NAME" and _AFTER_NUMBER.search(source.text, 0, start):
        told = f'no unit "{shorten(str(token))}": durations end in s, m, h, d or w, money stands as 200 CAD'
    return Fault(source.at(start), told)


def _spelled(expected: set[str]) -> str:
    """Return what may come next, in words; all operators together as one."""
    words = {_SPELLING.get(name, name.strip("_").lower()) for name in expected}
    return " or ".join(sorted(words))


def _depth(tree: Branch) -> int:
    deepest = 0
    pending = [(tree, 1)]
    while pending:
        branch, depth = pending.pop()
        deepest = max(deepest, depth)
        if isinstance(branch, Tree):
            pending.extend((child, depth + 1) for child in branch.children)
    return deepest
