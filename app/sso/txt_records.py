"""TXT records, looked up so that "absent" is told from "unknown".

It must not know what the records mean.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rdatatype
import dns.resolver

from app.core.guarded_fetch import is_public

LIFETIME_SECONDS = 5.0
AUTHORITY_SECONDS = 2.0
MAX_AUTHORITIES = 2
DNS_PORT = 53

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
    """Asks the servers that this machine is configured with, then the zone's own ones.

    Whose zone it is names those servers, so only some are asked, and none that is not on the public internet.
    Tests replace which resolver is asked, which servers may be, and by which port.
    """

    def __init__(
        self,
        *,
        make: Callable[[], dns.resolver.Resolver] = dns.resolver.Resolver,
        is_allowed: Callable[[str], bool] = is_public,
        port: int = DNS_PORT,
    ) -> None:
        self._make = make
        self._is_allowed = is_allowed
        self._port = port

    def look(self, name: str) -> TxtAnswer:
        try:
            resolver = self._make()
        except dns.exception.DNSException:
            return TxtAnswer(None, None)
        resolver.lifetime = LIFETIME_SECONDS
        resolver.use_edns(0, 0, 1232)
        seen = _seen(resolver, name)
        resolver.lifetime = AUTHORITY_SECONDS
        return TxtAnswer(seen, self._published(resolver, name))

    def _published(self, resolver: dns.resolver.Resolver, name: str) -> Texts:
        try:
            zone = dns.resolver.zone_for_name(name, resolver=resolver, lifetime=AUTHORITY_SECONDS)
            servers = sorted(str(server.target) for server in resolver.resolve(zone, "NS"))
            for server in servers[:MAX_AUTHORITIES]:
                address = min(str(found) for found in resolver.resolve(server, "A"))
                texts = self._asked(name, address) if self._is_allowed(address) else None
                if texts is not None:
                    return texts
        except dns.exception.DNSException:
            pass
        return None

    def _asked(self, name: str, address: str) -> Texts:
        query = dns.message.make_query(name, "TXT")
        query.flags &= ~dns.flags.RD
        try:
            answer, _ = dns.query.udp_with_fallback(
                query, address, timeout=AUTHORITY_SECONDS, port=self._port
            )
        # By TCP a server may hang up in the middle, which is no OSError.
        except (dns.exception.DNSException, OSError, EOFError):
            return None
        return _joined(
            record.strings for rrset in answer.answer if rrset.rdtype == dns.rdatatype.TXT for record in rrset
        )


def _seen(resolver: dns.resolver.Resolver, name: str) -> Texts:
    """Follows CNAME, asks by TCP what was cut off by UDP; both is what the resolver does by itself."""
    try:
        answer = resolver.resolve(name, "TXT", search=False)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return []
    except dns.exception.DNSException:
        return None
    return _joined(record.strings for record in answer)


def _joined(records: Iterable[Iterable[bytes]]) -> list[str]:
    """A record's strings are one text, cut only because each holds 255 bytes at most."""
    return [b"".join(strings).decode("utf-8", "replace") for strings in records]
