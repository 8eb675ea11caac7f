"""The trainer as the settings describe it: a process of its own, or a command's."""

from __future__ import annotations

import signal
import threading
from contextlib import ExitStack, closing
from pathlib import Path

from api import logs
from api.kafka.connecting import connection_of
from api.settings import PREFIX, Settings
from detector.drivers.clock import wall_clock_us
from detector.drivers.kafka.connection import Connection
from detector.drivers.kafka.samples import KafkaSamples
from detector.drivers.progress import Telling
from detector.drivers.samples import RedisSamples
from detector.drivers.trainer import EVERY_S, Learning, Source, SourceAway, alone, be_modest
from detector.errors import SettingsError, TiltwatchError
from detector.language.features import FEATURES
from detector.language.pack import default_pack
from models.errors import ModelError

FOLDER = "models"
_LOOK_S = 0.5


def registry_of(settings: Settings) -> Path:
    """The folder of models that belongs to a data directory."""
    return settings.data_dir / FOLDER


def learn(settings: Settings, registry: Path | None, every_s: float) -> None:
    """Learn until Ctrl-C or SIGTERM, from the Redis or the Kafka that the settings name.

    Raises
    ------
    TiltwatchError
        They name neither; another trainer learns into the registry; or it cannot be gone on with.
    """
    connection = connection_of(settings)
    if connection is None and settings.redis_url is None:
        raise SettingsError(
            f"{PREFIX}KAFKA or {PREFIX}REDIS_URL must name where detectors put samples; "
            "`tiltwatch run` has a trainer of its own"
        )
    logs.configure(settings.log_format, settings.log_level)
    stop = threading.Event()
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, lambda *_: stop.set())
    redis_url = None if settings.redis_url is None else settings.redis_url.get_secret_value()
    with closing(_source(connection, redis_url)) as source:
        _learn(settings, source, redis_url, registry, every_s, stop)


def trainer(settings: Settings, redis_url: str, stop: threading.Event) -> None:
    """The part that `tiltwatch run` has beside it."""
    be_modest()
    with closing(RedisSamples(redis_url)) as source:
        # Until there is something to learn from, what learns need not even be imported.
        while not stop.is_set() and not _has_any(source):
            stop.wait(_LOOK_S)
        if not stop.is_set():
            _learn(settings, source, redis_url, None, EVERY_S, stop)


def _has_any(source: RedisSamples) -> bool:
    try:
        return source.has_any()
    except SourceAway:
        return False


def _source(connection: Connection | None, redis_url: str | None) -> RedisSamples | KafkaSamples:
    if connection is not None:
        return KafkaSamples(connection)
    assert redis_url is not None
    return RedisSamples(redis_url)


def _learn(
    settings: Settings,
    source: Source,
    redis_url: str | None,
    registry: Path | None,
    every_s: float,
    stop: threading.Event,
) -> None:
    from models.registry import Registry

    rules = settings.rules_dir or default_pack()
    try:
        book = Registry(registry or registry_of(settings))
        with alone(book.folder), ExitStack() as stack:
            tell = None if redis_url is None else stack.enter_context(closing(Telling(redis_url)))
            Learning(book, source, lambda: FEATURES.of(rules), wall_clock_us, every_s, tell=tell).run(stop)
    except ModelError as error:
        raise TiltwatchError(str(error)) from None
