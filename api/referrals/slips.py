"""A slip: what a player needs to get in touch with an organisation by themselves."""

from __future__ import annotations

from collections.abc import Mapping

from api.partners.schemas import Entry
from api.referrals.protocol import Language
from api.referrals.schemas import Slip
from api.referrals.tables import Referral

_SAY: Mapping[Language, str] = {
    "en": "I was given this code: {code}. I would like to talk to somebody.",
    "fr": "On m’a donné ce code : {code}. J’aimerais parler à quelqu’un.",
}
_LABELS: Mapping[Language, tuple[str, str, str, str, str]] = {
    "en": ("Telephone", "E-mail", "Hours", "Your code", "You can say"),
    "fr": ("Téléphone", "Courriel", "Heures", "Votre code", "Vous pouvez dire"),
}
_REST: Mapping[Language, str] = {
    "en": "You need not give your name. The code is for this organisation alone.",
    "fr": "Vous n’avez pas à donner votre nom. Le code est pour cet organisme seul.",
}


def slip(referral: Referral, entry: Entry, language: Language) -> Slip:
    """The slip of a referral."""
    code = f"{referral.code[:4]}-{referral.code[4:]}"
    contact = entry.contact
    name = entry.names.in_(language)
    phone = None if contact is None else contact.phone
    mail = None if contact is None else contact.mail
    hours = None if contact is None else contact.hours.in_(language)
    say = _SAY[language].replace("{code}", code)
    labels = _LABELS[language]
    told = [
        f"{label}: {value}"
        for label, value in zip(labels, (phone, mail, hours, code, f"“{say}”"), strict=True)
        if value is not None
    ]
    text = "\n".join([name, *told, _REST[language]]) + "\n"
    return Slip(organisation=name, phone=phone, mail=mail, hours=hours, code=code, say=say, text=text)
