"""Taking events in: decode each, store the new ones, tell the sender what became of every one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from api.events import repository
from api.events.repository import EventsRepository, NewEvent, new_event
from api.events.schemas import EventResult, IntakeReport
from api.problems import BACKLOG_FULL, TOO_MANY_EVENTS, Problem
from detector.events.decode import CONFLICT, Decoder, Refusal
from detector.events.instants import to_datetime
from detector.events.vocabulary import AnyEvent

CHUNK = 500
"""Events stored in one step, during which Redis serves nobody else (about 2 ms)."""


class EventsService:
    """Intake.

    Parameters
    ----------
    repository
        Where events go. Repeats are told as far as it tells them.
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
            The foreign message that each was made of, which is what is kept where one is refused.

        Raises
        ------
        Problem
            Too many at once, or the detector is too far behind. Events of earlier chunks may have been
            stored by then; when the request is sent again they are told as repeats.
        """
        if len(originals) > self._most_events:
            raise Problem(TOO_MANY_EVENTS, f"At most {self._most_events} events are taken in one request.")
        report = IntakeReport()
        letters = _Letters(messages)
        for start in range(0, len(originals), CHUNK):
            await self._take_chunk(report, originals[start : start + CHUNK], letters)
        return report

    async def _take_chunk(
        self, report: IntakeReport, originals: Sequence[bytes | Refusal], letters: _Letters
    ) -> None:
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
            fresh.append(new_event(event, self._decoder.content, original, received_us))
        verdicts = await self._repository.append(fresh) if fresh else b""
        if verdicts is None:
            raise Problem(BACKLOG_FULL, "Nothing is lost; send the request again later.", retry_after_s=5)
        refusals: list[Refusal] = []
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
            refusals += letters.about(index, refusal)
            report.rejected += 1
            report.results.append(EventResult(index, event_id, "rejected", refusal.reason, refusal.detail))
        if refusals:
            await self._repository.bury(refusals, received_us)


class _Letters:
    """What is kept of the refused events of one request."""

    def __init__(self, messages: Sequence[bytes] | None) -> None:
        self._messages = messages
        self._kept: set[tuple[str, bytes]] = set()

    def about(self, index: int, refusal: Refusal) -> list[Refusal]:
        """What to keep of this one: nothing where its message is kept for the same reason already."""
        if self._messages is None:
            return [refusal]
        # A batch sent again with one thing changed may be a conflict from end to end, and is megabytes.
        message = self._messages[index]
        if (refusal.reason, message) in self._kept:
            return []
        self._kept.add((refusal.reason, message))
        return [Refusal(refusal.reason, refusal.detail, message)]
