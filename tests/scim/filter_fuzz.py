"""Random filters over a population: most valid, some broken on purpose.

A valid filter says whether scim2-models can be asked about it. What it is not asked about, and why:

- `emails.value` with a text that is no address: it validates literals as addresses, where RFC 7644
  section 3.4.2.2 compares text.
- `null` against a multi-valued attribute: it looks for a value that lacks the sub-attribute, where RFC
  7643 section 2.5 makes null the same as an attribute without values.
- a whole extension by its URN, which RFC 7644 has no grammar for; bare names of an extension and
  comparisons of a whole object: those are tolerances of ours.
- letters that fold to two such as ß, which it lowers without folding; `test_filter_on_database` has them.
"""

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.scim.protocol.constants import ENTERPRISE_USER, USER

LETTERS = "aAbB%_/\\\"'éÉi. "
TEXT_OPERATORS = ("eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le")
ORDERINGS = ("eq", "ne", "gt", "ge", "lt", "le")
MOMENTS = ("2026-01-01T00:01:00Z", "2026-01-01T01:02:00.000001+01:00", "0001-01-01T00:00:00Z")
NOISE = (
    *"()[].\"\\:%'$-",
    *(" eq ", " pr ", " and ", " or ", "not (", " null", "true", "1e5", "é", "\x00", "\ud800"),
)
USER_TEXTS = (
    *(
        "id",
        "userName",
        "externalId",
        "title",
        "nickName",
        "displayName",
        "name.givenName",
        "name.familyName",
    ),
    *(f"{USER}:userName", f"{ENTERPRISE_USER}:department", f"{ENTERPRISE_USER}:manager.value"),
    *("schemas", "roles", "roles.value", "roles.type", "emails.type", "groups.value", "groups.display"),
)
GROUP_TEXTS = ("id", "displayName", "externalId", "schemas", "members", "members.value")
USER_LISTS = ("emails", "roles", "groups")
PRESENT = {
    "/Users": (*USER_TEXTS, "name", "emails", "roles", "groups", "active", "meta", ENTERPRISE_USER),
    "/Groups": (*GROUP_TEXTS, "meta", "meta.created"),
}


@dataclass(frozen=True)
class Generated:
    """`for_oracle`: scim2-models means the same by it; `is_broken`: something was torn out or put in."""

    endpoint: str
    text: str
    for_oracle: bool
    is_broken: bool


def person(rng: random.Random, number: int) -> dict[str, Any]:
    """The attributes of a user who lacks many of them; texts are full of traps."""
    document: dict[str, Any] = {
        "externalId": text_of(rng),
        "title": text_of(rng),
        "nickName": text_of(rng),
        "displayName": text_of(rng),
        "active": rng.random() < 0.7,
        "name": {"givenName": text_of(rng), "familyName": text_of(rng)},
        "emails": [
            {
                "value": f"{rng.choice('abAB')}{rng.randrange(9)}@example.com",
                "type": rng.choice(("work", "home")),
            }
            for _ in range(rng.randint(1, 3))
        ],
        "roles": [
            {"value": text_of(rng), "type": rng.choice(("Work", "work", "x"))}
            for _ in range(rng.randint(1, 3))
        ],
        ENTERPRISE_USER: {"department": text_of(rng), "manager": {"value": text_of(rng)}},
    }
    if rng.random() < 0.5:
        document["emails"][0]["primary"] = rng.random() < 0.5
    return {"user_name": f"{text_of(rng)}{number}"} | {
        k: v for k, v in document.items() if rng.random() < 0.7
    }


def text_of(rng: random.Random) -> str:
    return "".join(rng.choices(LETTERS, k=rng.randint(1, 4)))


