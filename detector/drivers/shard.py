"""A share of a log's players, replayed: what every worker does, and a replay without workers too."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence

from detector.drivers.detection import Detection
from detector.drivers.letters import Letter, dead_letter
from detector.engine.engine import Outcome
from detector.events.decode import CONFLICT, Decoder, Refusal
from detector.events.instants import micros
from detector.players.player import LONG_AGO


class Shard:
    """Engine and decoder, fed chunk by chunk."""

    def __init__(self, detection: Detection, *, keep_records: bool = False) -> None:
        self.engine = detection.engine(keep_records=keep_records)
        self.decoder = Decoder(detection.currencies)

    def take(
        self,
        lines: Sequence[bytes],
        number: Callable[[int], int],
        letters: list[Letter],
        trace: array[int] | None = None,
        start: int = 0,
    ) -> None:
        """Take lines in.

        Parameters
        ----------
        number
            The number in the log of a line, by its place here counted from `start`.
        letters
            Gains what is refused.
        trace
            Gains each line's instant in µs, LONG_AGO where it was refused or repeated.
        """
        decoder = self.decoder
        decode, apply = decoder.decode, self.engine.apply
        accepted, conflict = Outcome.ACCEPTED, Outcome.CONFLICT
        for place, raw in enumerate(lines, start):
            event = decode(raw)
            if type(event) is not Refusal:
                outcome = apply(event, decoder.content)  # type: ignore[arg-type]  # it is an event
                if trace is not None:
                    trace.append(micros(event.ts) if outcome is accepted else LONG_AGO)  # type: ignore[union-attr]
                if outcome is not conflict:
                    continue
                event = Refusal("conflict", CONFLICT, raw)
            else:
                if trace is not None:
                    trace.append(LONG_AGO)
                if not raw.strip():
                    continue
            letters.append(dead_letter(number(place), event))

    def take_share(
        self,
        lines: Sequence[bytes],
        ticks: Sequence[tuple[int, int]],
        number: Callable[[int], int],
        letters: list[Letter],
    ) -> array[int]:
        """Take lines in, time passing where somebody else's tick stood between them; their instants."""
        trace = array("q")
        start = 0
        for place, at_us in ticks:
            self.take(lines[start:place], number, letters, trace, start)
            self.engine.tick(at_us)
            start = place
        self.take(lines[start:], number, letters, trace, start)
        return trace
