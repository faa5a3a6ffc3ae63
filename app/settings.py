"""All settings, read once from the environment into one frozen object.

`docs/settings.md` is generated from this class. An unknown `USHER_*` name, a bad value or a missing
secret stops the start with one line that says what to do.
"""

import difflib
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import marshmallow
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

ENVIRONMENTS = ("development", "production")
LOG_LEVELS = ("debug", "info", "warning", "error")
MIN_SECRET_KEY_LENGTH = 32
MAX_SCIM_TRACE_DAYS = 3_650
_COUNTS = (
    "scim_per_second",
    "scim_burst",
    "api_per_second",
    "signin_per_minute",
    "scim_trace_days",
    "workers",
)
_FIELDS = {bool: marshmallow.fields.Boolean, int: marshmallow.fields.Integer, str: marshmallow.fields.String}
SECRET_KEY_FILE = Path("var/secret_key")


class SettingsError(Exception):
    """The start is refused; the message says which variable and how to mend it."""


def _setting(default: Any, help_: str) -> Any:
    return field(default=default, metadata={"help": help_})


@dataclass(frozen=True, slots=True)
class Settings:
    database_url: str = _setting(
        "sqlite:///var/usher.db", "Where the data lives: `sqlite:///…` or `postgresql+psycopg://…`."
    )
    owner_database_url: str = _setting(
        "",
        "PostgreSQL only: the role that owns the tables and runs migrations, when the server itself "
        "shall connect as a role that owns nothing (recommended). Empty: `USHER_DATABASE_URL`.",
    )
    base_url: str = _setting("http://127.0.0.1:8000", "The public root of every URL that Usher prints.")
    secret_key: str = _setting(
        "",
        f"Seals the keys and secrets that are stored, and signs cursors; {MIN_SECRET_KEY_LENGTH} characters "
        "or more. Without it nobody can read what it sealed, so keep it with the backups. In "
        f"development it is made on the first start and kept in `{SECRET_KEY_FILE}`; production demands it.",
    )
    env: str = _setting("development", "`development` or `production`; production refuses unsafe values.")
    scim_per_second: int = _setting(50, "SCIM requests a second that one organization may make.")
    scim_burst: int = _setting(200, "SCIM requests that may come at once before the rate counts.")
    api_per_second: int = _setting(50, "API requests a second for one key (twice that at once).")
    signin_per_minute: int = _setting(
        60, "Sign-ins that one network address may begin in a minute; one e-mail address may begin a sixth."
    )
    proxies: int = _setting(
        0,
        "How many reverse proxies stand in front, each of which adds to `X-Forwarded-For`. A client's "
        "address is the one that the outermost of them saw; with 0 the header counts for nothing.",
    )
    scim_trace_days: int = _setting(
        30, f"How long the trace of a SCIM request is kept, in days, at most {MAX_SCIM_TRACE_DAYS:,}."
    )
    workers: int = _setting(1, "Server processes; set by `usher serve --workers`. SQLite serves with 1.")
    worker: bool = _setting(True, "Run the worker inside the server; off by `usher serve --no-worker`.")
    log_level: str = _setting("info", "`debug`, `info`, `warning` or `error`.")

    @property
    def is_production(self) -> bool:
        return self.env == "production"

    @property
    def migration_url(self) -> str:
        return self.owner_database_url or self.database_url

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], *, root: Path = Path()) -> "Settings":
        """Read and check; raises `SettingsError`. Reads no file but the development secret."""
        known = {f"USHER_{item.name.upper()}": item for item in fields(cls)}
        for name in environment:
            if name.startswith("USHER_") and name not in known:
                close = difflib.get_close_matches(name, known, n=1)
                hint = f" Did you mean {close[0]}?" if close else " See docs/settings.md."
                raise SettingsError(f"{name} is not a setting of Usher.{hint}")
        values = {
            item.name: _parse(name, environment[name], type(item.default))
            for name, item in known.items()
            if environment.get(name)
        }
        settings = cls(**values)
        settings._refuse_impossible()
        if settings.is_production:
            settings._refuse_unsafe()
        elif not settings.secret_key:
            return cls(**{**values, "secret_key": _development_secret(root / SECRET_KEY_FILE)})
        return settings

    def _refuse_impossible(self) -> None:
        if self.env not in ENVIRONMENTS:
            raise SettingsError(f"USHER_ENV must be one of {', '.join(ENVIRONMENTS)}.")
        if self.secret_key and len(self.secret_key) < MIN_SECRET_KEY_LENGTH:
            raise SettingsError(f"USHER_SECRET_KEY needs {MIN_SECRET_KEY_LENGTH} characters or more.")
        for name, url in (("DATABASE_URL", self.database_url), ("OWNER_DATABASE_URL", self.migration_url)):
            _check_database_url(f"USHER_{name}", url)
        if not _is_root(self.base_url):
            raise SettingsError("USHER_BASE_URL must read like https://usher.example.com, without a slash.")
        if self.log_level.lower() not in LOG_LEVELS:
            raise SettingsError(f"USHER_LOG_LEVEL must be one of {', '.join(LOG_LEVELS)}.")
        for name in _COUNTS:
            if getattr(self, name) < 1:
                raise SettingsError(f"USHER_{name.upper()} must be 1 or more.")
        if self.proxies < 0:
            raise SettingsError("USHER_PROXIES must be 0 or more.")
        if self.scim_trace_days > MAX_SCIM_TRACE_DAYS:
            raise SettingsError(f"USHER_SCIM_TRACE_DAYS must be {MAX_SCIM_TRACE_DAYS} or less.")

    def _refuse_unsafe(self) -> None:
        if not self.secret_key:
            raise SettingsError("USHER_SECRET_KEY is missing: production makes none up by itself.")
        if urlsplit(self.base_url).scheme != "https":
            raise SettingsError("USHER_BASE_URL must begin with https:// in production.")


def _parse(name: str, text: str, type_: type) -> Any:
    reader: marshmallow.fields.Field[Any] = _FIELDS[type_]()
    try:
        return reader.deserialize(text)
    except marshmallow.ValidationError as error:
        raise SettingsError(f"{name} is {text!r}: {error.messages[0]}") from error


def _is_root(url: str) -> bool:
    """Whether a path can be put behind the URL: it ends in a host, a port or a path."""
    try:
        parts = urlsplit(url)
        is_right_port = parts.port != 0
    except ValueError:
        return False
    is_plain = url.isascii() and not re.search(r"[\s?#@]", url) and not url.endswith("/")
    return parts.scheme in ("http", "https") and bool(parts.hostname) and is_right_port and is_plain


def _check_database_url(name: str, url: str) -> None:
    try:
        driver = make_url(url).drivername
    except ArgumentError:
        driver = ""
    if driver not in ("sqlite", "postgresql+psycopg"):
        raise SettingsError(f"{name} must begin with sqlite:/// or postgresql+psycopg://.")


def _development_secret(path: Path) -> str:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(48))
    return path.read_text().strip()
