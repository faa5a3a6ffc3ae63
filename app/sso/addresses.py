"""E-mail addresses and domain names in their one normal form. Pure: it looks nothing up.

A domain is compared in its ASCII form, a local part case-folded and otherwise as it stands: plus tags and
dots may mean somebody else at another mail system.
"""

import unicodedata
from dataclasses import dataclass

from email_validator import EmailNotValidError, validate_email

from app.core.errors import BadRequestError
from app.core.text import fold

MAX_EMAIL_LENGTH = 254
MAX_DOMAIN_LENGTH = 253
# Scripts that one word of Japanese or Korean mixes by nature; any other mixture imitates something. The
# signs that lengthen a vowel or repeat a character are named after no single script.
_EAST_ASIAN = frozenset(
    {"CJK", "HIRAGANA", "KATAKANA", "HANGUL", "LATIN", "BOPOMOFO", "KATAKANA-HIRAGANA", "IDEOGRAPHIC"}
)


class InvalidEmailError(BadRequestError):
    code = "invalid_email"


@dataclass(frozen=True, slots=True)
class EmailAddress:
    """`raw` as it was given, `domain` in ASCII, `key` what two spellings of one address share."""

    raw: str
    domain: str
    key: str


def parse_email(text: str) -> EmailAddress:
    """The address in its parts; raises `InvalidEmailError`, whose text may be shown."""
    if len(text) > MAX_EMAIL_LENGTH:
        raise InvalidEmailError(f"An e-mail address has at most {MAX_EMAIL_LENGTH} characters.")
    try:
        # A domain such as `acme.test` is somebody's in a test installation.
        found = validate_email(text, check_deliverability=False, test_environment=True)
    except EmailNotValidError as error:
        raise InvalidEmailError(str(error)) from error
    _refuse_mixed_scripts(found.domain)
    domain = found.ascii_domain.lower()
    return EmailAddress(text, domain, f"{fold(found.local_part)}@{domain}")


def parse_domain(text: str) -> str:
    """The ASCII form of a domain name; raises `InvalidEmailError`, whose text may be shown."""
    name = text.strip().removesuffix(".")
    if "@" in name or len(name) > MAX_DOMAIN_LENGTH:
        raise InvalidEmailError("Give a domain name such as acme.example, without an address in front.")
    try:
        return parse_email(f"postmaster@{name}").domain
    except InvalidEmailError as error:
        raise InvalidEmailError(error.detail.replace("The part after the @-sign", "The domain")) from error


def _refuse_mixed_scripts(domain: str) -> None:
    for label in domain.split("."):
        scripts = {
            unicodedata.name(character, "?").partition(" ")[0] for character in label if character.isalpha()
        }
        if len(scripts) > 1 and not scripts <= _EAST_ASIAN:
            raise InvalidEmailError("The domain mixes letters of several scripts, as imitations do.")