class FilterMaker:
    """Literals come from `values`, what the resources of all organizations hold, whole or in part."""

    def __init__(self, rng: random.Random, values: Mapping[str, Sequence[str]]) -> None:
        self._rng = rng
        self._values = values
        self._for_oracle = True

    def make(self) -> Generated:
        rng, self._for_oracle = self._rng, True
        endpoint = "/Users" if rng.random() < 0.75 else "/Groups"
        text = self._node(endpoint, depth=rng.choice((0, 0, 1, 1, 2, 3)))
        is_broken = rng.random() < 0.15
        if is_broken:
            for _ in range(rng.randint(1, 3)):
                text = self._broken(text)
        return Generated(endpoint, text, self._for_oracle and not is_broken, is_broken)

    def _broken(self, text: str) -> str:
        rng = self._rng
        first, last = sorted(rng.randint(0, len(text)) for _ in range(2))
        part = rng.choice(("", rng.choice(NOISE), text[first:last] * 2))
        return text[:first] + part + text[rng.choice((first, min(first + 1, last), last)) :]

    def _node(self, endpoint: str, depth: int) -> str:
        rng = self._rng
        if depth == 0:
            return self._term(endpoint)
        if rng.random() < 0.2:
            return f"not ({self._node(endpoint, depth - 1)})"
        nodes = [self._node(endpoint, rng.randrange(depth)) for _ in range(rng.choice((2, 2, 3)))]
        text = nodes[0] + "".join(rng.choice((" and ", " or ", " AND ")) + node for node in nodes[1:])
        return f"({text})" if rng.random() < 0.4 else text

    def _term(self, endpoint: str) -> str:
        kinds = [self._text_term, self._text_term, self._present, self._moment, self._null]
        if endpoint == "/Users":
            kinds += [self._email, self._boolean, self._bracketed, self._bracketed, self._tolerated]
        else:
            kinds.append(self._bracketed_member)
        return self._rng.choice(kinds)(endpoint)

    def _text_term(self, endpoint: str) -> str:
        name = self._rng.choice(USER_TEXTS if endpoint == "/Users" else GROUP_TEXTS)
        return self._comparison(name, self._literal(name))

    def _present(self, endpoint: str) -> str:
        name = self._rng.choice(PRESENT[endpoint])
        self._for_oracle &= name != ENTERPRISE_USER
        return f"{self._cased(name)} pr"

    def _moment(self, _endpoint: str) -> str:
        name = self._rng.choice(("meta.created", "meta.lastModified"))
        return f'{name} {self._rng.choice(ORDERINGS)} "{self._rng.choice(MOMENTS)}"'

    def _null(self, endpoint: str) -> str:
        name = self._rng.choice(
            ("title", "externalId") if endpoint == "/Users" else ("externalId", "members")
        )
        self._for_oracle &= name != "members"
        return f"{name} {self._rng.choice(('eq', 'ne'))} null"

    def _email(self, _endpoint: str) -> str:
        name = self._rng.choice(("emails", "emails.value"))
        if self._rng.random() < 0.3:
            self._for_oracle = False
            return self._comparison(name, text_of(self._rng))
        return f"{name} {self._rng.choice(ORDERINGS)} {json.dumps(self._address())}"

    def _boolean(self, _endpoint: str) -> str:
        name, literal = self._rng.choice(("active", "emails.primary")), self._rng.choice(("true", "false"))
        return f"{name} {self._rng.choice(('eq', 'ne'))} {literal}"

    def _bracketed(self, _endpoint: str) -> str:
        rng, name = self._rng, self._rng.choice(USER_LISTS)
        inside = self._inside(name)
        if rng.random() < 0.5:
            inside = f"{inside} {rng.choice(('and', 'or'))} {self._inside(name)}"
        if rng.random() < 0.2:
            inside = f"not ({inside})"
        if name != "emails" or rng.random() < 0.5:
            return f"{name}[{inside}]"
        # scim2-models has no comparison behind the brackets, which RFC 7644 lacks and Entra sends.
        self._for_oracle = False
        return f"emails[{inside}].value {rng.choice(('eq', 'ne', 'co'))} {json.dumps(self._address())}"

    def _inside(self, name: str) -> str:
        rng = self._rng
        if name == "emails" and rng.random() < 0.3:
            return rng.choice(("primary eq true", "primary ne true", "primary pr"))
        if rng.random() < 0.3:
            return self._comparison("type", rng.choice(("work", "WORK", "home", "direct", "x")), ("eq", "ne"))
        if name == "emails":
            return self._comparison("value", self._address(), ORDERINGS)
        return self._comparison("value", self._literal(f"{name}.value"))

    def _bracketed_member(self, _endpoint: str) -> str:
        inside = self._comparison("value", self._literal("members.value"))
        return f"members[{inside}]" if self._rng.random() < 0.7 else f"members[not ({inside})]"

    def _tolerated(self, _endpoint: str) -> str:
        self._for_oracle = False
        name = self._rng.choice(("department", "manager", f"{ENTERPRISE_USER}:manager"))
        return self._comparison(name, self._literal(f"{ENTERPRISE_USER}:department"))

    def _comparison(self, name: str, literal: str, operators: Sequence[str] = TEXT_OPERATORS) -> str:
        quoted = json.dumps(literal, ensure_ascii=self._rng.random() < 0.5)
        return f"{self._cased(name)} {self._cased(self._rng.choice(operators))} {quoted}"

    def _cased(self, text: str) -> str:
        """RFC 7644 section 3.4.2.2: names and operators are case-insensitive."""
        return text.upper() if self._rng.random() < 0.1 else text

    def _literal(self, name: str) -> str:
        rng = self._rng
        plain = name.removeprefix(f"{USER}:")
        known = self._values.get(plain) or self._values[f"{plain}.value"]
        value = rng.choice(known) if rng.random() < 0.8 else text_of(rng)
        if rng.random() < 0.4:
            first, last = sorted(rng.randint(0, len(value)) for _ in range(2))
            value = value[first:last]
        return value.swapcase() if rng.random() < 0.2 else value

    def _address(self) -> str:
        return self._rng.choice(self._values["emails.value"])


def held_values(resources: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """What resources hold, by the names that filters give it."""
    values: dict[str, list[str]] = {}

    def collect(path: str, value: Any) -> None:
        if isinstance(value, str):
            values.setdefault(path, []).append(value)
        for part in value if isinstance(value, list) else ():
            collect(path, part)
        for name, part in value.items() if isinstance(value, dict) else ():
            separator = ":" if path == ENTERPRISE_USER else "."
            collect(f"{path}{separator}{name}", part)

    for resource in resources:
        for name, value in resource.items():
            collect(name, value)
    return values
