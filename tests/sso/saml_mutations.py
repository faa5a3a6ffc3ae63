"""Seeded mutations of responses: bytes, texts, attributes, elements; what can be done with one answer."""

import base64
import copy
import random
from collections.abc import Callable
from typing import Any

from lxml import etree

from tests.support.saml_idp import Scene, encode, encrypt, parse, sign

_TOKENS = (b"<", b">", b'"', b"&", b"<!--x-->", b"<?x?>", b"&#65;", b" ", b"\x00", b"\xff", b"]]>", b"=")


def bases(scene: Scene) -> list[bytes]:
    """Sound responses of each kind of signing."""
    roots = (
        scene.signed(),
        scene.signed(response=True),
        scene.signed(assertion=False, response=True),
        encrypt(scene.signed(), scene.sp_keys[0]),
        sign(encrypt(scene.signed(assertion=False), scene.sp_keys[0]), "/samlp:Response", scene.idp),
    )
    return [base64.b64decode(encode(root)) for root in roots]


def mutant(base: bytes, dice: random.Random) -> str:
    """One to three mutations of a response, as the `SAMLResponse` field."""
    xml = base
    for _ in range(dice.randint(1, 3)):
        xml = dice.choice(_MUTATIONS)(xml, dice)
    return base64.b64encode(xml).decode()


def _byte(xml: bytes, dice: random.Random) -> bytes:
    at = dice.randrange(len(xml) or 1)
    return xml[:at] + bytes([dice.randrange(256)]) + xml[at + 1 :]


def _insert(xml: bytes, dice: random.Random) -> bytes:
    at = dice.randrange(len(xml) + 1)
    return xml[:at] + dice.choice(_TOKENS) + xml[at:]


def _cut(xml: bytes, dice: random.Random) -> bytes:
    at = dice.randrange(len(xml) + 1)
    return xml[:at] + xml[at + dice.randint(1, 40) :]


def _on_tree(change: Callable[[Any, Any, random.Random], None]) -> Callable[[bytes, random.Random], bytes]:
    def mutate(xml: bytes, dice: random.Random) -> bytes:
        try:
            root = parse(xml)
        except etree.XMLSyntaxError:
            return xml
        elements = [element for element in root.iter() if isinstance(element.tag, str)]
        change(root, dice.choice(elements), dice)
        return bytes(etree.tostring(root))

    return mutate


def _text(root: Any, element: Any, dice: random.Random) -> None:
    element.text = dice.choice(
        ("", "admin@example.com", "x", "2026-11-25T12:00:00Z", " ", element.text or "y")
    )


def _attribute(root: Any, element: Any, dice: random.Random) -> None:
    name = dice.choice([*element.attrib, "ID", "Version", "InResponseTo", "{urn:x}ID"])
    value = dice.choice(("", "_response1", "_assertion1", "2.0", "x", "#_assertion1"))
    if dice.random() < 0.3:
        element.attrib.pop(name, None)
    else:
        element.set(name, value)


def _remove(root: Any, element: Any, dice: random.Random) -> None:
    if element is not root:
        element.getparent().remove(element)


def _double(root: Any, element: Any, dice: random.Random) -> None:
    if element is not root:
        element.addnext(copy.deepcopy(element))


def _move(root: Any, element: Any, dice: random.Random) -> None:
    target = dice.choice(list(root.iter(etree.Element)))
    if element is not root and element not in target.iterancestors() and element is not target:
        target.insert(dice.randrange(len(target) + 1), element)


def _wrap(root: Any, element: Any, dice: random.Random) -> None:
    if element is not root:
        wrapper = etree.Element(dice.choice((element.tag, "{urn:x}w")))
        element.getparent().replace(element, wrapper)
        wrapper.append(element)


_MUTATIONS: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    _byte,
    _insert,
    _cut,
    *(_on_tree(change) for change in (_text, _attribute, _remove, _double, _move, _wrap)),
)
