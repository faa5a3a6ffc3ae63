"""`python -m bench.oauth`: what a question about a token costs, alone and beside 1,000 applications' 10,000.

In this process and on both databases, so it measures the walk and the statement and no server. Each question
is one statement; what it costs beside the others must be near what it costs alone.
"""

import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import click
from sqlalchemy import insert

from app import create_app, schema
from app.core.ids import Uuid7Factory
from app.core.tenancy import lookups
from app.core.tokens import SystemRandomness, hash_token, new_token
from app.oauth.applications import LOOKUP, SECRET, client_id_of
from app.oauth.models import access_tokens, applications
from app.oauth.redemption import TOKEN_KIND, TOKEN_LOOKUP
from app.settings import Settings
from bench.databases import open_databases
from tests.support.application import Application
from tests.support.cast import Organization, create_organization, in_organization

APPLICATIONS, TOKENS = 1_000, 10_000
TIMES = 2_000
IDS, RANDOMNESS = Uuid7Factory(), SystemRandomness()


@dataclass(frozen=True, slots=True)
class Person:
    id: str
    epoch: int


@contextmanager
def opened(kind: str) -> Iterator[tuple[Organization, Callable[[], None]]]:
    folder = Path(tempfile.mkdtemp(prefix="usher-bench-"))
    try:
        with open_databases(kind, folder) as databases:
            variables = {**databases.create("usher").environment(8000), "USHER_LOG_LEVEL": "error"}
            settings = Settings.from_environment(variables)
            schema.upgrade(settings)
            app = create_app(settings)
            yield create_organization(app), lambda: databases.settle("usher")
            app.extensions["usher"].database.dispose()
    finally:
        shutil.rmtree(folder)


def load(
    organization: Organization, person: Person, count: int, tokens: int
) -> list[tuple[Application, str]]:
    """Applications, and tokens for them in turn, each token in a session of its own."""
    known = [(IDS.new(), new_token(SECRET, RANDOMNESS)) for _ in range(count)]
    given = [
        (known[number % count], new_token(TOKEN_KIND, RANDOMNESS), IDS.new()) for number in range(tokens)
    ]
    with in_organization(organization.app, organization.id) as services:
        uow = services.uow
        uow.execute_many(insert(applications), [_application(*each, uow.now) for each in known])
        uow.execute_many(
            insert(access_tokens),
            [_token(application[0], token, id_, person, uow.now) for application, token, id_ in given],
        )
        found = [(LOOKUP, client_id_of(id_), id_) for id_, _ in known]
        found += [(TOKEN_LOOKUP, token, id_) for _, token, id_ in given]
        uow.execute_many(
            insert(lookups),
            [{"kind": kind, "key_hash": hash_token(key), "object_id": id_} for kind, key, id_ in found],
        )
        services.commit()
    return [
        (Application(organization, client_id_of(id_), secret, "https://tool.example/cb"), token)
        for (id_, secret), token, _ in given
    ]


def _application(id_: str, secret: str, now: datetime) -> dict[str, Any]:
    return {
        "id": id_,
        "name": "Tool",
        "confidential": True,
        "redirect_uris": ["https://tool.example/cb"],
        "post_logout_redirect_uris": [],
        "scopes": ["openid"],
        "secret_hash": hash_token(secret),
        "created_at": now,
    }


def _token(application_id: str, token: str, id_: str, person: Person, now: datetime) -> dict[str, Any]:
    return {
        "id": id_,
        "application_id": application_id,
        "code_id": IDS.new(),
        "token_hash": hash_token(token),
        "session_id": IDS.new(),
        "user_id": person.id,
        "epoch": person.epoch,
        "scopes": ["openid"],
        "authenticated_at": now,
        "created_at": now,
        "expires_at": now + timedelta(minutes=10),
    }


def seated(organization: Organization) -> Person:
    user_id = organization.scim.create_user()
    organization.map_group(organization.scim.create_group(members=[user_id]))
    # A token of the rights as they are says by its own answer what the epoch is.
    for epoch in range(1, 20):
        ((application, token),) = load(organization, Person(user_id, epoch), 1, 1)
        if application.introspect(token)["active"]:
            return Person(user_id, epoch)
    raise LookupError("The person has no seat.")


def measure(pairs: Sequence[tuple[Application, str]]) -> list[float]:
    """Milliseconds of each question, in order of size."""
    spent = []
    for number in range(TIMES):
        application, token = pairs[number * 7 % len(pairs)]
        started = time.perf_counter()
        answer = application.introspect(token)
        spent.append((time.perf_counter() - started) * 1000)
        if not answer["active"]:
            raise LookupError("A good token was refused.")
    return sorted(spent)


@click.command()
@click.option("--database", "kinds", multiple=True, default=("sqlite", "postgresql"))
def main(kinds: Sequence[str]) -> None:
    """Print median and p99 of introspection, alone and beside the others."""
    for kind in kinds:
        with opened(kind) as (organization, settle):
            person = seated(organization)
            alone = measure(load(organization, person, 1, 1))
            pairs = load(organization, person, APPLICATIONS, TOKENS)
            settle()
            beside = measure(pairs)
        for name, spent in (("alone", alone), (f"{APPLICATIONS:,} applications, {TOKENS:,} tokens", beside)):
            click.echo(
                f"{kind:10} {name:34} p50 {statistics.median(spent):5.2f} ms"
                f"  p99 {spent[-TIMES // 100]:5.2f} ms"
            )


if __name__ == "__main__":
    main()
