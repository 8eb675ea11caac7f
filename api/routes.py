"""What the service answers, on one page that needs nothing but itself."""

from __future__ import annotations

from functools import cache
from html import escape

import msgspec
from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from detector.drivers.asyncapi import asyncapi

router = APIRouter(include_in_schema=False)

_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>tiltwatch: routes</title>
<h1>tiltwatch</h1>
<p>The whole description, for tools: <a href="/openapi.json">/openapi.json</a>; what goes over streams and
topics: <a href="/asyncapi.json">/asyncapi.json</a></p>
<table>{rows}</table></html>
"""


@router.get("/")
def front_door() -> RedirectResponse:
    """Lead whoever types the bare address to the page of routes."""
    return RedirectResponse("/docs")


@router.get("/docs")
def docs(request: Request) -> HTMLResponse:
    """List the routes. No script: a page beside the alerts must not run what others write."""
    rows = []
    for path, operations in request.app.openapi()["paths"].items():
        for method, operation in operations.items():
            cells = (method.upper(), path, operation.get("summary", ""), operation.get("description", ""))
            rows.append("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>")
    policy = {"Content-Security-Policy": "default-src 'none'"}
    return HTMLResponse(_PAGE.format(rows="\n".join(rows)), headers=policy)


@router.get("/asyncapi.json")
def streams() -> Response:
    """The AsyncAPI document, beside the OpenAPI one."""
    return Response(_asyncapi(), media_type="application/json")


@cache
def _asyncapi() -> bytes:
    return msgspec.json.encode(asyncapi())
