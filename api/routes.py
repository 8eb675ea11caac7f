"""What the service answers, on one page that needs nothing but itself."""

from __future__ import annotations

from html import escape

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

router = APIRouter(include_in_schema=False)

_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>tiltwatch: routes</title>
<h1>tiltwatch</h1>
<p>The whole description, for tools: <a href="/openapi.json">/openapi.json</a></p>
<table>{rows}</table></html>
"""


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
