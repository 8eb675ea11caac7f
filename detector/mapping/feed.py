"""A mapping file at work: a foreign message in, events out, and what became of each of its records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path as FilePath
from typing import Any

import msgspec

from detector.events.decode import Decoder, Refusal
from detector.events.document import Refused
from detector.events.vocabulary import AnyEvent
from detector.language.syntax import Place
from detector.mapping.cases import Case, records
from detector.mapping.message import Path, Scope, Scopes, read_message
from detector.mapping.origins import Dropped, Unmapped

_encode = msgspec.json.Encoder().encode

NO_CASE = "no case of the mapping fits; add one, or drop these records by one without `when` at the end"
NO_RECORD = "a message without records"
NO_EVENT = "none of the events of its case applies"
TOLD = 3  # records of one message whose refusal is told in full


@dataclass(frozen=True, slots=True)
class Example:
    """A message of the file with what is to come of it.

    Attributes
    ----------
    events
        The events expected, as JSON.
    dropped, refused
        The reason why a record is left out or refused; None where none is.
    """

    name: str
    place: Place
    message: bytes
    events: tuple[bytes, ...] = ()
    dropped: str | None = None
    refused: str | None = None


@dataclass(slots=True)
class Record:
    """What became of one record: events, or why it was dropped, or a reason and detail of its refusal."""

    events: list[bytes] = field(default_factory=list)
    dropped: str | None = None
    refused: tuple[str, str] | None = None
    case: int | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """An event of a foreign message.

    Attributes
    ----------
    content
        The decoder's `content` of it.
    raw
        The event as JSON, as if it had been sent so.
    """

    event: AnyEvent
    content: int
    raw: bytes


@dataclass(slots=True)
class Translation:
    """All that came of one message.

    Attributes
    ----------
    dropped
        Why each record that was left out on purpose was.
    refusal
        The message itself, where any of its records was refused; what the others gave stands in `taken`.
    """

    taken: list[Taken] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    refusal: Refusal | None = None


@dataclass(slots=True)
class FeedMapping:
    """One mapping file, ready for messages.

    Attributes
    ----------
    id
        The file's id, which is also its name.
    each
        Where a message's records are; None: the message is the record.
    """

    id: str
    title: str
    path: FilePath
    each: Path | None
    cases: Sequence[Case]
    examples: Sequence[Example] = ()

    def records(self, raw: bytes) -> list[Record]:
        """What becomes of each record of a message; it never raises for what the message holds.

        A record is mapped as a whole or not at all.
        """
        try:
            outermost: Scopes = [Scope(read_message(raw))]
            scopes = [outermost] if self.each is None else records(self.each, outermost)
        except Refused as refused:
            return [Record(refused=(refused.reason, refused.detail))]
        except Unmapped as unmapped:
            return [Record(refused=(unmapped.reason, unmapped.detail))]
        return [self._record(each) for each in scopes] or [Record(dropped=NO_RECORD)]

    def _record(self, scopes: Scopes) -> Record:
        record = Record()
        try:
            record.case = self.case_of(scopes)
            record.events = [_encode(event) for event in self.cases[record.case].make(scopes)]
            if not record.events:
                raise Dropped(NO_EVENT)
        except Dropped as dropped:
            record.dropped = dropped.why
        except Unmapped as unmapped:
            record.refused = (unmapped.reason, unmapped.detail)
        except UnicodeEncodeError:
            record.refused = ("not_json", f"{scopes[-1].at}: holds half of a surrogate pair")
        return record

    def case_of(self, scopes: Scopes) -> int:
        """The number of the first case that fits; Unmapped where none does."""
        for number, case in enumerate(self.cases):
            if case.when is None or case.when(scopes):
                return number
        raise Unmapped("unmapped", scopes[-1].at, NO_CASE)

    def carried(self, scopes: Scopes) -> list[dict[str, Any]]:
        """What an old record would have given, as a correction carries it."""
        return self.cases[self.case_of(scopes)].make(scopes, carried=True)


def translate(
    mapping: FeedMapping, decoder: Decoder, raw: bytes, received_at: datetime | None = None
) -> Translation:
    """Map a message and decode what comes of it; it never raises for what the message holds.

    A record of which an event is refused gives none. The refusal keeps the whole message: sent again once the
    file is mended, what was taken the first time is a repeat.
    """
    found = Translation()
    refused: list[tuple[str, str]] = []
    for record in mapping.records(raw):
        if record.dropped is not None:
            found.dropped.append(record.dropped)
        if record.refused is not None:
            refused.append(record.refused)
            continue
        taken = []
        for event_bytes in record.events:
            event = decoder.decode(event_bytes, received_at)
            if isinstance(event, Refusal):
                refused.append((event.reason, f"an event made of it: {event.detail}"))
                break
            taken.append(Taken(event, decoder.content, event_bytes))
        else:
            found.taken += taken
    if refused:
        told = "; ".join(detail for _, detail in refused[:TOLD])
        more = f"; and {len(refused) - TOLD} records more" if len(refused) > TOLD else ""
        found.refusal = Refusal(refused[0][0], told + more, raw)
    return found
