"""Files that are whole or not there: written beside their place, synced, then put in it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import BinaryIO, cast

from detector.errors import InputError

PRIVATE = 0o600
"""The mode of a file that holds what players did, and is nobody's output."""


@contextmanager
def new_file(folder: Path, suffix: str) -> Iterator[BinaryIO]:
    """A new file with a name of its own, synced when the context ends well, gone when it does not.

    Raises
    ------
    InputError
        It cannot be written, or not to its end.
    """
    try:
        with NamedTemporaryFile(dir=folder, prefix="replay-", suffix=suffix, delete=False) as file:
            try:
                yield cast(BinaryIO, file)
                file.flush()
                os.fsync(file.fileno())
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise
    except OSError as error:
        raise InputError(f"{folder}: cannot be written to: {error.strerror or error}") from error


@contextmanager
def replaced(path: Path, *, private: bool = False) -> Iterator[BinaryIO]:
    """Write a file anew: whoever looks, or comes after a crash, finds the old one or the new one, whole.

    Parameters
    ----------
    private
        Whether nobody else may read it; otherwise the old file's mode holds, or the user's umask.

    Raises
    ------
    InputError
        It cannot be written.
    """
    try:
        with new_file(path.parent, ".part") as file:
            yield file
        part = Path(file.name)
        if not private:  # which is how it was made
            part.chmod(path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~_umask())
        part.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error


def sync_folder(folder: Path) -> None:
    """Make new and removed names safe from a crash."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
