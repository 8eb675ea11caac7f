"""What the explanations say in each language, apart from what rules and score.yml bring along themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

DAY_US = 86_400_000_000


@dataclass(frozen=True, slots=True)
class ForPlayers:
    """To a player: calm, no numbers, nothing that has to be answered.

    `settles` is by how long it takes, in days at most; `openings` by band, "none" if nothing is open that
    counts, and "asked" if the player has asked for help or to be excluded. "none" claims nothing about the
    player: an alert that does not count may be open all the same.
    """

    openings: Mapping[str, str]
    changed: str
    settles: str
    settled: tuple[tuple[int, str], ...]
    contest: str


@dataclass(frozen=True, slots=True)
class ForAgents:
    """To an agent: what counted, how much, since when, and what would lower it."""

    bands: Mapping[str, str]
    severities: tuple[str, str, str, str]
    headline: str
    nothing: str
    counted: str
    without: str
    protects: str
    capped: str
    lower: str
    units: tuple[tuple[int, str, str], ...]  # µs, one of it, several
    moment: str


_OVER = 10**6

PLAYERS = {
    "en": ForPlayers(
        openings={
            "none": "There is nothing in particular for you here at the moment. "
            "You can look in whenever you like, and write to us at any time.",
            "asked": "How you are matters to us. We have heard you, and we are seeing to it. "
            "You can write to us at any time, and a person will answer.",
            "low": "This is what we have noticed lately. There is nothing you have to do.",
            "medium": "This is what we have noticed lately. It may be worth a moment of your time; "
            "what you make of it is up to you.",
            "high": "Some of what we have noticed lately makes us want to ask how you are. "
            "You can take a break at any time, and nobody here will judge you.",
        },
        changed="We have noticed a change in {what}.",
        settles="If things stay calm, this fades by itself {when}.",
        settled=(
            (1, "within a day"),
            (3, "within a few days"),
            (8, "within about a week"),
            (16, "within about two weeks"),
            (35, "within about a month"),
            (_OVER, "over the coming months"),
        ),
        contest="This is worked out automatically from what happens in your account. "
        "If it does not look right to you, tell us, and a person will look at it.",
    ),
    "fr": ForPlayers(
        openings={
            "none": "Il n'y a rien de particulier pour vous ici en ce moment. "
            "Vous pouvez revenir voir quand vous voulez, et nous écrire à tout moment.",
            "asked": "Votre bien-être compte pour nous. Nous avons bien pris note, et nous nous en occupons. "
            "Vous pouvez nous écrire à tout moment, et une personne vous répondra.",
            "low": "Voici ce que nous avons remarqué dernièrement. Vous n'avez rien à faire.",
            "medium": "Voici ce que nous avons remarqué dernièrement. Cela mérite peut-être un moment "
            "d'attention; ce que vous en faites vous appartient.",
            "high": "Ce que nous avons remarqué dernièrement nous donne envie de prendre de vos nouvelles. "
            "Vous pouvez faire une pause à tout moment, et personne ici ne vous jugera.",
        },
        changed="Nous avons remarqué un changement concernant {what}.",
        settles="Si tout reste calme, cela s'efface de soi-même {when}.",
        settled=(
            (1, "en moins d'un jour"),
            (3, "en quelques jours"),
            (8, "en une semaine environ"),
            (16, "en deux semaines environ"),
            (35, "en un mois environ"),
            (_OVER, "au fil des prochains mois"),
        ),
        contest="Ceci est établi automatiquement à partir de l'activité de votre compte. "
        "Si cela vous semble inexact, dites-le-nous, et une personne l'examinera.",
    ),
}

AGENTS = {
    "en": ForAgents(
        bands={"low": "low", "medium": "medium", "high": "high", "critical": "critical"},
        severities=("low", "medium", "high", "critical"),
        headline="{score} of 100, {band}",
        nothing="Nothing is open that counts towards the score.",
        counted="{points:+d} {title} ({category}, {severity}): open for {since}, last held {held} ago, "
        "ends in {ends} unless it holds again",
        without="Without “{title}” it would be {score} ({band}).",
        protects="“{title}” keeps it {points} lower.",
        capped="No single one of them would lower it: the others make up for it.",
        lower="If nothing holds again it is {band} in {after} ({score}).",
        units=(
            (DAY_US, "day", "days"),
            (3_600_000_000, "hour", "hours"),
            (60_000_000, "minute", "minutes"),
        ),
        moment="less than a minute",
    ),
    "fr": ForAgents(
        bands={"low": "faible", "medium": "moyen", "high": "élevé", "critical": "critique"},
        severities=("faible", "moyenne", "élevée", "critique"),
        headline="{score} sur 100, {band}",
        nothing="Rien de ce qui compte pour le score n'est ouvert.",
        counted="{points:+d} « {title} » ({category}, gravité {severity}) : ouvert depuis {since}, constaté "
        "la dernière fois il y a {held}, prend fin dans {ends} sauf nouveau constat",
        without="Sans « {title} », ce serait {score} ({band}).",
        protects="« {title} » l'abaisse de {points}.",
        capped="Aucun d'eux, à lui seul, ne l'abaisserait : les autres compensent.",
        lower="Sans nouveau constat, il sera {band} dans {after} ({score}).",
        units=(
            (DAY_US, "jour", "jours"),
            (3_600_000_000, "heure", "heures"),
            (60_000_000, "minute", "minutes"),
        ),
        moment="moins d'une minute",
    ),
}


def span(length_us: int, language: str) -> str:
    """Return a length of time in words for agents: in days from two on, else in hours, else in minutes.

    >>> span(3 * DAY_US, "en"), span(DAY_US, "fr"), span(59_000_000, "en")
    ('3 days', '24 heures', 'less than a minute')
    """
    units = AGENTS[language].units
    if length_us < units[-1][0]:
        return AGENTS[language].moment
    for unit_us, one, several in units:
        count = round(length_us / unit_us)
        if count >= 2 or unit_us == units[-1][0]:
            return f"{count} {several if count >= 2 else one}"
    raise AssertionError


def soon(length_us: int, language: str) -> str:
    """Return about how long that is, in words for players, which hold no number."""
    words = PLAYERS[language].settled
    return next(text for days, text in words if length_us <= days * DAY_US or days == _OVER)
