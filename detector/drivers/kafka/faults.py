"""What keeps workers from the topics as they are. Pure: `admin` looks at the brokers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from detector.drivers.kafka.topics import EVENTS, TopicSpec, changelog, specs

INPUT_KEPT_MS = 86_400_000
"""For how long a platform's own topics have to keep events, at least."""
_NO_BOUND = -1


@dataclass(frozen=True, slots=True)
class Seen:
    """A topic as the brokers tell of it.

    Parameters
    ----------
    partitions
        How many it has.
    replicas
        On how many brokers each partition is, at least.
    leaderless
        The partitions that cannot be written or read now.
    config
        Its settings; None where the brokers do not tell them.
    """

    partitions: int
    replicas: int
    leaderless: tuple[int, ...]
    config: Mapping[str, str] | None


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with a topic, and how to mend it.

    `stops`: workers would do wrong or nothing with it, and do not start.
    """

    topic: str
    told: str
    stops: bool = False
    missing: bool = False

    def __str__(self) -> str:
        return f"{self.topic}: {self.told}"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the topics are held against.

    Parameters
    ----------
    group
        The workers' group.
    inputs
        The topics that events come in by.
    partitions, replication
        What a deployment has chosen for topics that are made; None: it is not asked here.
    """

    group: str
    inputs: frozenset[str]
    partitions: int | None = None
    replication: int | None = None

    @property
    def ours(self) -> list[TopicSpec]:
        """The topics that are made for workers and service."""
        return specs(self.group)

    @property
    def theirs(self) -> list[str]:
        """The platform's own topics."""
        return sorted(self.inputs - {each.name for each in self.ours})

    def in_sync(self) -> dict[str, str]:
        """How many replicas have to have a record before it counts, which survives the loss of a broker."""
        return {} if self.replication is None else {"min.insync.replicas": str(max(1, self.replication - 1))}


def common_partitions(wanted: Wanted, seen: Mapping[str, Seen]) -> int | None:
    """The number of partitions that all topics of players must have; None while nothing says it."""
    if EVENTS in seen:
        return seen[EVENTS].partitions
    if wanted.partitions is not None:
        return wanted.partitions
    return next((seen[name].partitions for name in wanted.theirs if name in seen), None)


def find_faults(wanted: Wanted, seen: Mapping[str, Seen]) -> list[Fault]:
    """Everything that is wrong with the topics seen, the platform's own included."""
    faults = [
        Fault(name, "is a topic of ours and no input; take it out of TILTWATCH_KAFKA_INPUTS", stops=True)
        for name in sorted(wanted.inputs & {each.name for each in wanted.ours if each.name != EVENTS})
    ]
    common = common_partitions(wanted, seen)
    if EVENTS in seen and wanted.partitions not in (None, common):
        faults.append(
            Fault(
                EVENTS,
                f"has {_count(common, 'partition')} and TILTWATCH_KAFKA_PARTITIONS says {wanted.partitions}; "
                "say what is, for players change partitions when their number changes",
            )
        )
    for spec in wanted.ours:
        if spec.name in seen:
            faults += _of_ours(wanted, spec, seen[spec.name], common)
        else:
            faults.append(Fault(spec.name, "is not there; run `tiltwatch kafka init`", True, missing=True))
    for name in wanted.theirs:
        if name in seen:
            faults += _of_theirs(name, seen[name], common, is_ours_there=EVENTS in seen)
        else:
            faults.append(
                Fault(
                    name,
                    "is not there; have the platform make it, or take it out of TILTWATCH_KAFKA_INPUTS",
                    True,
                )
            )
    return faults


def unseen_settings(wanted: Wanted, seen: Mapping[str, Seen]) -> list[str]:
    """The topics whose settings cannot be checked, for the brokers do not tell them."""
    names = [*(each.name for each in wanted.ours), *wanted.theirs]
    return [name for name in names if name in seen and seen[name].config is None]


