"""Source that reads an event's fields, for `where` and for what quantities measure."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET

from detector.engine.emit import Block, Emitter, Value
from detector.engine.plan import Plan
from detector.events.instants import QUARTER_US
from detector.events.vocabulary import FIELDS, SESSION_SUMMARY
from detector.language.syntax import Expression, Kind, Name


def loosened(old: Any, new: Any) -> bool | None:
    """Whether a limit was raised or removed; None where the change leaves open from what or to what.

    An absent value is UNSET; None says that there is no limit.
    """
    if old is UNSET or new is UNSET:
        return None
    return old is not None and (new is None or new > old)


class Fields(Emitter):
    """Reads an event's fields for `where` and for measures."""

    def __init__(self, block: Block, type_: str, plan: Plan, *, arriving: bool) -> None:
        super().__init__(block)
        self.arriving = arriving
        self.type = type_
        self.plan = plan
        self.currency: str | None = None  # of the measure at hand: what money is converted into
        self._reads: dict[tuple[str, str | None, str | None], Value] = {}

    def leaf(self, node: Expression) -> Value:
        assert isinstance(node, Name), node
        return self.read(node.name, str(node.kind) if node.kind else None)

    def emit(self, node: Expression) -> Value:
        # The same condition means other numbers under another currency.
        self._done.clear()
        return super().emit(node)

    def read(self, name: str, kind: str | None = None) -> Value:
        """The value of a field, unknown when absent (or money that cannot be converted)."""
        spec = FIELDS[self.type].get(name)
        by_limit = spec is not None and spec.kind == "by_limit"
        money = kind == Kind.MONEY if by_limit else spec is not None and spec.kind == "money"
        key = (name, self.currency if money else None, kind if by_limit else None)
        if key not in self._reads:
            self._reads[key] = self._read(name, kind, money, by_limit, bool(spec and spec.required))
        return self._reads[key]

    def _read(self, name: str, kind: str | None, money: bool, by_limit: bool, required: bool) -> Value:
        block = self.block
        if name in ("local_hour", "local_date"):
            if ("local", None, None) not in self._reads:
                here = block.put("p.here")
                test = f"{here} is None or {here}[0] != ts // {QUARTER_US}"
                test += f" or {here}[1] != e.brand or {here}[2] != e.jurisdiction"
                if self.type == "bet":
                    block.line("if e.placed_at is not None:")
                    block.line(f"    {here} = x.local(p, e, ts, micros(e.placed_at))")
                    block.line(f"elif {test}:")
                else:
                    block.line(f"if {test}:")
                block.line(f"    {here} = x.local(p, e, ts, ts)")
                self._reads["local", None, None] = Value(here, False)
            pair = self._reads["local", None, None].name
            return Value(block.put(f"{pair}[{3 if name == 'local_hour' else 4}]"), False)
        if name == "gap" and not self.arriving:
            # What came before it when it arrived is not known any more.
            return Value(block.put("None"), True)
        if name == "gap":
            slot = self.plan.latest(self.type, settled=False)
            known = block.put(f"q[{slot}]")
            return Value(block.put(f"None if {known} is None or {known} > ts else ts - {known}"), True)
        if name == "loosened":
            return Value(block.put("loosened(e.old, e.new)"), True)
        if name == "net_loss" and self.type == "bet":
            stake, payout = self.read("stake"), self.read("payout")
            return self._guarded(f"{stake.name} - {payout.name}", stake, payout)
        if by_limit:
            raw = block.put(f"e.{name}")
            block.line(f"if {raw} is UNSET: {raw} = None")
            if kind == Kind.DURATION:
                raw = block.put(f"None if {raw} is None else {raw} * 60000000")
        elif money and self.type == SESSION_SUMMARY:
            raw = block.put(f"None if e.{name} is UNRATED else e.{name}")
        else:
            raw = block.put(f"e.{name}")
        if not money:
            return Value(raw, not required)
        goal = block.constant(self.currency) if self.currency else "p.currency"
        absent = f"{raw} is None or " if not required else ""
        if by_limit:
            absent += "e.currency is None or "
        if self.type == SESSION_SUMMARY:
            # Nothing is nothing in every currency, also before the player has one.
            absent += f"{raw} == 0 or "
        same = f"{absent}{block.once(f'e.currency == {goal}')}"
        return Value(block.put(f"{raw} if {same} else x.convert({raw}, e.currency, {goal}, ts)"), True)
