"""What is known of players, in the store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from sqlalchemy import Table, bindparam, insert, inspect, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession

from api.alerts.tables import AlertRow
from api.keyring import Keyring
from api.players.learning import Learnt, is_news, merged, nothing_known
from api.players.tables import PlayerFacts
from api.store.adding import storable

_TABLE = cast(Table, PlayerFacts.__table__)  # declared as anything that can stand behind FROM
_COLUMNS = [column.key for column in inspect(PlayerFacts).column_attrs]
_AT = {name: number for number, name in enumerate(_COLUMNS)}
_ASKED = 5000
"""Players looked up in one query."""
_SWEPT = 1000


async def keep(
    session: AsyncSession,
    learnt: Mapping[str, Learnt],
    keyring: Keyring,
    default: str | None,
    day: str,
    now_us: int,
) -> None:
    """Add what was learnt of players to what is known of them; nobody else may be at it.

    Parameters
    ----------
    default
        The jurisdiction of those of whom no event says it.
    day
        The day of the first segment that the events are in.
    """
    known = await _rows(session, list(learnt))
    made, changed = [], []
    for player, each in learnt.items():
        row = known.get(player)
        if row is None:
            fresh = nothing_known(player, keyring.pseudonym(player), day)
            made.append(merged(fresh, each, default, now_us))
        elif any(is_news(name, said, row[_AT[name]], row[_AT[f"{name}_us"]]) for name, said in each.items()):
            changed.append(merged(dict(zip(_COLUMNS, row, strict=True)), each, default, now_us))
    if made:
        await session.execute(insert(PlayerFacts), made)
    await _change(session, changed)


async def sweep(session: AsyncSession, default: str | None, now_us: int) -> bool:
    """Bring up to date what time or another default jurisdiction changed; True if there may be more."""
    elsewhere = PlayerFacts.jurisdiction.is_distinct_from(default)
    query = (
        select(PlayerFacts)
        .where(
            or_(
                (PlayerFacts.jurisdiction_us == 0) & elsewhere,
                (PlayerFacts.identity == "under_age")
                & (PlayerFacts.adult_us <= now_us)
                & PlayerFacts.over_age.is_distinct_from(False),
            )
        )
        .limit(_SWEPT)
    )
    rows = [_plain(row) for row in (await session.execute(query)).scalars()]
    await _change(session, [merged(row, {}, default, now_us) for row in rows])
    return len(rows) == _SWEPT


async def since_when(session: AsyncSession, player: str) -> str | None:
    """The day before which nothing of a player is archived; None: nothing of theirs is."""
    query = select(PlayerFacts.since_day).where(PlayerFacts.player == storable(player))
    return (await session.execute(query)).scalar()


async def _rows(session: AsyncSession, players: list[str]) -> dict[str, Sequence[Any]]:
    found: dict[str, Sequence[Any]] = {}
    columns = [_TABLE.c[name] for name in _COLUMNS]
    for start in range(0, len(players), _ASKED):
        query = select(*columns).where(columns[0].in_(players[start : start + _ASKED]))
        found |= {row[0]: row for row in await session.execute(query)}
    return found


async def _change(session: AsyncSession, rows: list[dict[str, Any]]) -> None:
    if not rows:
        return
    free = [name for name in _COLUMNS if name not in ("player", "pseudonym", "since_day")]
    statement = update(_TABLE).where(_TABLE.c.player == bindparam("whose"))
    values = [{"whose": row["player"], **{name: row[name] for name in free}} for row in rows]
    connection = await session.connection()
    await connection.execute(statement.values({name: bindparam(name) for name in free}), values)


def _plain(row: PlayerFacts) -> dict[str, Any]:
    return {name: getattr(row, name) for name in _COLUMNS}


async def alerts_before(
    session: AsyncSession, player: str, below: tuple[int, str], from_us: int, count: int
) -> list[tuple[int, str, str]]:
    """A player's alerts of which time and id are less than `below`, the newest first: time, id and JSON."""
    query = (
        select(AlertRow.opened_us, AlertRow.id, AlertRow.body)
        .where(AlertRow.player == storable(player), AlertRow.opened_us >= from_us)
        .where(tuple_(AlertRow.opened_us, AlertRow.id) < tuple_(*below))
        .order_by(AlertRow.opened_us.desc(), AlertRow.id.desc())
        .limit(count)
    )
    return [(at_us, id_, body) for at_us, id_, body in await session.execute(query)]
