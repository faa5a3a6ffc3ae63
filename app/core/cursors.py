"""Where a list goes on, signed so that it can be neither read into nor made up."""

from typing import Any

from itsdangerous import BadData, URLSafeSerializer

from app.core.errors import BadRequestError


class InvalidCursorError(BadRequestError):
    code = "invalid_cursor"


class Cursors:
    """A cursor is good for the organization and the list (with its filters) that it was given for."""

    def __init__(self, secret_key: str) -> None:
        self._serializer = URLSafeSerializer(secret_key, salt="usher-cursor")

    def sign(self, *, org_id: str, listing: str, after: Any) -> str:
        return str(self._serializer.dumps([org_id, listing, after]))

    def read(self, cursor: str, *, org_id: str, listing: str) -> Any:
        try:
            owner, name, after = self._serializer.loads(cursor)
        except (BadData, ValueError):
            owner, name, after = None, None, None
        if (owner, name) != (org_id, listing):
            raise InvalidCursorError("The cursor is not of this list; start again without one.")
        return after
