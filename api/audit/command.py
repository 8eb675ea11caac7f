"""`tiltwatch audit`: the audit chain, on the store itself."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(name="audit", help="The audit chain.", no_args_is_help=True)


@app.callback()
def _common() -> None:
    """Have `verify` named, though it is the only command."""


@app.command("verify")
def verify(
    checkpoints: Annotated[
        Path | None,
        typer.Option(
            "--checkpoints",
            help="A copy of checkpoints, of whatever age. None: the file of the settings, with all of them.",
        ),
    ] = None,
) -> None:
    """Look for what was changed, removed, inserted or moved in chain and archive; exit 1 on a finding."""
    from api.archive.checking import archive_faults
    from api.audit.chain import Signed
    from api.audit.service import Verified, read_checkpoints
    from api.deployment import archive_dir, checkpoints_path, stored
    from api.settings import read_settings

    settings = read_settings()
    path = checkpoints or checkpoints_path(settings)

    def outside() -> list[Signed]:
        return read_checkpoints(path) if checkpoints or path.exists() else []

    async def run() -> tuple[Verified, list[str]]:
        async with stored(settings, begun=False) as ground:
            found = await ground.audit.examine(outside, all_outside=checkpoints is None)
            return found, await archive_faults(ground.store, archive_dir(settings))

    found, files = asyncio.run(run())
    for fault in [*found.faults, *files]:
        typer.echo(fault)
    if found.faults or files:
        raise typer.Exit(1)
    told = f"{len(outside())} checkpoints outside agree" if outside() else "none vouches for it from outside"
    typer.echo(f"{found.entries} entries follow from one another; {told}; the archive is as it was sealed")
