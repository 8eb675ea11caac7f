"""What the files in `docker/` say, as data."""

from __future__ import annotations

import io
import re
from functools import cache
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from api.settings import PREFIX

DOCKER = Path(__file__).resolve().parents[2] / "docker"
IMAGE = "tiltwatch:local"


def read_yaml(path: Path) -> Any:
    """A YAML file with its merges done, as plain data."""
    return YAML(typ="safe", pure=True).load(io.StringIO(path.read_text("utf-8")))


@cache
def compose() -> dict[str, Any]:
    """The compose file."""
    found: dict[str, Any] = read_yaml(DOCKER / "compose.yml")
    return found


@cache
def services() -> dict[str, dict[str, Any]]:
    """Every container by its name."""
    found: dict[str, dict[str, Any]] = compose()["services"]
    return found


def ours() -> dict[str, dict[str, Any]]:
    """The containers that run the image of this repository."""
    return {name: each for name, each in services().items() if each["image"] == IMAGE}


def example(name: str) -> dict[str, str]:
    """What an example of an env file sets, read as compose does: no quotes, no comments behind values."""
    lines = (DOCKER / f"{name}.example").read_text("utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def offered(name: str) -> dict[str, str]:
    """What it shows commented out, ready to be set."""
    text = (DOCKER / f"{name}.example").read_text("utf-8")
    return dict(re.findall(rf"^#({PREFIX}[A-Z_]+)=(.*)$", text, re.MULTILINE))


def command(name: str) -> list[str]:
    """The words of a container's command, without the entry point."""
    words: list[str] = services()[name]["command"]
    return words


def check_of(name: str) -> str | None:
    """The address that a container of ours is asked at; None where it is not asked."""
    told = services()[name]["healthcheck"]
    return None if told.get("disable") else told["test"][-1]
