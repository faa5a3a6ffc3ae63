"""Who works at Acme, in which group, with which role and limits, and what they used. Pure: the same
arguments give the same company, so that loading it again changes nothing.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

DAYS = 30
DOMAIN = "acme.example"
WORKDAYS_A_WEEK = 5
# The pool is smaller than the company, so that somebody waits.
SEATS_OF_A_HUNDRED = 95

_GIVEN = (
    *("Ada", "Bao", "Chidi", "Dana", "Elif", "Farid", "Grace", "Hana", "Ivo", "Jun"),
    *("Kofi", "Lena", "Mira", "Noor", "Omar"),
)
_FAMILY = ("Adeyemi", "Berg", "Costa", "Dubois", "Eriksen", "Fischer", "Garcia", "Haddad", "Ito", "Jansen")
_REPOSITORIES = ("acme/web", "acme/api", "acme/data", "acme/mobile", "acme/infra")
_OPUS, _SONNET, _HAIKU = "claude-opus-4-6", "claude-sonnet-4-6", "claude-haiku-4-5"


@dataclass(frozen=True, slots=True)
class Group:
    """`percent` of the company, the role that the group gets, and how much its people do."""

    name: str
    percent: int
    role: str
    sessions_a_day: int


GROUPS = (
    Group("Engineering", 40, "Engineer", 4),
    Group("Data", 14, "Analyst", 3),
    Group("Product", 12, "Standard", 2),
    Group("Design", 10, "Standard", 1),
    Group("Sales", 14, "Standard", 1),
    Group("Finance", 10, "Finance", 1),
)

ROLES: Sequence[dict[str, Any]] = (
    {
        "name": "Engineer",
        "surfaces": ["code", "chat", "cowork"],
        "permissions": ["connectors.install", "plugins.install"],
        "spend_limits": [
            {"window": "daily", "amount_usd": "60"},
            {"window": "monthly", "amount_usd": "600"},
        ],
    },
    {
        "name": "Analyst",
        "surfaces": ["code", "chat", "cowork"],
        "models": [_SONNET, _HAIKU],
        "spend_limits": [{"window": "monthly", "amount_usd": "200"}],
    },
    {
        "name": "Standard",
        "surfaces": ["chat", "cowork"],
        "models": [_SONNET, _HAIKU],
        "spend_limits": [{"window": "monthly", "amount_usd": "60"}],
    },
    {
        "name": "Finance",
        "surfaces": ["chat", "cowork"],
        "models": [_SONNET, _HAIKU],
        "permissions": ["admin.billing.view", "admin.analytics.view"],
        "spend_limits": [{"window": "monthly", "amount_usd": "60"}],
    },
)
_MODELS = {"Engineer": (_OPUS, _SONNET, _HAIKU), "Analyst": (_SONNET, _HAIKU)}


@dataclass(frozen=True, slots=True)
class Person:
    number: int
    group: Group

    @property
    def name(self) -> str:
        return f"{_GIVEN[self.number % len(_GIVEN)]} {_FAMILY[self.number // len(_GIVEN) % len(_FAMILY)]}"

    @property
    def user_name(self) -> str:
        """Counted on where a company has more people than there are names."""
        again = self.number // (len(_GIVEN) * len(_FAMILY))
        return f"{self.name.lower().replace(' ', '.')}{again or ''}@{DOMAIN}"

    @property
    def scim(self) -> dict[str, Any]:
        given, family = self.name.split(" ")
        return {
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
            "userName": self.user_name,
            "externalId": f"demo-{self.number}",
            "displayName": self.name,
            "name": {"givenName": given, "familyName": family},
            "emails": [{"value": self.user_name, "type": "work", "primary": True}],
            "active": True,
        }


def people(count: int) -> list[Person]:
    """Everybody, in the order of their groups; the first group takes what rounding leaves over."""
    sizes = [count * group.percent // 100 for group in GROUPS]
    sizes[0] += count - sum(sizes)
    of_each = [group for group, size in zip(GROUPS, sizes, strict=True) for _ in range(size)]
    return [Person(number, group) for number, group in enumerate(of_each)]


def seats(count: int) -> int:
    return -(-count * SEATS_OF_A_HUNDRED // 100)


def usage(everybody: Sequence[Person], today: date) -> Iterator[dict[str, Any]]:
    """Events of the last `DAYS` whole days; what a day holds does not hang on the day it is asked for."""
    for days_ago in range(DAYS, 0, -1):
        day = today - timedelta(days=days_ago)
        for person in everybody:
            yield from _of_day(person, day)


def _of_day(person: Person, day: date) -> Iterator[dict[str, Any]]:
    chance = random.Random(f"{day} {person.user_name}")  # noqa: S311 - an invented company, not a secret
    if day.weekday() >= WORKDAYS_A_WEEK and chance.random() < 0.9:  # noqa: PLR2004 - few work at weekends
        return
    for number in range(chance.randint(0, person.group.sessions_a_day)):
        yield _session(person, day, number, chance)


def _session(person: Person, day: date, number: int, chance: random.Random) -> dict[str, Any]:
    """A session's tokens as one event: most of what goes in is read from the cache again and again."""
    role = person.group.role
    surface = "code" if role in _MODELS and chance.random() < 0.8 else "chat"  # noqa: PLR2004 - most
    moment = datetime.combine(day, time(8), UTC) + timedelta(minutes=chance.randrange(600))
    turns = chance.randint(4, 30) if surface == "code" else chance.randint(1, 8)
    return {
        "id": f"demo-{day}-{person.number}-{number}",
        "user": {"user_name": person.user_name},
        "surface": surface,
        "model": chance.choice(_MODELS.get(role, (_SONNET, _HAIKU))),
        "repository": chance.choice(_REPOSITORIES) if surface == "code" else None,
        "feature": chance.choice(("chat", "review", "tests", "docs")) if surface == "code" else None,
        "session_id": f"demo-{day}-{person.number}-{number}",
        "occurred_at": moment.isoformat(),
        "usage": {
            "input_tokens": turns * chance.randint(50, 600),
            "output_tokens": turns * chance.randint(200, 1_200),
            "cache_read_input_tokens": turns * chance.randint(5_000, 40_000),
            "cache_creation_5m_input_tokens": turns * chance.randint(500, 3_000),
        },
    }
