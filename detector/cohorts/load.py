"""Reads and writes cohorts.json, the tables beside a folder's rules."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import msgspec

from detector.cohorts.tables import Cohorts, Table, Written
from detector.errors import Finding, RuleErrors

COHORTS_FILE = "cohorts.json"
MAX_BYTES = 4 << 20
"""Bytes of a file: with the rules it travels to workers in one message."""

_BYTE = re.compile(r" \(byte (\d+)\)")
_PATH = re.compile(r"(.*) - at `(.*)`")
_decode = msgspec.json.Decoder(Written).decode


def read_cohorts(path: Path) -> Cohorts:
    """The tables of a file; RuleErrors with the first finding where it cannot be used."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise _wrong(path, error.strerror or str(error)) from None
    if len(data) > MAX_BYTES:
        raise _wrong(path, f"cohorts have at most {MAX_BYTES >> 20} MiB; keep fewer tables")
    try:
        written = _decode(data)
    except msgspec.ValidationError as error:
        told = _PATH.fullmatch(str(error))
        what = _lowered(str(error) if told is None else told[1])
        raise _wrong(path, what if told is None else f"{told[2]}: {what}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        byte = _BYTE.search(str(error))
        place = _place(data, len(data) if byte is None else int(byte[1]))
        raise _wrong(path, f"no JSON: {_BYTE.sub('', str(error))}", *place) from None
    for number, table in enumerate(written.tables):
        told_of = _fault(table)
        if told_of is not None:
            raise _wrong(path, f"$.tables[{number}].{told_of}")
    starts = [table.from_us for table in written.tables]
    if len(set(starts)) < len(starts):
        raise _wrong(path, "$.tables: two come into force at the same time")
    return Cohorts(written.tables)


def cohorts_beside(folder: Path | str) -> Cohorts | None:
    """The tables of a folder of rules; None where it has none, and every place is unknown."""
    own = Path(folder) / COHORTS_FILE
    return read_cohorts(own) if own.is_file() else None


def written(tables: list[Table]) -> bytes:
    """A cohorts.json of these tables, a cohort a line, so that two can be compared."""
    ordered = sorted(tables, key=lambda table: table.from_us)
    return b'{"tables": [\n' + b",\n".join(map(_table, ordered)) + b"\n]}\n"


def _table(table: Table) -> bytes:
    head = msgspec.to_builtins(table, builtin_types=(), order="deterministic")
    quantities = []
    for key, measured in sorted(table.quantities.items()):
        cohorts = b",\n    ".join(msgspec.json.encode(each) for each in measured.cohorts)
        inner = b"[\n    " + cohorts + b"\n  ]" if cohorts else b"[]"
        quantities.append(
            b'  "%b": {"text": %b, "cohorts": %b}' % (key.encode(), msgspec.json.encode(measured.text), inner)
        )
    parts = [
        b" %b: %b" % (msgspec.json.encode(name), msgspec.json.encode(value))
        for name, value in head.items()
        if name != "quantities"
    ]
    body = b"{\n" + b",\n".join(quantities) + b"\n }" if quantities else b"{}"
    return b"{\n" + b",\n".join([*parts, b' "quantities": ' + body]) + b"\n}"


def _fault(table: Table) -> str | None:
    """What is wrong with a table that is of the right form, by its path; None where nothing is."""
    for key, measured in table.quantities.items():
        seen = set()
        for number, cohort in enumerate(measured.cohorts):
            where = f"quantities.{key}.cohorts[{number}]"
            if any(higher < lower for lower, higher in pairwise(cohort.edges)):
                return f"{where}.edges: they ascend"
            if (cohort.currency, cohort.product) in seen:
                return f"{where}: stands twice"
            seen.add((cohort.currency, cohort.product))
    return None


def _place(data: bytes, byte: int) -> tuple[int, int]:
    before = data[:byte]
    return before.count(b"\n") + 1, byte - (before.rfind(b"\n") + 1) + 1


def _lowered(text: str) -> str:
    return text[:1].lower() + text[1:]


def _wrong(path: Path, message: str, line: int = 1, column: int = 1) -> RuleErrors:
    return RuleErrors([Finding(str(path), line, column, message)])
