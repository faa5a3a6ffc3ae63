"""Bulk messages (RFC 7644 section 3.7): what is asked, in which order it runs, how it is answered.

Pure. An operation that a single request would refuse is refused alone and carries its `fault`; what
is no BulkRequest at all is refused whole. Must not know how an operation is run.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.core.errors import ConflictError, NotFoundError, PayloadTooLargeError, UsherError
from app.scim.protocol.bulk_references import PREFIX, in_dependency_order, reference_of, references_in
from app.scim.protocol.constants import (
    BULK_REQUEST,
    BULK_RESPONSE,
    MAX_BULK_OPERATIONS,
    MAX_STRING_LENGTH,
)
from app.scim.protocol.errors import InvalidSyntaxError, InvalidValueError, UnsupportedError, excerpt
from app.scim.protocol.etag import weak
from app.scim.protocol.folding import is_absent
from app.scim.protocol.messages import names_schema, refusal

METHODS = ("POST", "PUT", "PATCH", "DELETE")
# Addresses that exist in SCIM and are no targets of an operation.
_UNSUPPORTED = ("Me", "Bulk")


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation; absent texts are empty, and with a `fault` there are only `method` and `bulk_id`.

    `references` are the bulkIds that `data` and `id` name, without their prefix.
    """

    method: str
    bulk_id: str
    endpoint: str = ""
    id: str = ""
    version: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    references: frozenset[str] = frozenset()
    fault: UsherError | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """`fail_on_errors` is `None` when every operation shall be tried."""

    operations: tuple[Operation, ...]
    fail_on_errors: int | None


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one operation; `status` is that of a single request."""

    operation: Operation
    status: int
    location: str = ""
    version: int | None = None
    error: UsherError | None = None

    def body(self) -> dict[str, Any]:
        """RFC 7644 section 3.7.3: the status is text; a refusal carries its whole Error body."""
        body = {
            "method": self.operation.method,
            "bulkId": self.operation.bulk_id,
            "version": None if self.version is None else weak(self.version),
            "location": self.location,
            "status": str(self.status),
            "response": None if self.error is None else refusal(self.error),
        }
        return {name: value for name, value in body.items() if value}


def response(results: Iterable[Result]) -> dict[str, Any]:
    return {"schemas": [BULK_RESPONSE], "Operations": [result.body() for result in results]}


def parse_request(body: Any, endpoints: Collection[str]) -> Request:
    """Read a BulkRequest; `endpoints` are the resource endpoints that operations may name.

    Raises `PayloadTooLargeError` above `MAX_BULK_OPERATIONS` (section 3.7.4) and `ScimError` for what
    makes the request as a whole unclear.
    """
    if not isinstance(body, dict):
        raise InvalidSyntaxError(f"A bulk request must be a JSON object, not {excerpt(body)}.")
    fields = {key.lower(): value for key, value in body.items()}
    schemas = fields.get("schemas")
    if not is_absent(schemas) and not names_schema(schemas, BULK_REQUEST):
        raise InvalidSyntaxError(f'The schemas of a bulk request must contain "{BULK_REQUEST}".')
    raw = fields.get("operations")
    if not isinstance(raw, list) or not raw:
        raise InvalidSyntaxError('A bulk request needs "Operations": a list of at least one operation.')
    if len(raw) > MAX_BULK_OPERATIONS:
        raise PayloadTooLargeError(
            f"The bulk request has {len(raw)} operations, more than maxOperations ({MAX_BULK_OPERATIONS}). "
            "Split it."
        )
    operations = tuple(_operation(item, number, endpoints) for number, item in enumerate(raw, start=1))
    _refuse_duplicates(operations)
    return Request(operations, _fail_on_errors(fields.get("failonerrors")))


def execution_order(operations: Sequence[Operation]) -> Iterator[tuple[int, ...]]:
    """Places of operations in the order to run them; those in one tuple refer to each other in a circle.

    The order is the client's, but a POST comes before whatever refers to its bulkId (section 3.7.2).
    """
    created = {operation.bulk_id: place for place, operation in enumerate(operations) if _creates(operation)}
    return in_dependency_order(
        [
            sorted(created[reference] for reference in operation.references if reference in created)
            for operation in operations
        ]
    )


def check(operation: Operation, *known: Collection[str]) -> None:
    """Raise the operation's fault, or `ConflictError` for a bulkId that is in none of the `known`."""
    if operation.fault is not None:
        raise operation.fault
    for reference in sorted(operation.references):
        if not any(reference in names for names in known):
            raise unresolved(reference)


