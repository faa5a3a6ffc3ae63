"""All settings of the adapter, read from the environment.

Their names do not begin with `USHER_`, so that Usher may run under the same environment.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation

PREFIX = "LITELLM_USHER_"
SURFACES = ("code", "chat", "cowork")


class SettingsError(Exception):
    """The gateway must not start; the sentence says which variable and how to mend it."""


@dataclass(frozen=True)
class FailOpen:
    """How much may be spent while Usher cannot be asked: by each person, for so long, `call_usd` a call."""

    usd: Decimal
    minutes: Decimal
    call_usd: Decimal


@dataclass(frozen=True)
class Settings:
    url: str
    key: str
    surface: str = "code"
    # LiteLLM's model names to those of Usher's price book, where they differ.
    models: Mapping[str, str] = field(default_factory=dict)
    # Of a call that names no bound itself.
    output_tokens: int = 32_000
    timeout_seconds: float = 5.0
    # Absent: without an answer there is no call.
    fail_open: FailOpen | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        def read(name: str, default: str | None = None) -> str:
            value = environment.get(PREFIX + name) or default
            if value is None:
                raise SettingsError(f"{PREFIX + name} is missing.")
            return value

        surface = read("SURFACE", cls.surface)
        if surface not in SURFACES:
            raise SettingsError(f"{PREFIX}SURFACE must be one of {', '.join(SURFACES)}.")
        return cls(
            url=read("URL").rstrip("/"),
            key=read("KEY"),
            surface=surface,
            models=_models(read("MODELS", "{}")),
            output_tokens=int(_number(environment, "OUTPUT_TOKENS", str(cls.output_tokens))),
            timeout_seconds=float(_number(environment, "TIMEOUT_SECONDS", str(cls.timeout_seconds))),
            fail_open=_fail_open(environment),
        )


def _fail_open(environment: Mapping[str, str]) -> FailOpen | None:
    """Open only with both bounds; one alone is a mistake that must not pass for the other's absence."""
    given = [name for name in ("FAIL_OPEN_USD", "FAIL_OPEN_MINUTES") if environment.get(PREFIX + name)]
    if not given:
        return None
    if len(given) == 1:
        raise SettingsError(f"{PREFIX}FAIL_OPEN_USD and {PREFIX}FAIL_OPEN_MINUTES belong together.")
    usd, minutes = (_number(environment, name, "") for name in given)
    return FailOpen(usd, minutes, _number(environment, "FAIL_OPEN_CALL_USD", "3"))


def _number(environment: Mapping[str, str], name: str, default: str) -> Decimal:
    text = environment.get(PREFIX + name) or default
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal(0)
    if not number.is_finite() or number <= 0:
        raise SettingsError(f"{PREFIX + name} is {text!r}; give a number above 0.")
    return number


def _models(text: str) -> Mapping[str, str]:
    try:
        models = json.loads(text)
    except ValueError:
        models = None
    if not isinstance(models, dict) or not all(isinstance(name, str) for name in models.values()):
        raise SettingsError(f'{PREFIX}MODELS must be JSON like {{"smart": "claude-opus-4-6"}}.')
    return models
