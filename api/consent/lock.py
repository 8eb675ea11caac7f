"""Remember the hashes of new versions of texts: `python -m api.consent.lock`."""

from __future__ import annotations

from pathlib import Path

import msgspec

from api.consent.wording import LOCK, read_texts
from detector.errors import StateError


def locked(before: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    """The lock with what is new.

    Raises
    ------
    StateError
        A text that was locked has changed: give it a new version instead.
    """
    after = {name: dict(hashes) for name, hashes in before.items()}
    for text in read_texts():
        was = after.setdefault(text.name, {}).setdefault(text.language, text.hash)
        if was != text.hash:
            raise StateError(f"{text.name} ({text.language}) was changed; give it a new version")
    return after


def main() -> None:
    """Write the lock."""
    path = Path(str(LOCK))
    before = msgspec.json.decode(path.read_bytes()) if path.exists() else {}
    after = msgspec.json.encode(locked(before), order="sorted")
    path.write_bytes(msgspec.json.format(after, indent=2) + b"\n")


if __name__ == "__main__":
    main()
