"""`tiltwatch demo-aid`: the demonstration's aid organisation by itself."""

from __future__ import annotations

from typing import Annotated

import typer

from detector.errors import SettingsError


def command(
    service: Annotated[str, typer.Option(help="Address of the service; answers go there and nowhere else.")],
    host: Annotated[
        str, typer.Option(help="Address of its page and its hook; 0.0.0.0 in a container.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of its page and its hook.")] = 8430,
    control_port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port at which its mood is set; 0 takes a free one.")
    ] = 0,
    key: Annotated[
        list[str] | None,
        typer.Option(help="A public key (whpk_…) of who may send to it; more than once for more."),
    ] = None,
) -> None:
    """Start a small aid organisation to try the partner protocol with; Ctrl-C stops it."""
    from api.demo.aid.organisation import Practice
    from api.demo.aid.running import Open, Plan, until_signal

    def tell(where: Open) -> None:
        typer.echo(
            f"An aid organisation is open.\n\n"
            f"  page      {where.page}\n"
            f"  webhooks  {where.hook}\n"
            f"  its keys  signing {where.signing}\n"
            f"            sealing {_json(where.sealing)}\n"
            f"  control   {where.control}, with Authorization: Bearer {where.token}\n"
        )

    plan = Plan(
        service=service,
        host=host,
        port=port,
        control_port=control_port,
        practice=Practice(keys=key or []),
    )
    try:
        until_signal(plan, tell)
    except OSError as error:
        raise SettingsError(f"cannot listen on port {port} or {control_port}: {error.strerror}") from None


def _json(value: object) -> str:
    import msgspec

    return msgspec.json.encode(value).decode()
