"""Structured logs: every line to stderr, in one style, the libraries' too."""

from __future__ import annotations

import logging
import sys
from typing import Literal

import structlog


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
            foreign_pre_chain=shared,
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
