"""From a log on which something fails to a small one on which it still does."""

from __future__ import annotations

from collections.abc import Callable


def shrunk(lines: list[bytes], fails: Callable[[list[bytes]], bool]) -> list[bytes]:
    """Leave out ever smaller stretches of lines for as long as `fails` still holds."""
    length = len(lines) // 2
    while length >= 1:
        place, smaller = 0, False
        while place < len(lines):
            rest = lines[:place] + lines[place + length :]
            if fails(rest):
                lines, smaller = rest, True
            else:
                place += length
        if length > 1 or not smaller:
            length //= 2
    return lines
