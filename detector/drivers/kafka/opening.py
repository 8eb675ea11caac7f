"""Making partitions ready: fencing off who had them, bringing the disk up, and an engine of what is kept."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import structlog
from faust.types import TP

from detector.drivers.detection import Detection
from detector.drivers.kafka.application import Application, disk_of
from detector.drivers.kafka.checkpoints import Held
from detector.drivers.kafka.commands import Commands, Library
from detector.drivers.kafka.connection import Connection
from detector.drivers.kafka.keeping import Changelog, Kept, Writer
from detector.drivers.kafka.marks import MARKS, PLAYER, read_marks
from detector.drivers.kafka.options import Options
from detector.drivers.kafka.partition import Partition
from detector.drivers.kafka.topics import changelog
from detector.drivers.rates import WatchedRates
from detector.engine.places import Places
from detector.events.decode import Decoder
from detector.events.money import Currencies

log = structlog.get_logger()


class Opening:
    """Makes partitions of what is kept of them.

    Attributes
    ----------
    feared
        Partition → (topic, offset) of the events that an engine has failed on.
    """

    def __init__(
        self,
        app: Application,
        connection: Connection,
        options: Options,
        currencies: Currencies,
        places: Places,
        rates: WatchedRates | None,
        commands: Commands,
        library: Library,
        clock: Callable[[], int],
    ) -> None:
        self.feared: dict[int, set[tuple[str, int]]] = {}
        self._app = app
        self._connection = connection
        self._options = options
        self._currencies = currencies
        self._places = places
        self._rates = rates
        self._commands = commands
        self._library = library
        self._clock = clock
        self._decoder = Decoder(currencies)
        self._changelog = Changelog(connection, changelog(options.group))

    async def open(self, numbers: set[int]) -> dict[int, Held]:
        """Make assigned partitions ready.

        Raises
        ------
        KafkaError
            The brokers do not do their part; nothing is held then.
        """
        began = time.monotonic()
        writers = {
            number: Writer(self._connection, self._options.group, self._changelog.topic, number)
            for number in numbers
        }
        try:
            await asyncio.gather(*(writer.open() for writer in writers.values()))
            kept = {number: Kept(*disk_of(self._app, number)) for number in numbers}
            read = await self._changelog.bring_up(kept) if kept else 0
        except BaseException:
            await asyncio.gather(*(writer.close() for writer in writers.values()))
            raise
        players = 0
        opened: dict[int, Held] = {}
        for number in sorted(numbers):
            partition, known = self._set_up(number, kept[number], None)
            players += known
            opened[number] = Held(
                partition=partition,
                kept=kept[number],
                writer=writers[number],
                generation=self._app.consumer_generation_id,
                unsure=set(self._options.inputs),
                heard_us=self._clock(),
            )
            await asyncio.sleep(0)
        if numbers:
            took = round(time.monotonic() - began, 1)
            log.info("detecting", partitions=sorted(numbers), players=players, read=read, seconds=took)
        return opened

    async def begin_at_first(self, opened: dict[int, Held]) -> None:
        """Have inputs of which nothing is kept read from their first record on, whatever the group committed.

        A changelog that was lost is made anew by judging once more all that the topics still have.
        """
        unknown = [
            TP(topic, number)
            for number, held in opened.items()
            for topic in self._options.inputs
            if topic not in held.partition.next
        ]
        if unknown:
            first = await self._app.consumer.earliest_offsets(*unknown)
            for tp, offset in first.items():
                opened[tp.partition].partition.begin_at(tp.topic, offset)

    def change_rules(self, held: Held, rules: str) -> None:
        """Make the partition anew, judged by another set; all that was judged so far has to be kept."""
        held.partition, _ = self._set_up(held.partition.number, held.kept, rules)
        held.unsure = set(self._options.inputs)
        held.refetched.clear()

    def _set_up(self, number: int, kept: Kept, rules: str | None) -> tuple[Partition, int]:
        """A partition made of what is kept of it, and how many players that is.

        It is judged by a set of rules, None being the one that it was judged by so far.
        """
        marks = kept.get(MARKS)
        if rules is None:
            latest = self._commands.latest
            assert latest is not None
            rules = latest.set if marks is None else read_marks(marks).rules
        found = self._library.get(rules)
        rates = None if self._rates is None else self._rates.rates
        detection = Detection.of(
            found, self._currencies, rates, self._places, keep_samples=self._options.learn
        )
        partition = Partition(
            number,
            lambda stored: detection.engine(
                keep_records=True, grace_us=self._options.grace_us, stored=stored
            ),
            found.ladder,
            self._options.inputs,
            self._decoder,
            kept.get,
            self.feared.get(number, set()),
            rules,
            wait_s=self._options.merge_wait_s,
            now_s=time.monotonic(),
        )
        if marks is not None:
            partition.load_marks(marks)
        players = 0
        for key, record in kept.items(PLAYER):
            partition.load_player(key, record)
            players += 1
        return partition, players
