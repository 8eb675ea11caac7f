"""Every error tiltwatch raises on purpose, drawn once.

    TiltwatchError
    ├── InputError        a file or a stream cannot be read as what it claims to be
    ├── SettingsError     a setting is missing, unknown or out of its range
    ├── StateError        a stored player record cannot be restored
    └── RuleErrors        one or more findings in rule files

The command line prints the message of any of them in one line and exits with 2 (RuleErrors: a line a
finding, exit 1).
"""

from __future__ import annotations

from dataclasses import dataclass


class TiltwatchError(Exception):
    """Base of every error that is tiltwatch's own."""


class InputError(TiltwatchError):
    """A file or stream cannot be read as what it claims to be."""


class SettingsError(TiltwatchError):
    """A setting is missing, unknown or out of its range."""


class StateError(TiltwatchError):
    """A stored player record cannot be restored."""


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One thing wrong with a rule file.

    Parameters
    ----------
    path
        The file, as the caller named it.
    line, column
        Where, counted from 1.
    message
        What is wrong and how to mend it.
    """

    path: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}: {self.message}"


class RuleErrors(TiltwatchError):  # noqa: N818  (plural on purpose: it carries all findings, not the first)
    """Rule files that cannot be used; `findings` holds every reason, in file order."""

    def __init__(self, findings: list[Finding]) -> None:
        super().__init__("\n".join(map(str, findings)))
        self.findings = findings
