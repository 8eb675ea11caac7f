"""`tiltwatch keys`: API keys, on the store itself."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import typer
from pydantic import ValidationError

from api.access.roles import ROLES
from detector.errors import SettingsError

app = typer.Typer(name="keys", help="Issue, list and revoke API keys.", no_args_is_help=True)

LOCAL = "system:command"

T = TypeVar("T")


@app.command("issue")
def issue(
    role: Annotated[str, typer.Argument(help=f"One of {', '.join(ROLES)}.")],
    name: Annotated[str, typer.Argument(help="Who or what uses it.")],
    partner: Annotated[str | None, typer.Option(help="Of which partner, for the role partner.")] = None,
    scope: Annotated[
        list[str] | None,
        typer.Option(help="A scope of the role; more than once for more. All of them if left out."),
    ] = None,
) -> None:
    """Issue a key and print it; it is not kept and cannot be shown again."""
    from api.access.schemas import NewKey
    from api.access.service import AccessService

    try:
        wanted = NewKey.model_validate({"role": role, "name": name, "partner": partner, "scopes": scope})
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        told = ".".join(map(str, first["loc"]))
        raise SettingsError(f"{told + ': ' if told else ''}{first['msg']}") from None

    async def work(access: AccessService) -> str:
        async with access.store.write() as session:
            return (await access.issue(session, wanted, LOCAL)).key

    typer.echo(_with_access(work))


@app.command("list")
def list_keys() -> None:
    """List every key there ever was, without secrets."""
    from api.access.service import AccessService

    async def work(access: AccessService) -> list[str]:
        return [
            f"{each.id}  {each.role:10}  {each.created_at}  "
            f"{'revoked ' + each.revoked_at if each.revoked_at else 'in force':32}  {each.name}"
            for each in (await access.all()).items
        ]

    for line in _with_access(work):
        typer.echo(line)


@app.command("revoke")
def revoke(key_id: Annotated[str, typer.Argument(metavar="ID", help="As `keys list` shows it.")]) -> None:
    """Have a key open nothing any more."""
    from api.access.service import AccessService
    from api.problems import Problem

    async def work(access: AccessService) -> str:
        try:
            async with access.store.write() as session:
                return (await access.revoke(session, key_id, LOCAL)).id
        except Problem:
            raise SettingsError(f"there is no key {key_id}") from None

    typer.echo(f"{_with_access(work)} is revoked")


def _with_access(work: Callable[..., Awaitable[T]]) -> T:
    from api.access.service import AccessService
    from api.deployment import stored
    from api.settings import read_settings

    async def run() -> T:
        async with stored(read_settings()) as ground:
            return await work(AccessService(ground.store, ground.audit, ground.clock))

    return asyncio.run(run())
