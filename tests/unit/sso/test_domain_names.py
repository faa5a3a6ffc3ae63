"""Which names can be claimed, and their one normal form."""

import pytest

from app.sso.addresses import InvalidEmailError, parse_email
from app.sso.domain_names import DomainRefusedError, claimable_name, claims_over

OWN_HOST = "usher.example"


@pytest.mark.parametrize(
    ("given", "normal"),
    [
        ("acme.example", "acme.example"),
        (" Acme.EXAMPLE. ", "acme.example"),
        ("\uff41\uff43\uff4d\uff45.example", "acme.example"),
        ("münchen.example", "xn--mnchen-3ya.example"),
        ("xn--mnchen-3ya.example", "xn--mnchen-3ya.example"),
        ("日本語テスト.example", "xn--zckzah9945czlbtz6h.example"),
        ("xn--zckzah9945czlbtz6h.example", "xn--zckzah9945czlbtz6h.example"),
        ("ラーメン.example", "xn--4dkp5a8a.example"),
        ("佐々木.example", "xn--u6jy55gilq.example"),
        ("sub.acme.co.uk", "sub.acme.co.uk"),
        ("*.acme.example", "*.acme.example"),
        (" *.Sub.MÜNCHEN.example. ", "*.sub.xn--mnchen-3ya.example"),
        ("acme.test", "acme.test"),
    ],
)
def test_a_name_is_brought_to_its_normal_form(given: str, normal: str) -> None:
    assert claimable_name(given, OWN_HOST) == normal


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("gmail.com", "public mailbox"),
        ("GMail.com.", "public mailbox"),
        ("hey.com", "public mailbox"),
        ("co.uk", "public suffix"),
        ("github.io", "public suffix"),
        ("onmicrosoft.com", "Microsoft"),
        ("acme.onmicrosoft.com", "Microsoft"),
        ("usher.example", "Usher's own"),
        ("10.0.0.1", "IP address"),
        ("[::1]", "IP address"),
        ("localhost", "period"),
        ("acme", "period"),
        ("\u0440\u0430ypal.example", "several scripts"),
        ("xn--ypal-43d9g.example", "several scripts"),
        ("*.*.acme.example", "invalid characters"),
        ("a*.acme.example", "invalid characters"),
        ("*acme.example", "invalid characters"),
        ("acme.*.example", "invalid characters"),
        ("\uff0a.acme.example", "invalid characters"),
        ("*.", "must be something"),
        ("*.com", "period"),
        ("*.co.uk", "public suffix"),
        ("*.github.io", "public suffix"),
        ("*.gmail.com", "public mailbox"),
        ("*.onmicrosoft.com", "Microsoft"),
        ("*.acme.onmicrosoft.com", "Microsoft"),
        ("*.usher.example", "Usher's own"),
        ("*.10.0.0.1", "not valid|IP address|invalid"),
        (f"{'a' * 60}.{'b' * 60}.{'c' * 60}.{'d' * 50}.example", "too long"),
        ("https://acme.example", "invalid characters"),
        ("ada@acme.example", "without an address"),
        ("acme..example", "period"),
        ("", "must be something"),
        ("a" * 300 + ".example", "domain name"),
    ],
)
def test_a_name_that_nobody_can_claim_is_refused_with_its_reason(name: str, reason: str) -> None:
    with pytest.raises(DomainRefusedError, match=reason):
        claimable_name(name, OWN_HOST)


def test_a_throw_away_provider_is_refused() -> None:
    with pytest.raises(DomainRefusedError):
        claimable_name("mailinator.com", OWN_HOST)


@pytest.mark.parametrize(
    ("name", "claims"),
    [
        ("acme.example", ["acme.example"]),
        ("eu.acme.example", ["eu.acme.example", "*.acme.example"]),
        ("a.eu.acme.co.uk", ["a.eu.acme.co.uk", "*.eu.acme.co.uk", "*.acme.co.uk"]),
        # Below these everybody has a domain, whoever owns what is above them.
        ("acme.s3.amazonaws.com", ["acme.s3.amazonaws.com"]),
        ("eu.acme.s3.amazonaws.com", ["eu.acme.s3.amazonaws.com", "*.acme.s3.amazonaws.com"]),
        ("privaterelay.appleid.com", ["privaterelay.appleid.com"]),
        ("eu.acme.onmicrosoft.com", ["eu.acme.onmicrosoft.com"]),
    ],
)
def test_a_name_is_covered_by_itself_and_by_wildcards_that_could_be_claimed(
    name: str, claims: list[str]
) -> None:
    assert claims_over(name) == claims


def test_two_spellings_of_one_address_share_a_key() -> None:
    assert parse_email("Ada@ACME.Example").key == parse_email("ada@acme.example").key


@pytest.mark.parametrize(
    "other",
    ["ada+x@acme.example", "a.da@acme.example", "\uff41\uff44\uff41@acme.example", "\u0430da@acme.example"],
)
def test_an_address_that_only_resembles_another_has_its_own_key(other: str) -> None:
    assert parse_email(other).key != parse_email("ada@acme.example").key


@pytest.mark.parametrize(
    "text",
    ["", "ada", "ada@", "@acme.example", "a@[10.0.0.1]", "a b@acme.example", "a" * 300, "ada@b@acme.example"],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(InvalidEmailError):
        parse_email(text)
