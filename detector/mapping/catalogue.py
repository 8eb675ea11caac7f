"""Mapping files by name: those that come with tiltwatch, and a deployment's own."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path

from detector.errors import Finding, InputError, RuleErrors
from detector.events.money import Currencies
from detector.language.parse import suggestion
from detector.mapping.examples import check_examples
from detector.mapping.feed import FeedMapping
from detector.mapping.load import read_mapping


def packaged_mappings() -> Path:
    """Return the folder of the mapping files that come with tiltwatch."""
    return Path(str(files("rules"))) / "mappings"


def mapping_files(path: Path) -> list[Path]:
    """Return the mapping files that a path stands for: itself, or every one directly in the folder."""
    if not path.is_dir():
        return [path]
    found = (each for suffix in ("yml", "yaml") for each in path.glob(f"*.{suffix}"))
    return sorted(each for each in found if each.name[0] != "." and each.is_file())


def find_mapping(name: str, currencies: Currencies) -> FeedMapping:
    """Return the mapping of a file, or a packaged one by its name.

    Raises
    ------
    InputError
        There is neither such a file nor such a packaged mapping.
    RuleErrors
        The file has findings.
    """
    path = Path(name)
    if not path.is_file():
        packaged = {each.stem: each for each in mapping_files(packaged_mappings())}
        if name not in packaged:
            near = suggestion(name, packaged) or f"; there are {', '.join(packaged)}"
            raise InputError(f"{name}: neither a mapping file nor a packaged mapping{near}")
        path = packaged[name]
    return load_mapping(path, currencies)


def load_mapping(path: Path, currencies: Currencies) -> FeedMapping:
    """Return the mapping of a file; RuleErrors with every finding."""
    return read_mapping(path, currencies).sound()


class Catalogue:
    """The mappings that a service knows: the packaged ones, and a deployment's own, which come before them.

    Its own are read at once, so that a fault shows when the service starts; the others when first asked for.

    Raises
    ------
    InputError
        The folder is none.
    RuleErrors
        A file in it has findings.
    """

    def __init__(self, folder: Path | None, currencies: Currencies) -> None:
        self._currencies = currencies
        self._packaged = {path.stem: path for path in mapping_files(packaged_mappings())}
        self._read: dict[str, FeedMapping] = {}
        if folder is None:
            return
        if not folder.is_dir():
            raise InputError(f"{folder}: no such folder of mappings")
        findings = []
        for path in mapping_files(folder):
            reading = read_mapping(path, currencies)
            findings += reading.findings
            if reading.found is not None:
                self._read[reading.found.id] = reading.found
        if findings:
            raise RuleErrors(findings)

    @property
    def names(self) -> list[str]:
        """Every name that `get` knows."""
        return sorted(self._packaged.keys() | self._read.keys())

    def get(self, name: str) -> FeedMapping | None:
        """The mapping of that name; None where there is none."""
        if name not in self._read and name in self._packaged:
            self._read[name] = load_mapping(self._packaged[name], self._currencies)
        return self._read.get(name)


def check_mappings(paths: Iterable[Path], currencies: Currencies) -> list[Finding]:
    """Return everything wrong with the mapping files at these paths, their examples run."""
    findings: list[Finding] = []
    for path in dict.fromkeys(file for each in paths for file in mapping_files(each)):
        reading = read_mapping(path, currencies)
        findings += reading.findings
        if reading.found is not None:
            findings += check_examples(reading.found, currencies)
    return findings
