"""TXT records against a name server on this machine: joined strings, CNAME, TCP, failures, odd servers."""

import contextlib
import socketserver
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.resolver
import dns.rrset
import pytest

from app.sso.txt_records import DnsTxtResolver, TxtAnswer

CHALLENGE = "_usher-challenge.acme.example."
ANSWERS = {
    ("acme.example.", "SOA"): ["ns1.acme.example. root.acme.example. 1 60 60 60 60"],
    ("acme.example.", "NS"): ["ns1.acme.example."],
    ("ns1.acme.example.", "A"): ["127.0.0.1"],
}


@dataclass
class NameServer:
    """Answers what the test says; `asked` are the questions, those without recursion apart."""

    answers: dict[tuple[str, str], list[str]] = field(default_factory=lambda: dict(ANSWERS))
    # What only the zone's own servers say, which are asked without recursion.
    published: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    failing: set[str] = field(default_factory=set)
    truncates: bool = False
    # Whether it ends each connection by which it is asked directly; resolvers would try again for long.
    hangs_up: bool = False
    asked_directly: list[str] = field(default_factory=list)
    port: int = 0

    def respond(self, wire: bytes, *, by_udp: bool) -> bytes:
        query = dns.message.from_wire(wire)
        response = dns.message.make_response(query)
        question = query.question[0]
        name, kind = question.name.to_text(), dns.rdatatype.to_text(question.rdtype)
        is_direct = not query.flags & dns.flags.RD
        if is_direct:
            self.asked_directly.append(name)
        if name in self.failing:
            response.set_rcode(dns.rcode.SERVFAIL)
        elif self.truncates and by_udp and kind == "TXT":
            response.flags |= dns.flags.TC
        else:
            self._fill(response, name, kind, self.published if is_direct else {})
        return bytes(response.to_wire())

    def _fill(
        self, response: dns.message.Message, name: str, kind: str, more: dict[tuple[str, str], list[str]]
    ) -> None:
        known = {**self.answers, **more}
        target = known.get((name, "CNAME"), [None])[0]
        if target is not None:
            response.answer.append(dns.rrset.from_text(name, 60, "IN", "CNAME", target))
        owner = target or name
        found = known.get((owner, kind), [])
        if found:
            response.answer.append(dns.rrset.from_text(owner, 60, "IN", kind, *found))
        elif target is None:
            response.set_rcode(dns.rcode.NXDOMAIN)


@pytest.fixture
def server() -> Iterator[NameServer]:
    made = NameServer()

    class Udp(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            wire, sender = self.request
            sender.sendto(made.respond(wire, by_udp=True), self.client_address)

    class Tcp(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            (length,) = struct.unpack("!H", self.request.recv(2))
            wire = self.request.recv(length)
            is_direct = not dns.message.from_wire(wire).flags & dns.flags.RD
            if not (made.hangs_up and is_direct):
                answer = made.respond(wire, by_udp=False)
                self.request.sendall(struct.pack("!H", len(answer)) + answer)

    with contextlib.ExitStack() as stack:
        tcp = stack.enter_context(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Tcp))
        made.port = tcp.server_address[1]
        udp = stack.enter_context(socketserver.ThreadingUDPServer(("127.0.0.1", made.port), Udp))
        for each in (tcp, udp):
            threading.Thread(target=each.serve_forever, args=(0.01,), daemon=True).start()
            stack.callback(each.shutdown)
        yield made


def look(server: NameServer, *, allowed: bool = True) -> TxtAnswer:
    def make() -> dns.resolver.Resolver:
        resolver = dns.resolver.Resolver(configure=False)
        resolver.nameservers, resolver.port = ["127.0.0.1"], server.port
        return resolver

    made = DnsTxtResolver(make=make, is_allowed=lambda _: allowed, port=server.port)
    return made.look(CHALLENGE.removesuffix("."))


def test_the_strings_of_a_record_are_one_text_and_its_neighbours_are_others(server: NameServer) -> None:
    server.answers[CHALLENGE, "TXT"] = ['"usher-domain-" "verification=x"', '"v=spf1 -all"']
    answer = look(server)
    assert answer.seen is not None
    assert sorted(answer.seen) == ["usher-domain-verification=x", "v=spf1 -all"]
    assert answer.published is not None
    assert sorted(answer.published) == sorted(answer.seen)


def test_a_name_that_is_another_ones_alias_is_followed(server: NameServer) -> None:
    server.answers[CHALLENGE, "CNAME"] = ["proofs.elsewhere.example."]
    server.answers["proofs.elsewhere.example.", "TXT"] = ['"here"']
    assert look(server).seen == ["here"]


def test_what_does_not_fit_is_asked_for_by_tcp(server: NameServer) -> None:
    server.truncates = True
    server.answers[CHALLENGE, "TXT"] = ['"here"']
    assert look(server) == TxtAnswer(["here"], ["here"])


def test_a_name_that_is_not_there_is_absent(server: NameServer) -> None:
    assert look(server).seen == []


def test_a_name_without_such_a_record_is_absent(server: NameServer) -> None:
    server.answers[CHALLENGE, "CNAME"] = ["acme.example."]
    assert look(server).seen == []


def test_a_failing_server_is_no_absence(server: NameServer) -> None:
    server.failing.add(CHALLENGE)
    assert look(server).seen is None


def test_what_only_the_zones_own_server_has_is_published(server: NameServer) -> None:
    server.published[CHALLENGE, "TXT"] = ['"soon"']
    assert look(server) == TxtAnswer([], ["soon"])


def test_a_server_that_hangs_up_by_tcp_says_nothing(server: NameServer) -> None:
    server.truncates = server.hangs_up = True
    assert look(server) == TxtAnswer([], None)


def test_a_zone_that_names_servers_inside_our_network_makes_us_ask_none(server: NameServer) -> None:
    server.answers[CHALLENGE, "TXT"] = ['"here"']
    assert look(server, allowed=False) == TxtAnswer(["here"], None)
    assert server.asked_directly == []


def test_a_zone_with_many_silent_servers_is_asked_twice_at_most(server: NameServer) -> None:
    names = [f"ns{number}.acme.example." for number in range(20)]
    server.answers["acme.example.", "NS"] = names
    for name in names:
        server.answers[name, "A"] = [f"127.0.0.{number}" for number in range(1, 30)]
    server.truncates = server.hangs_up = True
    look(server)
    assert len(server.asked_directly) == 2


def test_a_machine_without_resolvers_knows_nothing() -> None:
    def make() -> dns.resolver.Resolver:
        raise dns.resolver.NoResolverConfiguration

    assert DnsTxtResolver(make=make).look("acme.example") == TxtAnswer(None, None)
