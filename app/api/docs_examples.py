"""A request that would be understood, for whoever wants to try an operation."""

import json
import shlex
from collections.abc import Mapping
from typing import Any

Object = Mapping[str, Any]


def curl(base_url: str, path: str, method: str, operation: Object) -> str:
    """The command line of one operation; the key is taken from the environment."""
    examples = {
        parameter["name"]: _value(parameter["schema"])
        for parameter in operation["parameters"]
        if parameter["required"]
    }
    placed = {parameter["name"]: parameter["in"] for parameter in operation["parameters"]}
    query = "&".join(f"{name}={value}" for name, value in examples.items() if placed[name] == "query")
    for name, value in examples.items():
        path = path.replace(f"{{{name}}}", str(value))
    parts = [f"curl {shlex.quote(base_url + path + (f'?{query}' if query else ''))}"]
    if method != "GET":
        parts.append(f"--request {method}")
    if operation["security"]:
        parts.append('--header "Authorization: Bearer $USHER_KEY"')
    parts += [
        f"--header {shlex.quote(f'{name}: {value}')}"
        for name, value in examples.items()
        if placed[name] == "header"
    ]
    if "requestBody" in operation:
        example = operation["requestBody"]["content"]["application/json"]["example"]
        parts.append("--json " + shlex.quote(json.dumps(example, ensure_ascii=False)))
    return " \\\n  ".join(parts)


def _value(schema: Object) -> Any:
    return schema.get("example", "…")
