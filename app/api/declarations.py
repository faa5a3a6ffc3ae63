"""What a REST route says of itself. Serving it and describing it in OpenAPI read the same words.

It must not know Flask: `routes_endpoint.py` serves what is declared here, `openapi.py` describes it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from marshmallow import Schema

View = Callable[..., Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One method of one path.

    `path` is relative to `/api/v1`; each of its parameters (`<user_id>`) is an id of the type that
    `PATH_IDS` names. A missing `scope` means that no key is needed.
    """

    tag: str
    method: str
    path: str
    view: View
    scope: str | None
    answer: Schema
    status: int
    body: Schema | None
    # A body that would be understood, for whoever reads the description.
    example: Mapping[str, Any] | None
    query: Schema | None
    # Request headers beside the usual ones, with what they are for.
    headers: Mapping[str, str]
    # A second form in which a list can be asked for, see `tables.py`.
    other_media_type: str | None
    # Whether it may change anything; what only reads stands in no line and is asked again freely.
    writes: bool
    # What a 202 answers, where the work may go on after the answer.
    accepted: Schema | None
    # Refusals beside the usual ones: status and why.
    refusals: Mapping[str, str]

    @property
    def name(self) -> str:
        return str(self.view.__name__)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that needs headers of its own; `value` is what the answer's schema dumps."""

    value: object
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Accepted:
    """A 202: the work goes on; `value` is what the endpoint's `accepted` schema dumps."""

    value: object


@dataclass(frozen=True, slots=True)
class Shown:
    """An answer in its final form, for the one route where dumping it costs too much.

    The endpoint's answer still describes it; a test holds both to each other.
    """

    value: Mapping[str, Any]


@dataclass(slots=True)
class Endpoints:
    """The routes of one resource, collected by decoration."""

    tag: str
    declared: list[Endpoint] = field(default_factory=list)

    def endpoint(
        self,
        method: str,
        path: str,
        *,
        scope: str | None,
        answer: Schema,
        status: int = 200,
        body: Schema | None = None,
        example: Mapping[str, Any] | None = None,
        query: Schema | None = None,
        headers: Mapping[str, str] | None = None,
        other_media_type: str | None = None,
        writes: bool | None = None,
        accepted: Schema | None = None,
        refusals: Mapping[str, str] | None = None,
    ) -> Callable[[View], View]:
        """Declare a view. It is called with the bare ids of its path and, where a schema is given,
        with `body` and `query` as loaded; what it returns is dumped by `answer`. Only a GET does not
        write, unless `writes` says otherwise.
        """

        def declare(view: View) -> View:
            self.declared.append(
                Endpoint(
                    tag=self.tag,
                    method=method,
                    path=path,
                    view=view,
                    scope=scope,
                    answer=answer,
                    status=status,
                    body=body,
                    example=example,
                    query=query,
                    headers=headers or {},
                    other_media_type=other_media_type,
                    writes=method != "GET" if writes is None else writes,
                    accepted=accepted,
                    refusals=refusals or {},
                )
            )
            return view

        return declare
