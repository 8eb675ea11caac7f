"""Ctrl-C while the command is still being loaded."""

from __future__ import annotations

import signal
import subprocess
import sys

INTERRUPTED = """
import os, signal, sys
from importlib.abc import MetaPathFinder

signal.signal(signal.SIGINT, signal.{handler})
sys.argv = ["tiltwatch", "--version"]

class Interrupt(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "detector.cli":
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupt())
from api.start import main
main()
"""


def interrupted(handler: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED.format(handler=handler)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_an_interrupt_while_the_command_is_loaded_ends_it_without_a_word() -> None:
    assert interrupted("default_int_handler") == (-signal.SIGINT, "", "")


def test_who_ignores_interrupts_goes_on_doing_so() -> None:
    code, said, errors = interrupted("SIG_IGN")
    assert (code, errors) == (0, "")
    assert said.startswith("tiltwatch ")
