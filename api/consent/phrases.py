"""What a player is told of a referral of theirs: where it stands, in a calm sentence."""

from __future__ import annotations

from collections.abc import Mapping

from api.referrals.protocol import Language, Outcome, Standing

STATES: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "consented": "We are passing this on to {partner}. Their page is there for you already.",
        "undelivered": "We have not got through to {partner} yet. Their page is there for you all the same.",
        "delivered": "We have contacted {partner}.",
        "slip": "Call {partner} whenever it suits you, and quote the code.",
        "acknowledged": "We have contacted {partner}, and they have got it.",
        "contacted": "{partner} has been in touch with you.",
        "unreachable": "{partner} has tried to reach you. You can call them yourself and quote the code.",
        "declined": "{partner} cannot take this on at the moment. There is other help below.",
        "closed": "{partner} has finished. You can ask again at any time.",
        "withdrawn": "You have taken this back.",
        "recalled": "This goes no further. There is other help below, at any time.",
        "expired": "This is over: its time has run out. You can ask again at any time.",
    },
    "fr": {
        "consented": "Nous transmettons ceci à {partner}. Leur page est déjà là pour vous.",
        "undelivered": "Nous n’avons pas encore pu joindre {partner}. Leur page est là malgré tout.",
        "delivered": "Nous avons contacté {partner}.",
        "slip": "Appelez {partner} quand cela vous convient, et donnez le code.",
        "acknowledged": "Nous avons contacté {partner}, et ils l’ont bien reçu.",
        "contacted": "{partner} vous a joint.",
        "unreachable": "{partner} a essayé de vous joindre. Vous pouvez les appeler et donner le code.",
        "declined": "{partner} ne peut pas s’en charger pour le moment. Il y a d’autre aide ci-dessous.",
        "closed": "{partner} a terminé. Vous pouvez redemander à tout moment.",
        "withdrawn": "Vous avez repris votre accord.",
        "recalled": "Ceci ne va pas plus loin. Il y a d’autre aide ci-dessous, à tout moment.",
        "expired": "C’est terminé : le délai est passé. Vous pouvez redemander à tout moment.",
    },
}

OUTCOMES: Mapping[Language, Mapping[Outcome, str]] = {
    "en": {
        "in_treatment": "{partner} goes on helping you.",
        "advice_given": "{partner} has given advice.",
        "referred_on": "{partner} has told you of somebody else who can help.",
        "not_needed": "{partner} has finished: nothing more was needed.",
        "no_contact": "{partner} could not reach you. You can ask again at any time.",
    },
    "fr": {
        "in_treatment": "{partner} continue de vous aider.",
        "advice_given": "{partner} a donné des conseils.",
        "referred_on": "{partner} vous a indiqué quelqu’un d’autre qui peut aider.",
        "not_needed": "{partner} a terminé : rien de plus n’était nécessaire.",
        "no_contact": "{partner} n’a pas pu vous joindre. Vous pouvez redemander à tout moment.",
    },
}


def message(
    language: Language,
    partner: str,
    state: Standing,
    *,
    slip: bool,
    undelivered: bool,
    recalled: bool,
    outcome: Outcome | None,
) -> str:
    """The sentence for where a referral stands."""
    if recalled:
        found = STATES[language]["recalled"]
    elif outcome is not None:
        found = OUTCOMES[language][outcome]
    elif undelivered:
        found = STATES[language]["undelivered"]
    else:
        found = STATES[language]["slip" if slip and state == "delivered" else state]
    return found.replace("{partner}", partner)
