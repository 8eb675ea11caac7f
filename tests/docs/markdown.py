"""Reads what stands in the repository's Markdown: fenced blocks, code within lines, links and headings."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from textwrap import dedent

ROOT = Path(__file__).resolve().parents[2]

_FENCE = re.compile(r"^( *)```(\w*)[^\n]*\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\[[^\]\n]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} +(.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its language, its text, and the line of the file on which the text begins."""

    language: str
    text: str
    line: int


@dataclass(frozen=True, slots=True)
class Document:
    """One Markdown file; `path` is relative to the repository."""

    path: Path
    text: str

    @property
    def blocks(self) -> list[Block]:
        return [
            Block(match[2], dedent(match[3]), self.text.count("\n", 0, match.start(3)) + 1)
            for match in _FENCE.finditer(self.text)
        ]

    @property
    def prose(self) -> str:
        """The text without its fenced blocks."""
        return _FENCE.sub("", self.text)

    @property
    def codes(self) -> list[str]:
        """What stands between backticks within lines."""
        return _CODE.findall(self.prose)

    @property
    def links(self) -> list[str]:
        return _LINK.findall(_CODE.sub("", self.prose))

    @property
    def anchors(self) -> set[str]:
        """Its headings as a link names them."""
        headings = (heading.lower().replace("`", "") for heading in _HEADING.findall(self.prose))
        return {re.sub(r"[^\w\- ]", "", heading).strip().replace(" ", "-") for heading in headings}

    def table(self, header: str) -> list[list[str]]:
        """The rows below the table whose first line starts with `header`, a list of cells each."""
        rows = self.prose[self.prose.index(f"\n{header}") + 1 :].split("\n\n")[0].splitlines()[2:]
        return [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows]


@cache
def tracked() -> list[Path]:
    """The files of the repository, relative to it: those in git and those about to be."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    return [path for name in listed.stdout.split("\0") if name and (ROOT / (path := Path(name))).is_file()]


def document(name: str) -> Document:
    return Document(Path(name), (ROOT / name).read_text("utf-8"))


@cache
def documents() -> list[Document]:
    return [document(str(path)) for path in tracked() if path.suffix == ".md"]
