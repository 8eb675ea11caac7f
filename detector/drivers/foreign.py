"""A log of another platform's messages, replayed by a mapping file."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from detector.drivers.letters import Letter, dead_letter
from detector.events.decode import Decoder, Refusal
from detector.events.money import Currencies
from detector.mapping.feed import FeedMapping, translate


@dataclass(slots=True)
class _Chunk:
    """A chunk that is on its way: its lines, of which of them each event was made, and what was refused."""

    first: int
    lines: Sequence[bytes]
    sources: list[int] = field(default_factory=list)
    letters: list[Letter] = field(default_factory=list)


class ForeignLog:
    """Turns chunks of messages into chunks of events, and letters about events into letters about messages.

    Attributes
    ----------
    dropped
        Why the file leaves records out → records.
    """

    def __init__(self, mapping: FeedMapping, currencies: Currencies) -> None:
        self.dropped: Counter[str] = Counter()
        self._mapping = mapping
        self._decoder = Decoder(currencies)
        self._chunks: deque[_Chunk] = deque()

    def events(self, lines: Sequence[bytes], first: int) -> list[bytes]:
        """The events of a chunk, `first` being the number of its first line."""
        chunk = _Chunk(first, lines)
        events = []
        for place, raw in enumerate(lines):
            if not raw.strip():
                continue
            found = translate(self._mapping, self._decoder, raw)
            events += [taken.raw for taken in found.taken]
            chunk.sources += [place] * len(found.taken)
            self.dropped.update(found.dropped)
            if found.refusal is not None:
                chunk.letters.append(dead_letter(first + place, found.refusal))
        self._chunks.append(chunk)
        return events

    def letters(self, letters: Sequence[Letter]) -> list[Letter]:
        """All that was refused of the chunk that is done next, given what was of its events."""
        chunk = self._chunks.popleft()
        # A batch that is a conflict from end to end is kept once, not once an event.
        kept: dict[tuple[int, str], Letter] = {}
        for letter in letters:
            place = chunk.sources[letter.line - chunk.first]
            if (place, letter.reason) not in kept:
                kept[place, letter.reason] = self._about_message(letter, chunk, place)
        return sorted([*chunk.letters, *kept.values()], key=lambda letter: letter.line)

    def _about_message(self, letter: Letter, chunk: _Chunk, place: int) -> Letter:
        detail = msgspec.json.decode(letter.text)["detail"]
        return dead_letter(chunk.first + place, Refusal(letter.reason, detail, chunk.lines[place]))
