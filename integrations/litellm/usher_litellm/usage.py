"""Tokens: what a request can need at most, and what an answer used, each token in one class. Pure."""

import json
from collections.abc import Mapping
from typing import Any

# Nobody has counted the prompt yet. Text of Claude's tokenizer has three bytes and more for a token.
BYTES_PER_TOKEN = 2
# An image costs by its size on the screen, not by its bytes; none costs more than this.
TOKENS_PER_IMAGE = 5_000
_PROMPT = ("messages", "system", "tools", "input", "instructions", "prompt", "contents", "systemInstruction")
_OUTPUT_BOUNDS = ("max_tokens", "max_completion_tokens", "max_output_tokens")


def estimate(data: Mapping[str, Any], default_output_tokens: int) -> dict[str, int]:
    """An upper bound of both sides of the request that LiteLLM is about to send."""
    images = [0]
    prompt = {name: _without_images(data[name], images) for name in _PROMPT if data.get(name)}
    size = len(json.dumps(prompt, ensure_ascii=False, default=str).encode())
    bounds = [data[name] for name in _OUTPUT_BOUNDS if _is_count(data.get(name))]
    choices = data["n"] if _is_count(data.get("n")) else 1
    return {
        "input_tokens": -(-size // BYTES_PER_TOKEN) + images[0] * TOKENS_PER_IMAGE,
        "output_tokens": max(bounds, default=default_output_tokens) * max(1, choices),
    }


def used(response: object) -> dict[str, int] | None:
    """Usher's five classes from an answer in LiteLLM's, Anthropic's or OpenAI's shape; null without usage.

    LiteLLM counts what was read from and written to a cache into `prompt_tokens`, Anthropic does not count
    it into `input_tokens`. What was written for an hour is a part of all that was written.
    """
    usage = _get(response, "usage")
    if usage is None:
        return None
    details = _get(usage, "prompt_tokens_details") or _get(usage, "input_tokens_details")
    read = _first(usage, "cache_read_input_tokens") or _first(details, "cached_tokens")
    by_life = _get(usage, "cache_creation") or _get(details, "cache_creation_token_details")
    for_5m = _first(by_life, "ephemeral_5m_input_tokens")
    for_1h = _first(by_life, "ephemeral_1h_input_tokens")
    written = max(
        _first(usage, "cache_creation_input_tokens")
        or _first(details, "cache_creation_tokens", "cache_write_tokens"),
        for_5m + for_1h,
    )
    for_1h = min(for_1h, written)
    return {
        "input_tokens": _uncached(usage, details, read + written),
        "output_tokens": _first(usage, "completion_tokens", "output_tokens"),
        "cache_read_input_tokens": read,
        "cache_creation_5m_input_tokens": written - for_1h,
        "cache_creation_1h_input_tokens": for_1h,
    }


def _uncached(usage: object, details: object, cached: int) -> int:
    prompt = _get(usage, "prompt_tokens")
    if not _is_count(prompt):
        prompt = _first(usage, "input_tokens")
        if details is None:
            return int(prompt)
    # A total that is smaller than its part is no total.
    return int(prompt - cached if prompt >= cached else prompt)


def _without_images(value: Any, images: list[int]) -> Any:
    """The same without the bytes of images, which are counted apart."""
    if isinstance(value, list):
        return [_without_images(item, images) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get("type") in ("image", "image_url", "input_image"):
        images[0] += 1
        return None
    return {name: _without_images(item, images) for name, item in value.items()}


def _first(source: object, *names: str) -> int:
    """The first of these counts that is there and above 0, or else 0."""
    values = (_get(source, name) for name in names)
    return next((int(value) for value in values if _is_count(value) and value > 0), 0)


def _get(source: object, name: str) -> Any:
    return source.get(name) if isinstance(source, Mapping) else getattr(source, name, None)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
