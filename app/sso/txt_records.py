"""TXT records, looked up so that "absent" is told from "unknown".

It must not know what the records mean.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rdatatype
import dns.resolver

LIFETIME_SECONDS = 5.0
AUTHORITY_SECONDS = 2.0
MAX_AUTHORITIES = 2

# The texts of all records of one name; empty when there are none, null when nobody could say.
Texts = Sequence[str] | None


@dataclass(frozen=True, slots=True)
class TxtAnswer:
    """What resolvers see, and what the zone's own servers publish: between them lies the waiting."""

    seen: Texts
    published: Texts


class TxtResolver(Protocol):
    def look(self, name: str) -> TxtAnswer:
        """Look the name up; takes some seconds at most and never raises."""


class DnsTxtResolver:
    """Asks the servers that this machine is configured with, then the zone's own ones."""

    def look(self, name: str) -> TxtAnswer:
        try:
            resolver = dns.resolver.Resolver()
        except dns.exception.DNSException:
            return TxtAnswer(None, None)
        resolver.lifetime = LIFETIME_SECONDS
        resolver.use_edns(0, 0, 1232)
        return TxtAnswer(_seen(resolver, name), _published(resolver, name))


def _seen(resolver: dns.resolver.Resolver, name: str) -> Texts:
    """Follows CNAME, asks by TCP what was cut off by UDP; both is what the resolver does by itself."""
    try:
        answer = resolver.resolve(name, "TXT", search=False)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return []
    except dns.exception.DNSException:
        return None
    return _joined(record.strings for record in answer)


def _published(resolver: dns.resolver.Resolver, name: str) -> Texts:
    try:
        zone = dns.resolver.zone_for_name(name, resolver=resolver, lifetime=LIFETIME_SECONDS)
        servers = [str(server.target) for server in resolver.resolve(zone, "NS")]
        for server in sorted(servers)[:MAX_AUTHORITIES]:
            for address in resolver.resolve(server, "A"):
                texts = _asked(name, str(address))
                if texts is not None:
                    return texts
    except dns.exception.DNSException:
        pass
    return None


def _asked(name: str, address: str) -> Texts:
    query = dns.message.make_query(name, "TXT")
    query.flags &= ~dns.flags.RD
    try:
        answer, _ = dns.query.udp_with_fallback(query, address, timeout=AUTHORITY_SECONDS)
    except (dns.exception.DNSException, OSError):
        return None
    return _joined(
        record.strings for rrset in answer.answer if rrset.rdtype == dns.rdatatype.TXT for record in rrset
    )


def _joined(records: Iterable[Iterable[bytes]]) -> list[str]:
    """A record's strings are one text, cut only because each holds 255 bytes at most."""
    return [b"".join(strings).decode("utf-8", "replace") for strings in records]