def _of_ours(wanted: Wanted, spec: TopicSpec, there: Seen, common: int | None) -> Iterator[Fault]:
    name = spec.name
    if spec.partitions is None and there.partitions != common:
        yield Fault(
            name,
            f"has {_count(there.partitions, 'partition')} and {EVENTS} {common}: a player would be in two "
            f"places; delete it if it is empty and run `tiltwatch kafka init`, or see the runbook",
            True,
        )
    elif spec.partitions is not None and there.partitions != spec.partitions:
        yield Fault(
            name,
            f"has {_count(there.partitions, 'partition')} and must have {spec.partitions}, which alone keeps "
            "an order; delete it and run `tiltwatch kafka init`",
            True,
        )
    yield from _of_any(name, there)
    if wanted.replication is not None and there.replicas < wanted.replication:
        yield Fault(
            name,
            f"has {_count(there.replicas, 'replica')} and TILTWATCH_KAFKA_REPLICATION says "
            f"{wanted.replication}; kafka-reassign-partitions.sh adds replicas",
        )
    if there.config is not None:
        policy = _split(there.config.get("cleanup.policy", ""))
        if policy != _split(spec.cleanup):
            # A changelog that deletes forgets players, and inputs that compact forget events.
            stops = name in (EVENTS, changelog(wanted.group))
            yield _setting(name, "cleanup.policy", there.config, spec.cleanup, "must be", stops=stops)
        yield from _bounds(name, there.config, spec.config | wanted.in_sync())


def _of_theirs(name: str, there: Seen, common: int | None, *, is_ours_there: bool) -> Iterator[Fault]:
    if there.partitions != common:
        others, mend = (
            (f"{EVENTS} has {common}", "make all inputs with as many partitions; see the runbook")
            if is_ours_there
            else (f"{EVENTS} would have {common}", f"say TILTWATCH_KAFKA_PARTITIONS={there.partitions}")
        )
        yield Fault(
            name,
            f"has {_count(there.partitions, 'partition')} and {others}: a player's events would go to two "
            f"workers; {mend}",
            True,
        )
    yield from _of_any(name, there)
    if there.config is not None:
        if "compact" in _split(there.config.get("cleanup.policy", "")):
            yield _setting(name, "cleanup.policy", there.config, "delete", "must be", stops=True)
        elif "retention.ms" in there.config:
            yield from _bounds(name, there.config, {"retention.ms": str(INPUT_KEPT_MS)})


def _of_any(name: str, there: Seen) -> Iterator[Fault]:
    if there.leaderless:
        numbers = ", ".join(map(str, there.leaderless))
        yield Fault(name, f"partition {numbers}: no leader; start the brokers that are away")
    in_sync = _whole((there.config or {}).get("min.insync.replicas"))
    if in_sync is not None and in_sync > there.replicas:
        yield Fault(
            name,
            f"min.insync.replicas is {in_sync} and there is {_count(there.replicas, 'replica')}: nothing can "
            f"be written; {_alter(name, 'min.insync.replicas', str(there.replicas))}",
            True,
        )


def _bounds(name: str, config: Mapping[str, str], least: Mapping[str, str]) -> Iterator[Fault]:
    """Faults of settings that are too small; the rest is a matter of cost, and a deployment's own."""
    for key in ("retention.ms", "retention.bytes", "max.message.bytes", "min.insync.replicas"):
        found, bound = _whole(config.get(key)), _whole(least.get(key))
        if found is None or bound is None:
            continue
        unbounded = key.startswith("retention.")
        if unbounded and found == _NO_BOUND:
            continue
        if found < bound or (unbounded and bound == _NO_BOUND):
            word = "must be" if bound == _NO_BOUND else "must be at least"
            yield _setting(name, key, config, str(bound), word)


def _setting(
    name: str, key: str, config: Mapping[str, str], value: str, word: str, *, stops: bool = False
) -> Fault:
    told = f"{key} is {config.get(key)} and {word} {value}; {_alter(name, key, value)}"
    return Fault(name, told, stops)


def _alter(name: str, key: str, value: str) -> str:
    written = f"[{value}]" if "," in value else value
    return f"kafka-configs.sh --alter --entity-type topics --entity-name {name} --add-config {key}={written}"


def _split(policy: str) -> frozenset[str]:
    return frozenset(each.strip() for each in policy.split(",") if each.strip())


def _whole(text: str | None) -> int | None:
    try:
        return None if text is None else int(text)
    except ValueError:
        return None


def _count(number: int | None, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
