"""Which worker of a replay takes which line: by player, found in the bytes without decoding them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from zlib import crc32

import msgspec

from detector.drivers.letters import Letter, dead_letter
from detector.events.decode import Decoder, Refusal
from detector.events.instants import micros
from detector.events.money import Currencies
from detector.events.vocabulary import EVENT_TYPES, Tick
from detector.players.player import LONG_AGO

KEPT = 255
"""Stands for the one who splits, where the number of a worker stands for lines that go out."""

_TOKEN = b'"player"'
_SPELT = (b'"player":"', b'"player": "')


class Share(msgspec.Struct, array_like=True):
    """What one worker gets of a chunk.

    `first` is the number of the chunk's first line and `routes` says for each of its lines, in a byte, who
    takes it; so a worker can number a line when it has to. `ticks` are (place, instant): before that line
    of the share, time passes to there. `until_us` is the watermark to tick to after the chunk.
    """

    first: int
    routes: bytes
    text: bytes
    ticks: list[tuple[int, int]]
    until_us: int


@dataclass(slots=True)
class Split:
    """A chunk split up; of the lines that nobody else takes, the high marks they set, and their letters."""

    routes: bytes
    shares: list[list[bytes]]
    ticks: list[list[tuple[int, int]]]
    marks: list[int] = field(default_factory=list)
    letters: list[Letter] = field(default_factory=list)


class _Who(msgspec.Struct):
    type: str = ""
    player: str = ""


def _plain(text: bytes) -> bool:
    """Whether nothing is escaped, and nothing is a tick or a CloudEvent, whose player stands elsewhere."""
    return b"\\" not in text and b'"tick"' not in text and b'"specversion"' not in text


def owner(player: str, jobs: int) -> int:
    """The worker that a player belongs to."""
    return crc32(player.encode()) % jobs


class Splitter:
    """Splits chunks of lines between workers.

    A line in which `"player"` stands once, without any backslash, names its player there if it is an event
    at all and no CloudEvent. Others are looked into. Ticks belong to everybody: they, and what is no event,
    are done with here.

    Parameters
    ----------
    grace_us
        How far the high mark that a tick sets lies ahead of it.

    Attributes
    ----------
    accepted, unknown_fields
        What the lines that were kept here add to the counts of the workers.
    """

    def __init__(self, jobs: int, currencies: Currencies, grace_us: int) -> None:
        self.accepted = 0
        self._jobs = jobs
        self._grace_us = grace_us
        self._decoder = Decoder(currencies)
        self._who = msgspec.json.Decoder(_Who).decode
        self.unknown_fields: Counter[str] = Counter()

    def split(self, lines: Sequence[bytes], first: int) -> Split:
        """Split a chunk, `first` being the number of its first line."""
        text = b"\n".join(lines)
        spelt = _SPELT[0] if _SPELT[0] in text else _SPELT[1]
        # One in each line, if there are as many as lines and none is found to have none.
        if text.count(_TOKEN) == len(lines) and _plain(text):
            split = self._split_plain(lines, spelt)
            if split is not None:
                return split
        split = Split(b"", [[] for _ in range(self._jobs)], [[] for _ in range(self._jobs)])
        routes = bytearray()
        for raw in lines:
            place = raw.find(spelt)
            if place >= 0 and raw.count(_TOKEN) == 1 and _plain(raw):
                place += len(spelt)
                to = crc32(raw[place : raw.find(b'"', place)]) % self._jobs
            else:
                to = self._look_into(raw, first + len(routes), split)
            routes.append(to)
            if to != KEPT:
                split.shares[to].append(raw)
        split.routes = bytes(routes)
        return split

    def _split_plain(self, lines: Sequence[bytes], spelt: bytes) -> Split | None:
        """Split lines that each have the token no more than once; None where one has none."""
        jobs, width = self._jobs, len(spelt)
        shares: list[list[bytes]] = [[] for _ in range(jobs)]
        routes = bytearray()
        for raw in lines:
            place = raw.find(spelt)
            if place < 0:
                return None
            place += width
            to = crc32(raw[place : raw.find(b'"', place)]) % jobs
            routes.append(to)
            shares[to].append(raw)
        return Split(bytes(routes), shares, [[] for _ in range(jobs)])

    def _look_into(self, raw: bytes, number: int, split: Split) -> int:
        try:
            who = self._who(raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            who = _Who()
        if who.player and who.type in EVENT_TYPES and who.type != "tick":
            return owner(who.player, self._jobs)
        self._decoder.unknown_fields.clear()
        event = self._decoder.decode(raw)
        mark = LONG_AGO
        if isinstance(event, Refusal):
            if raw.strip():
                split.letters.append(dead_letter(number, event))
        elif isinstance(event, Tick):
            at = micros(event.ts)
            mark = at + self._grace_us
            self.accepted += 1
            self.unknown_fields += self._decoder.unknown_fields
            for share, ticks in zip(split.shares, split.ticks, strict=True):
                ticks.append((len(share), at))
        else:
            return owner(event.player, self._jobs)
        split.marks.append(mark)
        return KEPT
