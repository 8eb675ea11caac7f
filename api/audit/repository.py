"""The chain in the store."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from api.audit.chain import Entry, Signed
from api.audit.tables import AuditCheckpoint, AuditHead, AuditRow
from api.store.adding import storable
from detector.errors import StateError

PAGE = 2000


async def lock_head(session: AsyncSession) -> Signed:
    """The end of the chain, which nobody else can add to until this transaction ends."""
    head = (await session.execute(select(AuditHead).where(AuditHead.id == 1).with_for_update())).scalar()
    if head is None:
        raise StateError("the end of the audit chain is not on record: somebody has removed it")
    return Signed(head.seq, head.hash, head.key, head.signature)


async def append(session: AsyncSession, rows: Sequence[tuple[Entry, str]], head: Signed) -> None:
    """Add entries and move the end."""
    values = [
        {
            "seq": entry.seq,
            "at_us": entry.at_us,
            "actor": entry.actor,
            "action": entry.action,
            "subject": entry.subject,
            "details": entry.details,
            "hash": hash_,
        }
        for entry, hash_ in rows
    ]
    await session.execute(insert(AuditRow), values)
    await session.execute(update(AuditHead).where(AuditHead.id == 1).values(_of(head)))


async def head(session: AsyncSession) -> Signed | None:
    """The end of the chain as the store has it."""
    row = await session.get(AuditHead, 1, populate_existing=True)
    return None if row is None else Signed(row.seq, row.hash, row.key, row.signature)


async def page(session: AsyncSession, after: int) -> list[tuple[Entry, str]]:
    """The next entries behind the one of seq `after`, with the hash they bear, by seq."""
    query = select(AuditRow).where(AuditRow.seq > after).order_by(AuditRow.seq).limit(PAGE)
    return [_entry(row) for row in (await session.execute(query)).scalars()]


async def newest(
    session: AsyncSession,
    *,
    before: int | None,
    subject: str | None,
    action: str | None,
    since_us: int | None,
    count: int,
) -> list[tuple[Entry, str]]:
    """At most `count` entries before the one of seq `before`, with the hash they bear, the newest first."""
    query = select(AuditRow).order_by(AuditRow.seq.desc()).limit(count)
    if before is not None:
        query = query.where(AuditRow.seq < before)
    if subject is not None:
        query = query.where(AuditRow.subject == storable(subject))
    if action is not None:
        query = query.where(AuditRow.action == storable(action))
    if since_us is not None:
        query = query.where(AuditRow.at_us >= since_us)
    return [_entry(row) for row in (await session.execute(query)).scalars()]


async def told_of(session: AsyncSession, action: str) -> list[tuple[str, str]]:
    """Subject and details of every entry of an action, in order."""
    query = select(AuditRow.subject, AuditRow.details).where(AuditRow.action == action).order_by(AuditRow.seq)
    return [(subject, details) for subject, details in await session.execute(query)]


async def checkpoints(session: AsyncSession) -> list[Signed]:
    """Every checkpoint, the earliest first."""
    rows = (await session.execute(select(AuditCheckpoint).order_by(AuditCheckpoint.seq))).scalars()
    return [Signed(row.seq, row.hash, row.key, row.signature) for row in rows]


async def last_checkpoint(session: AsyncSession) -> int:
    """The seq of the latest checkpoint, 0 where there is none."""
    return (await session.execute(select(func.max(AuditCheckpoint.seq)))).scalar() or 0


async def add_checkpoint(session: AsyncSession, signed: Signed, at_us: int) -> None:
    """Keep a checkpoint."""
    session.add(AuditCheckpoint(at_us=at_us, **_of(signed)))


def _of(signed: Signed) -> dict[str, int | str]:
    return {"seq": signed.seq, "hash": signed.hash, "key": signed.key, "signature": signed.signature}


def _entry(row: AuditRow) -> tuple[Entry, str]:
    return Entry(row.seq, row.at_us, row.actor, row.action, row.subject, row.details), row.hash
