"""`tiltwatch qa`: the sandbox scenario."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from detector.errors import SettingsError

if TYPE_CHECKING:
    from api.access.roles import Role
    from api.qa.running import Row

Keys = Annotated[
    Path | None,
    typer.Option(help="With --url: a JSON file, role to key, of platform, agent, compliance and admin."),
]


def command(
    url: Annotated[
        str | None, typer.Option(help="Try out a sandbox that runs already; one of its own if left out.")
    ] = None,
    keys: Keys = None,
    database: Annotated[
        str | None,
        typer.Option(help="Of its own system: an empty database that it may fill; a file if left out."),
    ] = None,
    patience: Annotated[float, typer.Option(min=1, help="Seconds to wait for what comes by itself.")] = 30.0,
) -> None:
    """Try out a whole deployment, step by step, and tell what passed and what failed: exit 1 if any did."""
    from rich.console import Console

    from api.qa import table

    console = Console()
    console = console if console.width >= table.WIDTH else Console(width=table.WIDTH)
    with Console(stderr=True).status("starting") as status:

        def tell(row: Row) -> None:
            status.update(row.what)

        if (url is None) != (keys is None):
            raise SettingsError("--url and --keys belong together")
        if url is not None and database is not None:
            raise SettingsError("--database is of its own system, which --url leaves out")
        rows = _own(database, patience, tell) if url is None else _there(url, _read(keys), patience, tell)
    table.show(rows, console)
    if not all(row.passed for row in rows):
        raise typer.Exit(1)


def _own(database: str | None, patience: float, tell: Callable[[Row], None]) -> list[Row]:
    """On a system that is started for it."""
    import asyncio

    from api import logs
    from api.qa.scenario import play, scene
    from api.qa.system import dead_letters, parts, system

    with parts(database_url=database) as (settings, running):
        logs.configure(settings.log_format, settings.log_level)

        async def work() -> list[Row]:
            async with (
                system(settings, running) as found,
                scene(
                    found.url,
                    found.keys,
                    patience_s=patience,
                    dead_letters=lambda: dead_letters(running.redis_url),
                ) as made,
            ):
                return await play(made, tell)

        return asyncio.run(work())


def _there(url: str, keys: Mapping[Role, str], patience: float, tell: Callable[[Row], None]) -> list[Row]:
    """On a system that runs already."""
    import asyncio

    from api.qa.scenario import play, scene

    async def work() -> list[Row]:
        async with scene(url.rstrip("/"), keys, patience_s=patience) as made:
            return await play(made, tell)

    return asyncio.run(work())


def _read(path: Path | None) -> Mapping[Role, str]:
    import msgspec

    from api.access.roles import Role

    assert path is not None
    try:
        found = msgspec.json.decode(path.read_bytes(), type=dict[Role, str])
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror or error}") from None
    except msgspec.DecodeError:
        raise SettingsError(f"{path} is no JSON object of roles and keys") from None
    missing = {"platform", "agent", "compliance", "admin"} - found.keys()
    if missing:
        raise SettingsError(f"{path} has no key of {', '.join(sorted(missing))}")
    return found
