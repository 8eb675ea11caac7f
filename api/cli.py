"""The `tiltwatch` command: every part of the project behind one name."""

from __future__ import annotations

import os
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, cast

import typer

from api.access import command as keys
from api.audit import command as audit
from api.demo import command as demo_aid
from api.kafka import command as kafka
from api.learning import command as learning
from api.qa import command as qa
from detector.cli import bench, cohorts, models, replay, rules, schema, simulate
from detector.cli import map as mapping
from detector.errors import RuleErrors, TiltwatchError
from models.errors import ModelError

# The class of click's that typer raises from a click of its own, which it does not name.
_UsageError = cast(type[Exception], typer.BadParameter.__mro__[1])

app = typer.Typer(
    name="tiltwatch",
    help="Notices, while it happens, that a gambling platform's player is getting into trouble.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("replay")(replay.command)
app.command("map")(mapping.command)
app.command("schema")(schema.command)
app.command("simulate")(simulate.command)
app.command("bench")(bench.command)
app.command("demo-aid")(demo_aid.command)
app.command("qa")(qa.command)
app.add_typer(rules.app)
app.add_typer(cohorts.app)
models.app.command("learn")(learning.command)
app.add_typer(models.app)
app.add_typer(keys.app)
app.add_typer(audit.app)
app.add_typer(kafka.app)


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"tiltwatch {version('tiltwatch')}")
        raise typer.Exit


@app.callback()
def _common(
    _: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and stop."),
    ] = False,
) -> None:
    pass


@app.command()
def run(
    demo: Annotated[
        bool, typer.Option("--demo", help="Add simulated players and an aid organisation; nothing is kept.")
    ] = False,
) -> None:
    """Start everything embedded: Redis, detector, HTTP service and back office; Ctrl-C stops it."""
    # Other commands need none of this, and some have to start fast.
    from api.demo.company import company, demonstration, greet
    from api.embedded import run as run_embedded
    from api.settings import read_settings

    settings = read_settings()
    if not demo:
        run_embedded(settings, greet(settings))
        return
    with tempfile.TemporaryDirectory(prefix="tiltwatch-demo-") as folder:
        # A line for each request would bury the alerts that one came to see.
        quiet = "TILTWATCH_LOG_LEVEL" not in os.environ
        own = demonstration(settings, Path(folder), quiet=quiet)
        run_embedded(own, company(own))


@app.command()
def api() -> None:
    """Start the HTTP service alone, in front of the Redis that TILTWATCH_REDIS_URL names."""
    from api.embedded import serve
    from api.settings import read_settings

    serve(read_settings())


@app.command()
def worker() -> None:
    """Detect on Kafka, as one of as many workers as are needed; SIGTERM stops it in order."""
    from api.settings import read_settings
    from api.working import work

    sys.exit(work(read_settings()))


@app.command()
def backoffice() -> None:
    """Take alerts over, send webhooks, watch deadlines; for deployments whose service runs alone."""
    from api.backoffice.running import run
    from api.settings import read_settings

    run(read_settings())


def main() -> None:
    """Run the command line: exit 0 fine, 1 findings, 2 usage; an error is one clear line."""
    try:
        sys.exit(app(standalone_mode=False))
    except _UsageError as error:
        told = getattr(error, "format_message", error.__str__)()
        print(told if "\n" in told else f"tiltwatch: {told} --help says more.", file=sys.stderr)
        sys.exit(2)
    except typer.Abort:
        sys.exit(130)
    except RuleErrors as error:
        print(error, file=sys.stderr)
        sys.exit(1)
    except (TiltwatchError, ModelError) as error:
        print(f"tiltwatch: {error}", file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:
        # The reader of our output has gone: nothing is wrong on this side.
        sys.stderr.close()
        sys.exit(0)
