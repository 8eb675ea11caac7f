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
    reading = read_mapping(path, currencies)
    if reading.mapping is None:
        raise RuleErrors(reading.findings)
    return reading.mapping


def load_mappings(folder: Path | None, currencies: Currencies) -> dict[str, FeedMapping]:
    """Return the packaged mappings by id, and those of a deployment's folder, which come before them.

    Raises
    ------
    InputError
        The folder is none.
    RuleErrors
        A file has findings.
    """
    found = {}
    for each in (packaged_mappings(), folder):
        if each is None:
            continue
        if not each.is_dir():
            raise InputError(f"{each}: no such folder of mappings")
        for path in mapping_files(each):
            mapping = load_mapping(path, currencies)
            found[mapping.id] = mapping
    return found


def check_mappings(paths: Iterable[Path], currencies: Currencies) -> list[Finding]:
    """Return everything wrong with the mapping files at these paths, their examples run."""
    findings: list[Finding] = []
    for path in dict.fromkeys(file for each in paths for file in mapping_files(each)):
        reading = read_mapping(path, currencies)
        findings += reading.findings
        if reading.mapping is not None:
            findings += check_examples(reading.mapping, currencies)
    return findings
