"""What a record becomes: the cases of a mapping file, and the events that each makes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from detector.events.vocabulary import CARRIER_FIELDS
from detector.language.syntax import Place
from detector.mapping.conditions import Condition
from detector.mapping.fields import FieldPlan, Maker
from detector.mapping.message import ABSENT, Path, Scope, Scopes
from detector.mapping.origins import Dropped, Unmapped

MAX_RECORDS = 10_000
"""Records of one message, and as many events of one."""

TypeOf = Callable[[Scopes], str]


@dataclass(frozen=True, slots=True)
class Step:
    """The making of one field; `lacks` names the place that has nothing, for a field that must be there."""

    name: str
    make: Maker
    lacks: Callable[[Scopes], str] | None = None

    @classmethod
    def of(cls, name: str, plan: FieldPlan, *, required: bool) -> Step:
        """The step that makes a planned field."""
        if not plan.outer:
            return cls(name, plan.make, plan.lacks if required else None)
        # A common field looks at the record around the one that the case's `each` is at.
        return cls(
            name,
            lambda scopes, made: plan.make(scopes[:-1], made),
            (lambda scopes: plan.lacks(scopes[:-1])) if required else None,
        )


@dataclass(frozen=True, slots=True)
class EventPlan:
    """One event to be made of a record.

    Attributes
    ----------
    type_of
        The event's type, which a table may choose.
    fields
        Type → its fields in the order in which they are made.
    position
        Its number among the events of its case: from the second on it ends an id that the case did not give
        it, so that ids differ and stay the same whichever of the events are made.
    """

    type_of: TypeOf
    fields: Mapping[str, Sequence[Step]]
    when: Condition | None = None
    position: int = 1
    own_id: bool = True

    def make(self, scopes: Scopes, *, carried: bool = False) -> dict[str, Any] | None:
        """The event as JSON has it, or None where its condition does not hold.

        Parameters
        ----------
        carried
            Whether a correction carries it: then without what the correction says already.
        """
        if self.when is not None and not self.when(scopes):
            return None
        type_ = self.type_of(scopes)
        event: dict[str, Any] = {"type": type_}
        for step in self.fields[type_]:
            if carried and step.name in CARRIER_FIELDS:
                continue
            value = step.make(scopes, event)
            if value is not ABSENT:
                event[step.name] = value
            elif step.lacks is not None:
                told = f"is missing, and a {type_} needs it for `{step.name}`"
                raise Unmapped("missing_field", step.lacks(scopes), told)
        if not self.own_id and "id" in event:
            event["id"] = f"{event['id']}/{self.position}"
        return event


@dataclass(frozen=True, slots=True)
class Case:
    """What to do with the records for which `when` holds: make events, drop them or refuse them."""

    place: Place
    when: Condition | None = None
    each: Path | None = None
    drop: str | None = None
    refuse: str | None = None
    events: tuple[EventPlan, ...] = ()

    def make(self, scopes: Scopes, *, carried: bool = False) -> list[dict[str, Any]]:
        """The events of a record; Dropped or Unmapped where there are none to be."""
        if self.drop is not None:
            raise Dropped(self.drop)
        if self.refuse is not None:
            raise Unmapped("unmapped", scopes[-1].at, self.refuse)
        if self.each is None:
            return self._of(scopes, carried)
        return [event for inner in records(self.each, scopes) for event in self._of(inner, carried)]

    def _of(self, scopes: Scopes, carried: bool) -> list[dict[str, Any]]:
        made = (plan.make(scopes, carried=carried) for plan in self.events)
        return [event for event in made if event is not None]


def records(path: Path, scopes: Scopes) -> list[Scopes]:
    """The scopes of each record of an array; what is no array is one record."""
    value = path.find(scopes)
    at = path.at(scopes)
    if value is ABSENT or value is None:
        raise Unmapped("missing_field", at, "is where the records are, and is missing")
    if not isinstance(value, list):
        return [[*scopes, Scope(value, at)]]
    if len(value) > MAX_RECORDS:
        raise Unmapped("too_large", at, f"send at most {MAX_RECORDS} records a message")
    return [[*scopes, Scope(record, f"{at}.{number}")] for number, record in enumerate(value)]
