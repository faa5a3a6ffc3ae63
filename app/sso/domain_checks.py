"""Looks at what proves control of domains: on a click, and on the schedule by the worker.

That is a record in DNS, or a document that the domain's own web server serves. No transaction is open while
others are asked.
"""

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from sqlalchemy import bindparam, select

from app.core.connection import Row
from app.core.errors import TooManyRequestsError
from app.core.guarded_fetch import FetchRefusedError, GuardedFetch
from app.core.tenancy import ORG_ID
from app.core.unit_of_work import UnitOfWork
from app.sso.domain_names import WILDCARD, challenge_name
from app.sso.domain_states import Look
from app.sso.domains import DomainService
from app.sso.models import domains
from app.sso.txt_records import TxtResolver

CLICK_EVERY = timedelta(seconds=10)
# So many at most are looked at together.
STEP = 8

_DUE = (
    select(domains.c.id, domains.c.name, domains.c.token, domains.c.due_at)
    .where(domains.c.org_id == ORG_ID, domains.c.due_at <= bindparam("moment"))
    .order_by(domains.c.due_at)
    .limit(STEP)
)
_STILL_DUE = _DUE.with_for_update()


def challenge_value(token: str) -> str:
    return f"usher-domain-verification={token}"


def challenge_url(claim: str) -> str | None:
    """Where the value may stand instead: a place (RFC 8615) that only whoever runs the site can write to.

    Nowhere for a wildcard: who runs one site does not control the names below it.
    """
    if claim.startswith(WILDCARD):
        return None
    return f"https://{claim}/.well-known/usher-domain-verification.txt"


class DomainChecks:
    def __init__(
        self, uow: UnitOfWork, service: DomainService, resolver: TxtResolver, fetch: GuardedFetch
    ) -> None:
        self._uow = uow
        self._service = service
        self._resolver = resolver
        self._fetch = fetch

    def check(self, domain_id: str) -> Row:
        """Look now; raises `TooManyRequestsError` within `CLICK_EVERY` of the last look."""
        uow = self._uow
        domain = self._service.get(domain_id)
        if domain.checked_at is not None and uow.now < domain.checked_at + CLICK_EVERY:
            wait = math.ceil((domain.checked_at + CLICK_EVERY - uow.now).total_seconds())
            raise TooManyRequestsError(
                "The record was looked at a moment ago; DNS needs some time.", retry_after_seconds=wait
            )
        uow.pause()
        return self._service.apply(domain_id, *self._look(domain))

    def has_due(self) -> bool:
        due = self._uow.execute(_DUE, {"moment": self._uow.now}).first() is not None
        return due or self._service.has_moved_by_others()

    def run_due(self) -> bool:
        """Look at what is due; answers whether there may be more."""
        uow = self._uow
        due = uow.execute(_DUE, {"moment": uow.now}).all()
        uow.pause()
        looks = dict(zip(((row.id, row.due_at) for row in due), self._looks(due), strict=True))
        for row in uow.execute(_STILL_DUE, {"moment": uow.now}).all():
            # Another worker or a click may have been faster, and then this look is an old one.
            if (row.id, row.due_at) in looks:
                self._service.apply(row.id, *looks[row.id, row.due_at])
        self._service.follow_others()
        return len(due) == STEP

    def _looks(self, due: Sequence[Row]) -> list[tuple[Look, str]]:
        if not due:
            return []
        with ThreadPoolExecutor(max_workers=len(due)) as pool:
            return list(pool.map(self._look, due))

    def _look(self, domain: Row) -> tuple[Look, str]:
        """What was seen, and where: the document counts when the record does not."""
        seen = self._look_at_record(domain)
        if seen is not Look.PRESENT and self._is_served(domain):
            return Look.PRESENT, "https"
        return seen, "dns"

    def _is_served(self, domain: Row) -> bool:
        url = challenge_url(domain.name)
        if url is None:
            return False
        try:
            document = self._fetch.read(url, max_redirects=0)
        except FetchRefusedError:
            return False
        return document.strip() == challenge_value(domain.token).encode()

    def _look_at_record(self, domain: Row) -> Look:
        answer = self._resolver.look(challenge_name(domain.name))
        wanted = challenge_value(domain.token)
        if answer.seen is not None and wanted in answer.seen:
            return Look.PRESENT
        if answer.published is not None and wanted in answer.published:
            return Look.PUBLISHED
        return Look.UNKNOWN if answer.seen is None else Look.ABSENT