def unresolved(reference: str) -> ConflictError:
    """RFC 7644 section 3.7.1 answers 409 to a reference that cannot be resolved."""
    return ConflictError(
        f"{PREFIX}{excerpt(reference)} names no resource: no POST of this request with that bulkId "
        "succeeded.",
        code="unresolved_bulk_id",
    )


def _creates(operation: Operation) -> bool:
    return operation.method == "POST" and operation.fault is None


def _operation(raw: Any, number: int, endpoints: Collection[str]) -> Operation:
    fields = {key.lower(): value for key, value in raw.items()} if isinstance(raw, dict) else {}
    method: Any = fields.get("method")
    bulk_id: Any = fields.get("bulkid") or ""
    if isinstance(method, str):
        method = method.upper()
    try:
        if not isinstance(raw, dict):
            raise InvalidSyntaxError(f"Operation {number} must be an object, not {excerpt(raw)}.")
        _check_names(method, bulk_id, number)
        endpoint, id_ = _target(method, fields.get("path"), number, endpoints)
        version = _version(fields.get("version"), number)
        data = {} if method == "DELETE" else _data(fields.get("data"), number)
    except UsherError as fault:
        return Operation(_echo(method), _echo(bulk_id), fault=fault)
    return Operation(method, bulk_id, endpoint, id_, version, data, frozenset(references_in([id_, data])))


def _version(value: Any, number: int) -> str | None:
    if is_absent(value):
        return None
    if not isinstance(value, str):
        raise InvalidValueError(
            f"The version of operation {number} must be an ETag as text, not {excerpt(value)}."
        )
    return value


def _data(value: Any, number: int) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise InvalidSyntaxError(
            f'Operation {number} needs "data": the JSON object that a single request would send, '
            f"not {excerpt(value)}."
        )
    return value


def _check_names(method: Any, bulk_id: Any, number: int) -> None:
    if method not in METHODS:
        raise InvalidValueError(
            f"Operation {number} has the method {excerpt(method)}; use {', '.join(METHODS)}."
        )
    if not bulk_id and method == "POST":
        raise InvalidValueError(
            f"Operation {number} is a POST without a bulkId. Give it one that is unique in the request."
        )
    if not isinstance(bulk_id, str) or len(bulk_id) > MAX_STRING_LENGTH:
        raise InvalidValueError(
            f"The bulkId of operation {number} must be text of at most {MAX_STRING_LENGTH} characters."
        )


def _target(method: str, path: Any, number: int, endpoints: Collection[str]) -> tuple[str, str]:
    """The endpoint and the id of `/Users/<id>`; a POST names the endpoint alone."""
    if not isinstance(path, str) or not 0 < len(path) <= MAX_STRING_LENGTH:
        raise InvalidValueError(
            f"Operation {number} needs a path such as /Users or /Users/<id>, not {excerpt(path)}."
        )
    name, slash, id_ = path.removeprefix("/").partition("/")
    if name in _UNSUPPORTED:
        raise UnsupportedError(f"Operation {number} has the path {excerpt(path)}, which bulk cannot run.")
    is_one = bool(id_) and ("/" not in id_ or reference_of(id_) is not None)
    if f"/{name}" not in endpoints or (slash and not is_one):
        raise NotFoundError(f"Operation {number} has the path {excerpt(path)}, which is not an address here.")
    if (method == "POST") == is_one:
        wanted = f"/{name}, without an id" if is_one else f"/{name}/<id>"
        raise InvalidValueError(
            f"Operation {number} has the path {excerpt(path)}; a {method} needs {wanted}."
        )
    return f"/{name}", id_


def _echo(value: Any) -> str:
    """What a refused operation is told apart by."""
    return value[:MAX_STRING_LENGTH] if isinstance(value, str) else ""


def _refuse_duplicates(operations: Sequence[Operation]) -> None:
    """RFC 7644 section 3.7: unique in a request; a reference could mean either, so nothing is run."""
    seen: dict[str, int] = {}
    for number, operation in enumerate(operations, start=1):
        if not operation.bulk_id:
            continue
        first = seen.setdefault(operation.bulk_id, number)
        if first != number:
            raise InvalidValueError(
                f"The bulkId {excerpt(operation.bulk_id)} stands on operations {first} and {number}; "
                "each must be unique in the request. Nothing was done."
            )


def _fail_on_errors(value: Any) -> int | None:
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise InvalidValueError(f"failOnErrors must be a whole number from 0, not {excerpt(value)}.")
    return value
