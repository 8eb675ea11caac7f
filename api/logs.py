"""Structured logs: every line to stderr, in one style, the libraries' too."""

from __future__ import annotations

import logging
import sys
from typing import Literal

import structlog

from detector.drivers.faults import where


def _discreet(_: object, __: str, told: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Of what libraries tell of an error, its type and where it came from: its words may repeat an event."""
    found = told.pop("exc_info", None)
    error = found[1] if isinstance(found, tuple) else found if isinstance(found, BaseException) else None
    if error is not None:
        told["error"], told["where"] = type(error).__name__, where(error)
    told["event"] = str(told["event"]).partition("\n")[0]
    return told


def configure(style: Literal["console", "json"], level: str) -> None:
    """Send every log line, the libraries' too, to stderr in one style."""
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
        if style == "console"
        else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, _discreet],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    # A line that cannot be written would be told on stderr with everything that led to it.
    logging.raiseExceptions = False
    root = logging.getLogger()
    root.handlers = [handler]
    # Libraries tell addresses and more once they are talkative, so they only ever warn.
    root.setLevel(logging.WARNING)
    for ours in ("api", "detector"):
        logging.getLogger(ours).setLevel(level.upper())
