"""Bodies of another platform's messages, by a mapping file: `POST /v1/events?mapping=NAME`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from api.events.schemas import IntakeReport
from api.events.service import EventsService
from api.problems import wrong
from detector.events.decode import Decoder, Refusal
from detector.events.money import Currencies
from detector.mapping.catalogue import Catalogue
from detector.mapping.feed import translate

_Events = list[bytes | Refusal]


class ForeignFeeds:
    """Turns messages into events on their way to the service that takes them in.

    Parameters
    ----------
    folder
        The deployment's own mapping files; what is wrong with them is raised as by `Catalogue`.
    """

    def __init__(self, folder: Path | None, currencies: Currencies) -> None:
        self._catalogue = Catalogue(folder, currencies)
        self._currencies = currencies

    async def take(
        self, service: EventsService, name: str, messages: Sequence[bytes | Refusal]
    ) -> IntakeReport:
        """Take in what comes of messages by a mapping; each result names the place of its message.

        Raises
        ------
        Problem
            There is no such mapping, or what the service raises.
        """
        # A batch can be megabytes in one message, and others' requests must not wait for it.
        events, places, dropped = await asyncio.to_thread(self._translate, name, messages)
        originals = [each.original if isinstance(each, Refusal) else each for each in messages]
        report = await service.take(events, [originals[place] for place in places])
        for result, place in zip(report.results, places, strict=True):
            result.index = place
        report.dropped = dropped
        return report

    def _translate(self, name: str, messages: Sequence[bytes | Refusal]) -> tuple[_Events, list[int], int]:
        mapping = self._catalogue.get(name)
        if mapping is None:
            reason = f"no such mapping; there are {', '.join(self._catalogue.names)}"
            raise wrong("mapping", reason)
        decoder = Decoder(self._currencies)  # it keeps what it decoded last, and threads share none
        events: _Events = []
        places: list[int] = []
        dropped = 0
        for place, message in enumerate(messages):
            if isinstance(message, Refusal):
                came: _Events = [message]
            else:
                found = translate(mapping, decoder, message)
                came = [taken.raw for taken in found.taken]
                dropped += len(found.dropped)
                if found.refusal is not None:
                    came.append(found.refusal)
            events += came
            places += [place] * len(came)
        return events, places, dropped
