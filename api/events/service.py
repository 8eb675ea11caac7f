"""Taking events in: decode each, store the new ones, tell the sender what became of every one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import xxhash

from api.events import repository
from api.events.repository import EventsRepository, NewEvent
from api.events.schemas import EventResult, IntakeReport
from api.problems import BACKLOG_FULL, TOO_MANY_EVENTS, Problem
from detector.events.decode import CONFLICT, Decoder, Refusal
from detector.events.identity import identity
from detector.events.instants import to_datetime
from detector.events.vocabulary import AnyEvent, Tick

CHUNK = 500
"""Events stored in one step, during which Redis serves nobody else (about 2 ms)."""


class EventsService:
    """Intake in embedded mode, where repeats are told at the door.

    Parameters
    ----------
    clock
        Tells the wall clock, in µs since the epoch.
    """

    def __init__(
        self, repository: EventsRepository, decoder: Decoder, clock: Callable[[], int], most_events: int
    ) -> None:
        self._repository = repository
        self._decoder = decoder
        self._clock = clock
        self._most_events = most_events

    async def take(
        self, originals: Sequence[bytes | Refusal], messages: Sequence[bytes] | None = None
    ) -> IntakeReport:
        """Take events in the order given; what the report calls accepted is on disk.

        What is refused already keeps its place among them.

        Parameters
        ----------
        messages
            The foreign message of which each event was made. It is kept in the place of an event that is
            refused, and only once for each reason: a batch of thousands may be a conflict from end to end.

        Raises
        ------
        Problem
            Too many at once, or the detector is too far behind. Events of earlier chunks may have been
            stored by then; when the request is sent again they are told as repeats.
        """
        if len(originals) > self._most_events:
            raise Problem(TOO_MANY_EVENTS, f"At most {self._most_events} events are taken in one request.")
        report = IntakeReport()
        kept: set[tuple[str, bytes]] = set()
        for start in range(0, len(originals), CHUNK):
            refusals = await self._take_chunk(report, originals[start : start + CHUNK])
            if messages is not None:
                refusals = [(place, replace(each, original=messages[place])) for place, each in refusals]
                refusals = [
                    (place, each) for place, each in refusals if not _seen((each.reason, each.original), kept)
                ]
            if refusals:
                await self._repository.bury([each for _, each in refusals], self._clock())
        return report

    async def _take_chunk(
        self, report: IntakeReport, originals: Sequence[bytes | Refusal]
    ) -> list[tuple[int, Refusal]]:
        received_us = self._clock()
        received_at = to_datetime(received_us)
        decoded: list[tuple[AnyEvent, bytes] | Refusal] = []
        fresh: list[NewEvent] = []
        for original in originals:
            if isinstance(original, Refusal):
                decoded.append(original)
                continue
            event = self._decoder.decode(original, received_at)
            if isinstance(event, Refusal):
                decoded.append(event)
                continue
            decoded.append((event, original))
            fresh.append(_new_event(event, self._decoder.content, original))
        verdicts = await self._repository.append(fresh, received_us) if fresh else b""
        if verdicts is None:
            raise Problem(BACKLOG_FULL, "Nothing is lost; send the request again later.", retry_after_s=5)
        refusals = []
        verdict = iter(verdicts)
        for each in decoded:
            index = len(report.results)
            event_id = None
            if isinstance(each, Refusal):
                refusal = each
            else:
                event, original = each
                event_id = event.id or None
                match next(verdict):
                    case repository.APPENDED:
                        report.accepted += 1
                        report.results.append(EventResult(index, event_id, "accepted"))
                        continue
                    case repository.SEEN:
                        report.repeated += 1
                        report.results.append(EventResult(index, event_id, "repeated"))
                        continue
                refusal = Refusal("conflict", CONFLICT, original)
            refusals.append(refusal)
            report.rejected += 1
            report.results.append(EventResult(index, event_id, "rejected", refusal.reason, refusal.detail))
        if refusals:
            await self._repository.bury(refusals, received_us)


def _new_event(event: AnyEvent, content: int, original: bytes) -> NewEvent:
    if isinstance(event, Tick):  # time passing twice is no repeat
        return NewEvent(b"", b"", original)
    name = xxhash.xxh3_64_digest(event.player.encode()) + identity(event.source, event.id).to_bytes(8)
    return NewEvent(name, content.to_bytes(8), original)
