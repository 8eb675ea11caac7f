"""What the score is made from: where each rule's latest episode stands."""

from __future__ import annotations

import msgspec


class Standing(msgspec.Struct, frozen=True, gc=False):
    """A rule's latest episode, of one player; a player has at most one for each rule.

    `rule` is named as in alerts, `id@version`, by the version in force. `severity` is the
    highest reached, as a place in SEVERITIES. The episode was opened at `opened_us`, `when` last held at
    `held_us`, and it ends `cooldown_us` later unless it holds again. Only rules that are live and whose
    audience is `risk` belong here; an episode that has ended may be left in, it counts nothing.
    """

    rule: str
    title: str
    category: str
    severity: int
    opened_us: int
    held_us: int
    cooldown_us: int

    @property
    def rule_id(self) -> str:
        """The rule's id, whatever its version."""
        return self.rule.partition("@")[0]

    @property
    def ends_us(self) -> int:
        """When the episode ends by itself: from this instant on it counts nothing."""
        return self.held_us + self.cooldown_us

    def is_open(self, at_us: int) -> bool:
        """Whether the episode is still open at an instant."""
        return at_us - self.held_us < self.cooldown_us


class Risk(msgspec.Struct, frozen=True, gc=False):
    """Where a player's rules stood, as of `at_us`: what the score at any later time is made from."""

    player: str
    at_us: int
    standings: list[Standing]
