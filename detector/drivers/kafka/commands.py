"""What workers are told on `rg.commands`, and the sets of rules that it names.

A set travels as its files, so that all workers judge by the same bytes wherever they run, and one that joins
a year later finds the set that its partitions were last judged by. Which set is in force from which event
time is one record, the latest.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath

import msgspec
import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from detector.drivers.faults import where
from detector.drivers.kafka.connection import Connection
from detector.drivers.kafka.topics import COMMANDS
from detector.drivers.rulesets import RuleSet, id_of, read_rule_set, rule_set_files
from detector.errors import InputError, TiltwatchError
from detector.events.money import Currencies
from detector.language.source import Fault
from detector.players.player import LONG_AGO

log = structlog.get_logger()

_WAIT_MS = 500


class Rules(msgspec.Struct, tag_field="kind", tag="rules"):
    """The files of a set, by name."""

    set: str
    files: dict[str, str]
    by: str
    at: int


class Activate(msgspec.Struct, tag_field="kind", tag="activate"):
    """A set that judges from an event time on, in µs."""

    set: str
    effective_from: int
    by: str
    at: int


class Verdict(msgspec.Struct, tag_field="kind", tag="verdict"):
    """What a person found of an alert."""

    alert: str
    player: str
    verdict: str
    by: str
    at: int


class Snooze(msgspec.Struct, tag_field="kind", tag="snooze"):
    """An alert that a person has put off."""

    alert: str
    player: str
    until: int | str
    by: str
    at: int


Command = Rules | Activate | Verdict | Snooze

_read = msgspec.json.Decoder(Command).decode


class Library:
    """Sets of rules by their ids, made from files that are kept in a folder.

    Parameters
    ----------
    folder
        Where files may be put.
    """

    def __init__(self, folder: Path, currencies: Currencies) -> None:
        self._folder = folder
        self._currencies = currencies
        self._sets: dict[str, RuleSet] = {}
        self.refused: dict[str, str] = {}

    def add(self, set_id: str, files: Mapping[str, str]) -> None:
        """Take a set in; one that cannot be used here is remembered as refused, and why."""
        if set_id in self._sets:
            return
        why = self._why_not(set_id, files)
        if why is None:
            self.refused.pop(set_id, None)
        else:
            self.refused[set_id] = why
            log.error("a set of rules cannot be used here", rules=set_id, why=why)

    def _why_not(self, set_id: str, files: Mapping[str, str]) -> str | None:
        if id_of({name: text.encode() for name, text in files.items()}) != set_id:
            return "its files are not what its id says"
        home = self._folder / set_id
        try:
            for name, text in files.items():
                path = PurePosixPath(name)
                if path.is_absolute() or ".." in path.parts:
                    return "a file of it lies outside"
                (home / path).parent.mkdir(parents=True, exist_ok=True)
                (home / path).write_bytes(text.encode())
            found = read_rule_set(home, self._currencies)
        except (TiltwatchError, Fault, OSError, ValueError) as error:  # a name with a zero in it is the last
            log.error("rules cannot be read", error=type(error).__name__, where=where(error))
            return "its rules cannot be read"
        if found.id != set_id:
            return "its files are not what its id says"
        self._sets[set_id] = found
        return None

    def check(self, folder: Path) -> None:
        """See whether the set that lies in a folder can be used; TiltwatchError if not."""
        read_rule_set(folder, self._currencies)

    def __contains__(self, set_id: str) -> bool:
        return set_id in self._sets

    def get(self, set_id: str) -> RuleSet:
        """A set; InputError where there is none such."""
        found = self._sets.get(set_id)
        if found is None:
            raise InputError(
                f"the rules {set_id} are not on {COMMANDS} or cannot be used here; activate a set that can"
            )
        return found


class Commands:
    """Follows `rg.commands` from its beginning.

    Attributes
    ----------
    latest
        Which set judges from when, None before anything was told.
    counts
        How many commands of each kind were read.
    """

    def __init__(self, connection: Connection, library: Library, clock: Callable[[], int]) -> None:
        self._connection = connection
        self._library = library
        self._clock = clock
        self.latest: Activate | None = None
        self.counts: Counter[str] = Counter()
        self._consumer: AIOKafkaConsumer | None = None
        self._place = TopicPartition(COMMANDS, 0)

    async def start(self, folder: Path, worker: str) -> None:
        """Read what was told so far. Where no set was ever named, name the one that lies in a folder.

        Of several workers that begin at once, the first on the topic is heard.

        Raises
        ------
        TiltwatchError
            That set cannot be read.
        """
        consumer = self._consumer = AIOKafkaConsumer(
            **self._connection.aiokafka(),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            check_crcs=self._connection.check_crcs,
        )
        await consumer.start()
        consumer.assign([self._place])
        await consumer.seek_to_beginning(self._place)
        await self._catch_up()
        if self.latest is None:
            files = rule_set_files(folder)
            # What cannot be used must not become what all others have to begin with.
            self._library.check(folder)
            await self._tell(
                Rules(
                    id_of(files),
                    {name: data.decode() for name, data in files.items()},
                    worker,
                    self._clock(),
                )
            )
            await self._tell(Activate(id_of(files), LONG_AGO, worker, self._clock()))
            first = await self._first()
            if first.set != id_of(files):
                # Another worker was first; what compaction leaves of the topic must say so too.
                await self._tell(first)

    async def _first(self) -> Activate:
        while self.latest is None:
            await self._read_on()
        await self._catch_up()
        return self.latest

    async def _catch_up(self) -> None:
        assert self._consumer is not None
        end = (await self._consumer.end_offsets([self._place]))[self._place]
        while await self._consumer.position(self._place) < end:
            await self._read_on()

    async def _tell(self, command: Rules | Activate) -> None:
        key = f"rules:{command.set}" if isinstance(command, Rules) else "activate"
        producer = AIOKafkaProducer(**self._connection.aiokafka(), acks="all", max_request_size=8 << 20)
        await producer.start()
        try:
            await producer.send_and_wait(
                COMMANDS, msgspec.json.encode(command), key=key.encode(), partition=0
            )
        finally:
            await producer.stop()

    async def follow(self) -> None:
        """Read on for good."""
        while True:
            try:
                await self._read_on()
            except KafkaError as error:
                log.warning("commands cannot be read", error=type(error).__name__)
                await asyncio.sleep(1)

    async def _read_on(self) -> None:
        assert self._consumer is not None
        found = await self._consumer.getmany(self._place, timeout_ms=_WAIT_MS)
        for record in found.get(self._place, []):
            await self._take(record.value, record.offset)

    async def _take(self, value: bytes | None, offset: int) -> None:
        try:
            command = _read(value or b"")
        except (msgspec.DecodeError, UnicodeDecodeError):
            # Whatever it is, whoever comes after has no more use of it than we.
            log.error("a command cannot be read", topic=COMMANDS, offset=offset)
            return
        if isinstance(command, Rules):
            self.counts["rules"] += 1
            await asyncio.to_thread(self._library.add, command.set, command.files)
        elif isinstance(command, Activate):
            self.counts["activate"] += 1
            if self.latest is None or command.effective_from != LONG_AGO:
                self.latest = command
        else:
            # Those who learn from what people found read them here too; judging by rules does not.
            self.counts["verdict" if isinstance(command, Verdict) else "snooze"] += 1

    async def stop(self) -> None:
        """Give the connection back."""
        if self._consumer is not None:
            await self._consumer.stop()
