"""Finishing alerts: the player's score as it stood, the response it calls for, what the platform is asked.

An alert's score must not hang on how far the watermark happens to be. A rule judged at an event sees every
episode as it would stand if all that was due by then had been judged; one judged at a moment sees the
episodes of rules on events as they stood at that moment, whatever has been judged since.
"""

from __future__ import annotations

from collections.abc import Mapping

from detector.engine.judging import Judged, Judges
from detector.engine.places import Places
from detector.ladder.interventions import interventions
from detector.ladder.ladder import Ladder
from detector.players.player import Player
from detector.score.score import score
from detector.score.scoring import Scoring
from detector.score.standing import Standing


class Rater:
    """Rates the players of one engine."""

    def __init__(self, judges: Judges, scoring: Scoring, ladder: Ladder, places: Places) -> None:
        self.judges = judges
        self.scoring = scoring
        self.ladder = ladder
        self.places = places
        # A shadow rule only shows what it would do.
        counted = [j for j in judges.rules if j.rule.audience == "risk" and j.rule.status != "shadow"]
        self._counted: Mapping[str, Judged] = {judged.rule.id: judged for judged in counted}
        self.looks_ahead = any(judged.settled for judged in counted)

    def standings(self, p: Player, at_us: int) -> list[Standing]:
        """Where each rule that counts stood at an instant, among those that have held."""
        found = []
        for rule_id, episode in p.episodes.items():
            judged = self._counted.get(rule_id)
            entry = None if judged is None else episode.at(at_us)
            if judged is None or entry is None:
                continue
            rule = judged.rule
            held_us, opened_us, severity = entry
            found.append(
                Standing(rule.name, rule.title, rule.category, severity, opened_us, held_us, rule.cooldown_us)
            )
        return found

    def finish(self, p: Player, at_us: int, view: Player | None = None) -> None:
        """Give the alerts that the rules of one event or moment have made their score and response.

        `view` holds the episodes as they count, where these are not the player's own.
        """
        made, effects = self.judges.made, self.judges.effects
        if not made or self.judges.is_muted:
            return
        rated = score(self.standings(view or p, at_us), at_us, self.scoring)
        jurisdiction = self.jurisdiction(p, at_us)
        for judged, alert in made:
            alert.score, alert.band = rated.score, rated.band
            alert.contributions = dict(rated.contributions)
            band = rated.band if alert.audience == "risk" else None
            alert.response = self.ladder.level(alert.response, band, jurisdiction)
            effects.jurisdictions[alert.id] = jurisdiction
            if judged.rule.status != "shadow":
                effects.interventions += interventions(alert, jurisdiction, at_us, self.ladder)
        made.clear()

    def jurisdiction(self, p: Player, at_us: int) -> str | None:
        """Where the player was at an instant.

        By the profile in force, else by the first event that said (or whose brand does), else where the
        deployment's players are.
        """
        for since, _, jurisdiction in reversed(p.profile or ()):
            if since <= at_us and jurisdiction is not None:
                return jurisdiction
        if p.home is not None and p.home[0] <= at_us:
            return p.home[1]
        return self.places.jurisdiction(None, None)
