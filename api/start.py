"""Where the `tiltwatch` script begins: Ctrl-C ends it without a word from its first moment on."""

from __future__ import annotations

import signal


def main() -> None:
    """Load the command, and run it."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:
        # Nothing is there yet that would have to be put away, only half-loaded modules to tell of.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from api.cli import main as command

    signal.signal(signal.SIGINT, before)
    command()
