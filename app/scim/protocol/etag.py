"""Weak entity tags made of a version number (RFC 7644 section 3.14, RFC 9110 section 8.8.3)."""

import re

from app.scim.protocol.tolerances import Tolerances
from app.scim.protocol.tolerated_requests import unquoted_version

_TAG = re.compile(r'(?:W/)?"([^"]*)"')


def weak(version: int) -> str:
    return f'W/"{version}"'


def matches(header: str, version: int, tolerances: Tolerances) -> bool:
    """Compare an If-Match or If-None-Match header weakly: `*` and lists are allowed."""
    if header.strip() == "*":
        return True
    tags = _TAG.findall(header)
    if not tags and tolerances.accept(unquoted_version, header):
        tags = [tag.strip() for tag in header.split(",")]
    return str(version) in tags
