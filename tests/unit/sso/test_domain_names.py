"""Which names can be claimed, and their one normal form."""

import pytest

from app.sso.addresses import InvalidEmailError, parse_email
from app.sso.domain_names import DomainRefusedError, claimable_name

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
        ("sub.acme.co.uk", "sub.acme.co.uk"),
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
        ("*.acme.example", "invalid characters"),
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
