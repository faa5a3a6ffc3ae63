"""Who is told why a sign-in was refused, and how much of the refused is remembered."""

from app.core.rate_limit import RateLimiter

# Traces of messages that nobody has proved to come from the IdP, for each connection and process.
UNPROVED_PER_SECOND, UNPROVED_AT_ONCE = 0.1, 1_000


class UnprovedTraces(RateLimiter):
    """Anybody can post rubbish to an ACS; its traces must not fill the disk."""


class Disclosure:
    """`is_development` is the server's; in production only a connection in test mode says its reasons."""

    def __init__(self, *, is_development: bool) -> None:
        self._is_development = is_development

    def header(self, mode: str, reason: str) -> str | None:
        """The reason code for the browser, or null."""
        return reason if self._is_development or mode == "test" else None
