"""Commands on a store, by themselves and in this process.

A process takes over a second to begin: one test of a command starts it as people do, the others call what
that process would run.
"""

from __future__ import annotations

import io
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from unittest.mock import patch

from api.cli import main

Told = tuple[int, str, str]
"""Exit code, what a command said, and what it said of errors."""


def environment(home: Path, store_url: str) -> dict[str, str]:
    """What a command gets to know, which is nothing of our own environment."""
    return {"TILTWATCH_DATA_DIR": str(home), "TILTWATCH_DATABASE_URL": store_url, "PATH": "/usr/bin"}


def in_a_process(home: Path, store_url: str, *words: str) -> Told:
    """Run a command as people do."""
    script = "import sys; from api.cli import main; sys.argv[0] = 'tiltwatch'; main()"
    done = subprocess.run(
        [sys.executable, "-c", script, *words],
        env=environment(home, store_url),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def tiltwatch(home: Path, store_url: str, *words: str) -> Told:
    """Run a command in this process."""
    out, err = io.StringIO(), io.StringIO()

    def run() -> int:
        try:
            main()
        except SystemExit as end:
            return int(end.code or 0)
        raise AssertionError("a command ends with an exit code")

    with (
        patch.object(sys, "argv", ["tiltwatch", *words]),
        patch.dict("os.environ", environment(home, store_url), clear=True),
        redirect_stdout(out),
        redirect_stderr(err),
        ThreadPoolExecutor(1) as pool,  # a command has an event loop of its own, and so has who asks for it
    ):
        return pool.submit(run).result(), out.getvalue(), err.getvalue()
