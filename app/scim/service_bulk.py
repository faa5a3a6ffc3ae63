"""Runs the operations of a bulk request (RFC 7644 section 3.7) through the services of single requests.

All of it is one transaction, so what is answered is either committed whole or, after a lost race,
repeated whole. Each operation has a savepoint of its own and fails alone, with the events it raised
and what they caused. Must not know how users and groups are stored.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from app.core.errors import ConcurrentUpdateError, UsherError
from app.core.urls import PublicUrls
from app.scim.protocol import bulk
from app.scim.protocol.bulk import Operation, Result
from app.scim.protocol.bulk_references import reference_of, resolve, resolve_id
from app.scim.protocol.constants import MEMBERS
from app.scim.protocol.projection import Projection
from app.scim.protocol.registry import Registry
from app.scim.protocol.tolerances import Tolerances
from app.scim.service_groups import GroupResources
from app.scim.service_users import UserResources

Savepoint = Callable[[], AbstractContextManager[None]]
# The ids of what was created, by bulkId.
Ids = dict[str, str]


class BulkService:
    """`savepoint` opens one and lets the events inside take effect before it closes."""

    def __init__(
        self,
        savepoint: Savepoint,
        users: UserResources,
        groups: GroupResources,
        registry: Registry,
        urls: PublicUrls,
    ) -> None:
        self._savepoint = savepoint
        self._resources: dict[str, UserResources | GroupResources] = {
            registry.user.endpoint: users,
            registry.group.endpoint: groups,
        }
        # Resources are not sent back, so the members of a group are not read back either.
        self._projections = {
            registry.user.endpoint: Projection.parse(registry.user, None, None, Tolerances()),
            registry.group.endpoint: Projection.parse(registry.group, None, MEMBERS, Tolerances()),
        }
        self._base_url = urls.scim_base_url

    def run(self, body: Any) -> dict[str, Any]:
        """The BulkResponse: every operation that was processed, in the order of the request.

        Raises `ScimError` and `PayloadTooLargeError` for a request that is unclear or too long as a
        whole, and lets `ConcurrentUpdateError` and database errors out, for the request to be repeated.
        """
        request = bulk.parse_request(body, self._resources.keys())
        ids: Ids = {}
        results: dict[int, Result] = {}
        errors = 0
        for places in bulk.execution_order(request.operations):
            done = self._attempt([request.operations[place] for place in places], ids)
            results.update(zip(places, done, strict=True))
            errors += sum(result.error is not None for result in done)
            # Section 3.7: what was done before stays, what was not reached is not answered.
            if request.fail_on_errors is not None and errors >= max(request.fail_on_errors, 1):
                break
        return bulk.response(results[place] for place in sorted(results))

    def _attempt(self, circle: Sequence[Operation], ids: Ids) -> list[Result]:
        """Run one operation, or several POSTs that refer to each other and so stand or fall together."""
        created = {operation.bulk_id for operation in circle if operation.method == "POST"}
        current = circle[0]
        try:
            for current in circle:
                bulk.check(current, ids, created)
            with self._savepoint():
                results: list[Result] = []
                incomplete: list[int] = []
                for place, current in enumerate(circle):
                    if not current.references <= ids.keys():
                        incomplete.append(place)
                    results.append(self._perform(current, ids))
                for place in incomplete:
                    current = circle[place]
                    results[place] = self._complete(results[place], ids)
        except ConcurrentUpdateError:
            raise
        except UsherError as error:
            for operation in circle:
                ids.pop(operation.bulk_id, None)
            return [
                self._failed(
                    operation, error if operation is current else bulk.unresolved(current.bulk_id), ids
                )
                for operation in circle
            ]
        return results

    def _perform(self, operation: Operation, ids: Ids) -> Result:
        if operation.method == "POST":
            resources, projection = self._resources[operation.endpoint], self._projections[operation.endpoint]
            answer = resources.create(resolve(operation.data, ids), projection)
            ids[operation.bulk_id] = answer.id
            return Result(operation, HTTPStatus.CREATED, answer.location, answer.version)
        id_ = resolve_id(operation.id, ids)
        status, version = self._change(operation, id_, resolve(operation.data, ids))
        return Result(operation, status, self._location(operation, id_), version)

    def _change(self, operation: Operation, id_: str, data: Any) -> tuple[int, int | None]:
        """The status and the version afterwards, as the route of a single request has them."""
        resources, projection = self._resources[operation.endpoint], self._projections[operation.endpoint]
        if operation.method == "DELETE":
            resources.delete(id_, operation.version)
            return HTTPStatus.NO_CONTENT, None
        if operation.method == "PUT":
            return HTTPStatus.OK, resources.replace(id_, data, operation.version, projection).version
        if isinstance(resources, GroupResources):
            return HTTPStatus.NO_CONTENT, resources.patch(id_, data, operation.version)
        return HTTPStatus.OK, resources.patch(id_, data, operation.version, projection).version

    def _complete(self, result: Result, ids: Ids) -> Result:
        """What was created without a reference of its circle is replaced by all that was sent."""
        operation = result.operation
        resources, projection = self._resources[operation.endpoint], self._projections[operation.endpoint]
        answer = resources.replace(ids[operation.bulk_id], resolve(operation.data, ids), None, projection)
        return replace(result, version=answer.version)

    def _failed(self, operation: Operation, error: UsherError, ids: Ids) -> Result:
        """Section 3.7.3: a location stands in every result but that of a failed POST."""
        reference = reference_of(operation.id)
        is_known = operation.id and (reference is None or reference in ids)
        location = self._location(operation, resolve_id(operation.id, ids)) if is_known else ""
        return Result(operation, error.status, location, error=error)

    def _location(self, operation: Operation, id_: str) -> str:
        return f"{self._base_url}{operation.endpoint}/{quote(id_)}"
