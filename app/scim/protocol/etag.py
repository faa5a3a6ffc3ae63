"""Weak entity tags made of a version number (RFC 7644 section 3.14, RFC 9110 section 8.8.3)."""

import re

_TAG = re.compile(r'(?:W/)?"([^"]*)"')


def weak(version: int) -> str:
    return f'W/"{version}"'


def matches(header: str, version: int) -> bool:
    """Compare an If-Match or If-None-Match header weakly: `*` and lists are allowed.

    Azure gateways and hand-written clients drop the quotes, so a bare number counts as well.
    """
    if header.strip() == "*":
        return True
    tags = _TAG.findall(header) if '"' in header else [tag.strip() for tag in header.split(",")]
    return str(version) in tags
