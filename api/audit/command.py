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
            help="Checkpoints kept outside of the store. None: the file of the settings, if it is there.",
        ),
    ] = None,
) -> None:
    """Look for any entry that was changed, removed, inserted or moved; exit 1 on a finding."""
    from api.audit.service import read_checkpoints
    from api.deployment import checkpoints_path, stored
    from api.settings import read_settings

    settings = read_settings()
    path = checkpoints or checkpoints_path(settings)
    outside = read_checkpoints(path) if checkpoints or path.exists() else []

    async def run() -> tuple[int, list[str]]:
        async with stored(settings) as ground:
            return await ground.audit.length(), await ground.audit.verify(outside)

    length, found = asyncio.run(run())
    for fault in found:
        typer.echo(fault)
    if found:
        raise typer.Exit(1)
    typer.echo(f"{length} entries follow from one another; {len(outside)} checkpoints outside agree")
