"""Writing the chain, within the transaction of whatever it tells of, and verifying it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from api.audit import repository
from api.audit.chain import Entry, Keys, Signed, Walk, canonical, link, sign
from api.keyring import Keyring
from api.store.database import Store
from detector.errors import InputError, SettingsError

_WAITING = "audit"


@dataclass(frozen=True, slots=True)
class Verified:
    """A chain that was gone through: its length as it is on record, its checkpoints, and what is wrong."""

    entries: int
    checkpoints: int
    faults: list[str]


class Audit:
    """The audit chain of a deployment.

    `tell` may be called anywhere in a writing transaction; the entries are added when its work is done, so
    that the end of the chain, of which there is one, is locked for as short as can be.

    Parameters
    ----------
    clock
        Tells the wall clock, in µs since the epoch.
    """

    def __init__(self, store: Store, keyring: Keyring, clock: Callable[[], int]) -> None:
        self._store = store
        self._keyring = keyring
        self._clock = clock
        store.before_commit.append(self._append)

    @staticmethod
    def tell(session: AsyncSession, actor: str, action: str, subject: str, **details: Any) -> None:
        """Have an entry added with this transaction.

        Parameters
        ----------
        actor
            Who: `key:ID`, `partner:ID` or `system:NAME`.
        action
            What, as `noun.verb`, such as `alert.assigned`.
        subject
            On what, as `kind:id`, such as `alert:…`; a player by their pseudonym, never by their id.
        details
            JSON values. No identity, no amount, no score, no secret.
        """
        session.info.setdefault(_WAITING, []).append((actor, action, subject, canonical(details)))

    @staticmethod
    @asynccontextmanager
    async def savepoint(session: AsyncSession) -> AsyncIterator[None]:
        """A part of a transaction that is undone by itself when it raises, with what was told in it."""
        told = list(session.info.get(_WAITING, ()))
        try:
            async with session.begin_nested():
                yield
        except BaseException:
            session.info[_WAITING] = told
            raise

    async def _append(self, session: AsyncSession) -> None:
        waiting: list[tuple[str, str, str, str]] = session.info.pop(_WAITING, [])
        if not waiting:
            return
        await session.flush()
        head = await repository.lock_head(session)
        at_us, seq, hash_ = self._clock(), head.seq, head.hash
        rows = []
        for actor, action, subject, details in waiting:
            seq += 1
            entry = Entry(seq, at_us, actor, action, subject, details)
            hash_ = link(hash_, entry)
            rows.append((entry, hash_))
        key_id, key = self._keyring.signing_key("audit")
        await repository.append(session, rows, sign("head", seq, hash_, key_id, key))

    async def begin(self) -> None:
        """Give an empty chain its first entry, so that an empty one is always a fault."""
        async with self._store.write() as session:
            if (await repository.lock_head(session)).seq == 0:
                self.tell(session, "system:store", "chain.begun", "chain:audit")

    async def checkpoint(
        self,
        outside: Path | None = None,
        first: Callable[[AsyncSession], Awaitable[object]] | None = None,
    ) -> Signed | None:
        """Vouch for the chain as it stands, in the store and in a file outside; None if nothing is new.

        The file is what tells a chain that was cut off together with its record in the store.

        Parameters
        ----------
        first
            Called with the transaction before anything else.

        Raises
        ------
        SettingsError
            The file cannot be written; then the store keeps none either.
        """
        async with self._store.write() as session:
            if first is not None:
                await first(session)
            head = await repository.lock_head(session)
            if head.seq == 0 or await repository.last_checkpoint(session) == head.seq:
                return None
            signed = sign("checkpoint", head.seq, head.hash, *self._keyring.signing_key("audit"))
            await repository.add_checkpoint(session, signed, self._clock())
            if outside is not None:
                _append_line(outside, msgspec.json.encode(signed) + b"\n")
        return signed

    async def verify(self, outside: Sequence[Signed] = ()) -> list[str]:
        """Everything that is wrong with the chain by itself, in words; nothing where it is whole.

        Parameters
        ----------
        outside
            Checkpoints that were kept elsewhere than in the store; they need not be all.
        """
        return (await self.examine(lambda: outside, all_outside=False)).faults

    async def examine(self, outside: Callable[[], Sequence[Signed]], *, all_outside: bool = True) -> Verified:
        """Go through the chain.

        Parameters
        ----------
        outside
            Reads the checkpoints that are kept elsewhere than in the store.
        all_outside
            Whether each that is in the store has to be there too.
        """
        known = outside()
        async with self._store.read(snapshot=True) as session:
            head = await repository.head(session)
            inside = await repository.checkpoints(session)
            checkpoints = [*inside, *known]
            named = {each.key for each in checkpoints} | ({head.key} if head else set())
            walk = Walk(head, checkpoints, self._keys(named))
            after = 0
            while page := await repository.page(session, after):
                for entry, hash_ in page:
                    walk.step(entry, hash_)
                after = page[-1][0].seq
            walk.end()
        # Those of the store were written outside before they were committed, but maybe after the first look.
        missing = {each.seq for each in inside} - {each.seq for each in outside()} if all_outside else set()
        if missing:
            told = f"missing outside of the store: {len(missing)}, the last at entry {max(missing)}"
            walk.faults.append(f"checkpoints {told}")
        entries = 0 if head is None else head.seq
        return Verified(entries, len({each.seq for each in checkpoints}), walk.faults)

    def _keys(self, wanted: Iterable[str]) -> Keys:
        return {
            key_id: self._keyring.signing_key("audit", key_id)[1].public_key()
            for key_id in wanted
            if key_id in self._keyring.ids
        }


def read_checkpoints(path: Path) -> list[Signed]:
    """The checkpoints of a file.

    Raises
    ------
    InputError
        There is none, or a line of it is no checkpoint.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
    found = []
    for number, line in enumerate(lines, 1):
        try:
            found.append(msgspec.json.decode(line, type=Signed))
        except msgspec.DecodeError:
            raise InputError(f"{path}:{number}: this is no checkpoint") from None
    return found


def _append_line(path: Path, line: bytes) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "ab") as handle:
            handle.write(line)
            handle.flush()
            os.fsync(handle.fileno())
    except OSError as error:
        raise SettingsError(f"no checkpoint can be written to {path}: {error.strerror}") from None
