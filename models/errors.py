"""Every error that `models` raises on purpose, drawn once.

    ModelError
    ├── ScorecardError      a document is not a scorecard, or not one that can be used here
    ├── TrainerError        a trainer cannot be made, or restored, as asked
    └── RegistryError       the registry cannot do what it was asked to
        ├── UnknownArtefact     it knows no such entry, or a file is not the one that it wrote
        ├── OtherVersion        a state was written by another version of the library that reads it
        ├── Frozen              models are frozen: nothing is promoted until they are thawed
        └── NotBetter           the challenger has not been shown to be better

Each is told in one clear line.
"""

from __future__ import annotations


class ModelError(Exception):
    """Base of every error of the models' own."""


class ScorecardError(ModelError):
    """A document is not a scorecard, or not one that can be used here; the message names the place."""


class TrainerError(ModelError):
    """A trainer cannot be made, or restored, as asked."""


class RegistryError(ModelError):
    """The registry cannot do what it was asked to."""


class UnknownArtefact(RegistryError):  # noqa: N818  (named for what was met)
    """The registry knows no such entry, or a file of its folder is not the one that it wrote."""


class OtherVersion(RegistryError):  # noqa: N818
    """A state was written by another version of the library that would read it."""


class Frozen(RegistryError):  # noqa: N818
    """Models are frozen: nothing is promoted until they are thawed."""


class NotBetter(RegistryError):  # noqa: N818
    """The challenger has not been shown to be better than the champion."""
