"""The Faust application: what of Faust is used, and how it is set."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faust
from faust.types import TP

from detector.drivers.kafka.connection import Connection
from detector.drivers.kafka.consumer import AtOnce, Transport
from detector.drivers.kafka.recovery import OwnTables, Restore

TABLE = "players"
_MIB = 1 << 20
_DISK_OPTIONS = {
    "write_buffer_size": 16 * _MIB,
    "max_write_buffer_number": 2,
    "block_cache_size": 32 * _MIB,
}
"""Of each partition's database. Faust's own are meant for one: a dozen would take gigabytes of memory."""


async def _nothing(*_: Any) -> Any:
    return {}


class Application(faust.App):
    """A worker's application.

    Attributes
    ----------
    restore
        Makes partitions ready; see `recovery`.
    hand_over
        Called before partitions are given up, whatever for, and may take a while.
    """

    restore: Restore = staticmethod(_nothing)
    hand_over: Callable[[], Awaitable[None]] = staticmethod(_nothing)

    async def _on_partitions_revoked(self, revoked: set[TP]) -> None:
        await self.hand_over()
        await super()._on_partitions_revoked(revoked)

    async def _stop_consumer(self) -> None:
        await self.hand_over()
        await super()._stop_consumer()


@dataclass(frozen=True, slots=True)
class Plan:
    """What an application is made of.

    `group` is its id and the consumer group's; `inputs` the topics to read, `partitions` how many each has;
    `address` tells this worker from others and is kept over restarts where it can be; `session_s` is how long
    the brokers wait for a sign of life.
    """

    connection: Connection
    group: str
    inputs: tuple[str, ...]
    partitions: int
    folder: Path
    address: str
    session_s: float
    most_records: int = 2000


def make_application(plan: Plan) -> Application:
    """An application without agents, its table among its tables."""
    connection = plan.connection
    app = Application(
        plan.group,
        broker=[f"kafka://{server}" for server in connection.servers],
        broker_credentials=_credentials(connection),
        broker_session_timeout=plan.session_s,
        broker_heartbeat_interval=plan.session_s / 6,
        broker_request_timeout=max(40.0, plan.session_s + 10),
        broker_rebalance_timeout=max(30.0, plan.session_s * 2),
        broker_max_poll_records=plan.most_records,
        broker_max_poll_interval=3600,
        broker_check_crcs=connection.check_crcs,
        # Nothing is committed by Faust itself: offsets move with the checkpoints.
        broker_commit_interval=30,
        broker_commit_livelock_soft_timeout=3600,
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=2 << 20,
        ConsumerScheduler=AtOnce,
        TableManager=OwnTables,
        store="rocksdb://?driver=rocksdict",
        datadir=plan.folder,
        stream_buffer_maxsize=8,
        stream_wait_empty=False,
        stream_recovery_delay=0,
        topic_allow_declare=False,
        topic_disable_leader=True,
        # Its pages would show players' records.
        web_enabled=False,
        canonical_url=plan.address,
        worker_redirect_stdouts=False,
    )
    app.transport = Transport(app.conf.broker_consumer, app)
    app.Table(
        TABLE, partitions=plan.partitions, key_type=bytes, value_type=bytes, options=dict(_DISK_OPTIONS)
    )
    return app


def _credentials(connection: Connection) -> Any:
    context = connection.ssl_context()
    if connection.is_named:
        return faust.SASLCredentials(
            username=connection.username,
            password=connection.password,
            mechanism=connection.mechanism,
            ssl_context=context,
        )
    return None if context is None else faust.SSLCredentials(context=context)


def disk_of(app: Application, partition: int) -> Any:
    """The open database of a partition, and the key under which the offset stands that it has come to."""
    table: Any = app.tables[TABLE]
    store = table.data
    return store._db_for_partition(partition), store.offset_key


def lags(app: Application, next_offsets: Mapping[TP, int]) -> dict[TP, int]:
    """How many records each topic's partition is behind its end, as far as the brokers have said."""
    found = {}
    for tp, offset in next_offsets.items():
        try:
            high = app.consumer.highwater(tp)
        except Exception:  # noqa: S112  (not assigned just now: there is nothing to say)
            continue
        if high is not None:
            found[tp] = max(0, high - offset)
    return found
