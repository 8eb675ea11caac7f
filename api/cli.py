"""The `tiltwatch` command: every part of the project behind one name."""

from __future__ import annotations

import sys

import typer

from detector.cli import replay
from detector.errors import RuleErrors, TiltwatchError

app = typer.Typer(
    name="tiltwatch",
    help="Notices, while it happens, that a gambling platform's player is getting into trouble.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback()
def tiltwatch() -> None:
    """Keep the commands' names, even while there is but one."""


app.command("replay")(replay.command)


def main() -> None:
    """Run the command line: exit 0 fine, 1 findings, 2 usage; an error is one clear line."""
    try:
        app()
    except RuleErrors as error:
        print(error, file=sys.stderr)
        sys.exit(1)
    except TiltwatchError as error:
        print(f"tiltwatch: {error}", file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:
        # The reader of our output has gone: nothing is wrong on this side.
        sys.stderr.close()
        sys.exit(0)
