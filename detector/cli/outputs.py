"""Where commands write: files or standard output, never over what they read."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, overload

from detector.errors import InputError

Write = Callable[[bytes], None]
"""Writes one line; its end is added."""


def distinct(source: str, *outputs: str | None) -> None:
    """Refuse to write over what is read, or two things into one file: InputError."""
    taken = [Path(source).resolve()] if source != "-" else []
    for output in outputs:
        if output is None:
            continue
        path = Path("-") if output == "-" else Path(output).resolve()
        if path in taken or any(path.exists() and known.exists() and path.samefile(known) for known in taken):
            raise InputError(f"{output}: is the log itself, or asked for twice; name another file")
        taken.append(path)


@overload
def writer(target: str, stack: ExitStack) -> Write: ...
@overload
def writer(target: str | None, stack: ExitStack) -> Write | None: ...
def writer(target: str | None, stack: ExitStack) -> Write | None:
    """What writes lines to a file, which the stack closes, or to "-", standard output; None for None."""
    if target is None:
        return None
    if target == "-":
        out: BinaryIO = sys.stdout.buffer
    else:
        try:
            out = stack.enter_context(Path(target).open("wb"))  # noqa: SIM115  (the stack closes it)
        except OSError as error:
            raise InputError(f"{target}: {error.strerror or error}") from error
    return line_writer(out)


def line_writer(out: BinaryIO) -> Write:
    """What writes lines to an open file."""

    def write(line: bytes) -> None:
        out.write(line + b"\n")

    return write
