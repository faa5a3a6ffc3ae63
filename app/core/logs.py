"""Structured logs, one JSON line each, without secrets."""

import logging
import sys
from collections.abc import MutableMapping
from functools import lru_cache
from typing import Any

import structlog

_SECRET_KEYS = ("token", "secret", "password", "authorization", "api_key", "cookie")
MASK = "***"


def configure(level: str) -> None:
    """Send structlog to standard output; called once by each process."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            mask_secrets,
            structlog.processors.format_exc_info,
            # Control characters leave as JSON escapes, so a value cannot forge a second line.
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stdout),
        cache_logger_on_first_use=True,
    )


def mask_secrets(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace the value of every key that names a secret, whoever logged it."""
    for key in event:
        if is_secret(key):
            event[key] = MASK
    return event


@lru_cache(maxsize=1_000)
def is_secret(key: str) -> bool:
    """Whether this is the name of something that nobody may read."""
    return any(secret in key.lower() for secret in _SECRET_KEYS)
