"""Plays a script against a service, judges each answer, and leaves nobody behind.

Everything that it creates bears the run's name, so cleaning up finds also what an answer that never
arrived had created.
"""

from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote

from app.core.errors import UnavailableError
from app.selftest.http import Answer, Service
from app.selftest.steps import SCIM_JSON, Check, Result, Step, filled

OK, CREATED, NO_CONTENT, UNAUTHORIZED, NOT_FOUND = 200, 201, 204, 401, 404
# Groups first, so that deleting a user need not touch them.
_NAMED = (("/Groups", "displayName"), ("/Users", "userName"))
_LONGEST_QUOTE = 300


class Player:
    """`run` is the word that every name of this run begins with."""

    def __init__(self, service: Service, token: str, run: str, guid: str) -> None:
        self._service = service
        self._names = {"token": token, "run": run, "guid": guid}
        self._last: Any = None

    def greet(self) -> None:
        """Refuse early when nobody answers, or somebody who does not know the token."""
        answer = self._send("GET", "/ServiceProviderConfig")
        if answer.status == UNAUTHORIZED:
            raise UnavailableError(
                f"{self._service.url} does not know a token that was just made here. Do USHER_DATABASE_URL "
                "and the address belong to the same service?"
            )

    def play(self, steps: Iterable[Step]) -> Iterator[Result]:
        """One result after the other; raises `UnavailableError` when the service goes away."""
        for step in steps:
            yield self._played(step)

    def clean_up(self) -> list[str]:
        """Delete all that bears the run's name; answers the paths that resisted."""
        left = []
        for endpoint, attribute in _NAMED:
            condition = quote(filled(f'{attribute} sw "{{run}}"', self._names))
            found = self._send("GET", f"{endpoint}?filter={condition}&attributes=id")
            if found.status != OK:
                left.append(endpoint)
                continue
            for entry in found.body["Resources"]:
                path = f"{endpoint}/{entry['id']}"
                if self._send("DELETE", path).status not in (NO_CONTENT, NOT_FOUND):
                    left.append(path)
        return left

    def _played(self, step: Step) -> Result:
        path = filled(step.path, self._names)
        body = filled(step.body, self._names)
        if step.echoes and isinstance(self._last, dict):
            body = {**self._last, **body}
        answer = self._service.request(
            step.method,
            path,
            body,
            authorization=filled(step.authorization, self._names),
            content_type=step.content_type,
        )
        self._last = answer.body
        if step.keeps is not None and isinstance(answer.body, dict) and "id" in answer.body:
            self._names[step.keeps] = str(answer.body["id"])
        return Result(
            title=step.title,
            method=step.method,
            path=path,
            status=answer.status,
            milliseconds=answer.milliseconds,
            expected=_expected(step),
            received=self._complaint(step, answer),
        )

    def _complaint(self, step: Step, answer: Answer) -> str | None:
        if answer.status not in step.status:
            return _excerpt(answer)
        # A 204 has no body to look at; the steps that follow read what it did.
        if answer.status == NO_CONTENT:
            return None if answer.body is None else _excerpt(answer)
        missing = [check.wanted for check in step.checks if not self._holds(check, answer.body)]
        return f"without {'; '.join(missing)}: {_excerpt(answer)}" if missing else None

    def _holds(self, check: Check, body: Any) -> bool:
        try:
            return check.holds(body, self._names)
        except (KeyError, TypeError, AttributeError):
            # The body has not even the shape that the check reads.
            return False

    def _send(self, method: str, path: str) -> Answer:
        authorization = filled("Bearer {token}", self._names)
        return self._service.request(method, path, None, authorization=authorization, content_type=SCIM_JSON)


def _expected(step: Step) -> str:
    statuses = " or ".join(str(status) for status in step.status)
    return ", ".join([statuses, *(check.wanted for check in step.checks)])


def _excerpt(answer: Answer) -> str:
    text = f"{answer.status} {answer.body if answer.body is not None else '(no body)'}"
    return text if len(text) <= _LONGEST_QUOTE else f"{text[:_LONGEST_QUOTE]}…"
