"""The set of rules that a detector runs, changed for another between two batches when somebody asks for it.

A set is the files of a folder: its rules and, where they lie beside them, the score, the ladder, tables of
cohorts, the features of models and their scorecards. Its id is a hash of their bytes, so that who asks for a
set and who reads it mean the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import structlog
from redis import Redis

from detector.cohorts.load import COHORTS_FILE, cohorts_beside
from detector.cohorts.tables import Cohorts
from detector.drivers.faults import where
from detector.drivers.lease import Lease
from detector.drivers.scorecards import Scorecards, read_scorecards, scorecard_files
from detector.drivers.streams import RULES
from detector.errors import InputError, SettingsError, TiltwatchError
from detector.events.money import Currencies
from detector.ladder.ladder import LADDER_FILE, Ladder
from detector.ladder.load import LADDERS
from detector.language.features import FEATURES, FEATURES_FILE, Catalogue
from detector.language.pack import load_rules, packs_dir, rule_files
from detector.language.rule import Rule
from detector.language.source import Fault, Scalar, read_file, read_source
from detector.language.source import Mapping as Node
from detector.score.load import SCORES
from detector.score.scoring import SCORE_FILE, Scoring

log = structlog.get_logger()

_TRIES = 3


class RuleFace(msgspec.Struct, frozen=True):
    """What is told of a rule that runs."""

    id: str
    version: int
    status: str
    title: str
    category: str
    audience: str
    severity: str
    respond: dict[str, str]
    why: str
    sources: list[str]
    params: dict[str, dict[str, str]]


@dataclass(frozen=True, slots=True)
class RuleSet:
    """Rules that are live or in shadow, with what stands beside them: score, ladder, cohorts and models."""

    id: str
    rules: list[Rule]
    scoring: Scoring
    ladder: Ladder
    catalogue: Catalogue
    scorecards: Scorecards
    cohorts: Cohorts | None
    faces: list[RuleFace]


def rule_set_files(folder: Path) -> dict[str, bytes]:
    """The files of the set that lies in a folder now, by name; InputError where they cannot be read."""
    try:
        files = {str(path.relative_to(folder)): path for path in rule_files(folder)}
        for name in (SCORE_FILE, LADDER_FILE, FEATURES_FILE):
            own = folder / name
            files[name] = own if own.is_file() else packs_dir() / name
        if (folder / COHORTS_FILE).is_file():
            files[COHORTS_FILE] = folder / COHORTS_FILE
        files |= {str(path.relative_to(folder)): path for path in scorecard_files(folder)}
        return {name: path.read_bytes() for name, path in sorted(files.items())}
    except OSError as error:
        raise InputError(f"{folder}: {error.strerror or error}") from None


def id_of(files: Mapping[str, bytes]) -> str:
    """The id of the set that consists of these files."""
    found = hashlib.sha256()
    for name, data in sorted(files.items()):
        found.update(f"{len(name)} {name} {len(data)} ".encode() + data)
    return f"rs_{found.hexdigest()[:32]}"


def rule_set_id(folder: Path) -> str:
    """The id of the set that lies in a folder now; InputError where it cannot be read."""
    return id_of(rule_set_files(folder))


def read_rule_set(folder: Path, currencies: Currencies) -> RuleSet:
    """The set that lies in a folder.

    Raises
    ------
    TiltwatchError
        A file cannot be used, none of the rules would run, or the files change all the time.
    """
    for _ in range(_TRIES):
        before = rule_set_id(folder)
        rules = [each for each in load_rules(folder, currencies) if each.status in ("live", "shadow")]
        scoring, ladder = SCORES.of(folder), LADDERS.of(folder)
        cohorts = cohorts_beside(folder)
        catalogue, scorecards = FEATURES.of(folder), read_scorecards(folder)
        faces = [_face(rule) for rule in rules]
        if rule_set_id(folder) == before:
            break
    else:
        raise InputError(f"{folder}: the rules are being changed")
    if not rules:
        raise SettingsError(f"{folder}: no rule there is live or in shadow, so nobody would be noticed")
    return RuleSet(before, rules, scoring, ladder, catalogue, scorecards, cohorts, faces)


class WatchedRules:
    """The set in force, and how another takes its place.

    Attributes
    ----------
    set
        What engines are made of.
    """

    def __init__(self, folder: Path, currencies: Currencies) -> None:
        self._folder = folder
        self._currencies = currencies
        self.set = read_rule_set(folder, currencies)

    def change(self, wanted: str, can_run: Callable[[], object]) -> str | None:
        """Put the set of an id in force; else the old one goes on, and the answer says why, in a word.

        Parameters
        ----------
        can_run
            Raises where the new set cannot run after all.
        """
        old = self.set
        try:
            found = read_rule_set(self._folder, self._currencies)
            if found.id != wanted:
                return "changed"
            self.set = found
            can_run()
        except (TiltwatchError, Fault):
            self.set = old
            return "unusable"
        except Exception as error:
            self.set = old
            log.error("rules that pass cannot run", error=type(error).__name__, where=where(error))
            return "unusable"
        return None


class Changing:
    """Has a detector, while it holds the lease, run the set that is asked for in Redis."""

    def __init__(self, rules: WatchedRules, redis: Redis, lease: Lease) -> None:
        self._rules = rules
        self._redis = redis
        self._lease = lease

    def tell(self, high_us: int, now_us: int) -> None:
        """Have it known which set runs, and from which event time on where that is new."""
        running = self._rules.set
        found: Any = self._redis.hmget(RULES, ["set", "wanted"])
        known, asked = found
        told: dict[Any, Any] = {"set": running.id, "rules": msgspec.json.encode(running.faces)}
        if asked is not None and asked.decode().partition(" ")[0] == running.id:
            # What was asked for is answered with the set itself, or a reader between the two finds neither.
            told["answered"] = asked
        if known != running.id.encode():
            told |= {"effective_from": high_us, "since": now_us, "before": known or b""}
        with self._lease.transaction() as pipe:
            pipe.hset(RULES, mapping=told)
            if "answered" in told:
                pipe.hdel(RULES, "refused", "why")

    def look(self, make_engine: Callable[[], object]) -> bool:
        """See whether another set is wanted and take it; True if it is in force from now on."""
        found: Any = self._redis.hmget(RULES, ["wanted", "answered"])
        asked, answered = found
        if asked is None or asked == answered:
            return False
        wanted = asked.decode().partition(" ")[0]
        is_new = wanted != self._rules.set.id
        why = self._rules.change(wanted, make_engine) if is_new else None
        if is_new and why is None:
            log.info("other rules are in force", rules=len(self._rules.set.rules))
            return True
        with self._lease.transaction() as pipe:
            pipe.hset(RULES, "answered", asked)
            if why is None:
                pipe.hdel(RULES, "refused", "why")
            else:
                pipe.hset(RULES, mapping={"refused": wanted, "why": why})
        if why is not None:
            log.error("other rules were asked for and the old ones go on", why=why)
        return False


def _face(rule: Rule) -> RuleFace:
    return RuleFace(
        id=rule.id,
        version=rule.version,
        status=rule.status,
        title=rule.title,
        category=rule.category,
        audience=rule.audience,
        severity=rule.severity,
        respond=dict(rule.respond),
        why=rule.why,
        sources=list(rule.sources),
        params=_params(Path(rule.path)),
    )


def _params(path: Path) -> dict[str, dict[str, str]]:
    """The tunables of a rule file as they are written: value, min and max of each."""
    root = read_source(read_file(path))
    params = next((node for key, node in root if key.text == "params"), None)
    if not isinstance(params, Node):
        return {}
    return {
        name.text: {key.text: part.text for key, part in node if isinstance(part, Scalar)}
        for name, node in params
        if isinstance(node, Node)
    }
