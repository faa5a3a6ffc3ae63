"""One case of the attack corpus: how it is made, what must be said to it, and who says so."""

import base64
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from lxml import etree

from tests.support.saml_idp import NAMES, Scene, encode, find, parse

ACCEPTED = "accepted"
# What only the assertion consumer service can know; the verifier lets these pass.
UNSOLICITED = "unsolicited"
REQUEST_UNKNOWN = "request_unknown"
DOMAIN_NOT_VERIFIED = "domain_not_verified"
EMAIL_MALFORMED = "email_malformed"

Fields = list[tuple[str, str]]


class Judge(StrEnum):
    """Who must refuse: the form reader, the pure verifier, the profile reader, or the ACS."""

    FORM = "form"
    VERIFIER = "verifier"
    PROFILE = "profile"
    ACS = "acs"


@dataclass(frozen=True)
class Case:
    """`expected` is a reason code or `ACCEPTED`; `attack` says in one line what is done."""

    name: str
    family: str
    attack: str
    expected: str
    build: Callable[[Scene], Any]
    judge: Judge = Judge.VERIFIER

    def fields(self, scene: Scene) -> Fields:
        """The form that the browser posts, against this scene."""
        built = self.build(scene)
        if isinstance(built, list):
            return built
        return [("SAMLResponse", built if isinstance(built, str) else encode(built)), ("RelayState", "")]


CASES: list[Case] = []


def case(
    family: str, name: str, attack: str, expected: str, judge: Judge = Judge.VERIFIER
) -> Callable[[Callable[[Scene], Any]], Callable[[Scene], Any]]:
    """Register the function below, which answers a tree, an encoded text or a form, as a case."""

    def register(build: Callable[[Scene], Any]) -> Callable[[Scene], Any]:
        CASES.append(Case(name, family, attack, str(expected), build, judge))
        return build

    return register


def text_of(root: Any) -> str:
    return str(etree.tostring(root).decode())


def encoded_text(text: str | bytes) -> str:
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


def replaced(root: Any, old: str, new: str, count: int = 1) -> str:
    """The encoded message with `old` replaced after signing; `old` must be there."""
    text = text_of(root)
    assert old in text, old
    return encoded_text(text.replace(old, new, count))


def assertion_of(root: Any) -> Any:
    return find(root, "//saml:Assertion")


def signature_of(element: Any) -> Any:
    return element.xpath("./ds:Signature", namespaces=NAMES)[0]


def evil_twin(scene: Scene, **changes: Any) -> Any:
    """An unsigned assertion for the administrator, as an attacker writes it."""
    changes.setdefault("assertion_id", "_evil")
    return parse(scene.answer(name_id="admin@example.com", **changes).assertion_xml)
