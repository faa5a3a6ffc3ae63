"""A Terraform module, parsed; and what is wrong with it in the light of the provider's arguments."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hcl2

from tests.okta.provider import BOOLEAN, META_ARGUMENTS, NUMBER, RESOURCES, STRING, STRINGS, Kind

_PARSING = hcl2.SerializationOptions(with_comments=False)
_EXPRESSION = re.compile(r"^\$\{(.*)\}$", re.DOTALL)
_REFERENCE = re.compile(r"\b(?:var|each|group|okta_\w+)(?:\.\w+)+")


def literal(value: Any) -> Any:
    """A parsed value as it is meant; texts lose their quotes, expressions stay as they are."""
    if isinstance(value, str) and value.startswith('"'):
        return value[1:-1].replace("$${", "${")
    if isinstance(value, list):
        return [literal(one) for one in value]
    return value


@dataclass(frozen=True)
class Module:
    """`resources` by type, as (name, body); the rest by name."""

    resources: dict[str, dict[str, Any]]
    variables: dict[str, dict[str, Any]]
    outputs: dict[str, dict[str, Any]]
    terraform: dict[str, Any]

    @classmethod
    def parse(cls, texts: list[str]) -> "Module":
        parts = [hcl2.loads(text, serialization_options=_PARSING) for text in texts]
        found: dict[str, list[Any]] = {"resource": [], "variable": [], "output": [], "terraform": []}
        for part in parts:
            for name, blocks in part.items():
                found[name] += blocks
        resources: dict[str, dict[str, Any]] = {}
        for block in found["resource"]:
            for kind, named in block.items():
                resources.setdefault(literal(kind), {}).update(
                    {literal(name): body for name, body in named.items()}
                )
        (terraform,) = found["terraform"]
        return cls(resources, _named(found["variable"]), _named(found["output"]), terraform)

    @classmethod
    def read(cls, folder: Path) -> "Module":
        return cls.parse([path.read_text() for path in sorted(folder.glob("*.tf"))])

    def complaints(self) -> Iterator[str]:
        """What Terraform would refuse, a sentence for each."""
        for kind, named in self.resources.items():
            if kind not in RESOURCES:
                yield f"there is no resource {kind}"
                continue
            for name, body in named.items():
                yield from self._in_block(f"{kind}.{name}", body, RESOURCES[kind], META_ARGUMENTS)
        used = set(_references([self.resources, self.outputs]))
        yield from (f"{reference} does not exist" for reference in used if not self._resolves(reference))
        mentioned = {reference.split(".")[1] for reference in used if reference.startswith("var.")}
        yield from (f"the variable {name} is unused" for name in self.variables.keys() - mentioned)

    def _in_block(
        self, where: str, body: dict[str, Any], kind: Kind, words: frozenset[str] = frozenset()
    ) -> Iterator[str]:
        given = dict(_opened(body))
        for name, value in given.items():
            inner = kind.blocks.get(name)
            if inner is not None:
                for block in value:
                    yield from self._in_block(f"{where}.{name}", block, inner)
            elif name in kind.arguments:
                wanted, found = kind.arguments[name], self._type_of(value)
                if found not in (wanted, None):
                    yield f"{where}.{name} is a {wanted}, not a {found}"
            elif name not in words:
                yield f"{where} has no argument {name}"
        yield from (f"{where} needs {name}" for name in kind.required - given.keys())

    def _type_of(self, value: Any) -> str | None:
        """The type of a literal or of a variable; null of another expression."""
        if isinstance(value, bool):
            return BOOLEAN
        if isinstance(value, int):
            return NUMBER
        if isinstance(value, list):
            return STRINGS
        expression = _EXPRESSION.match(value)
        if expression is None:
            return STRING
        name = expression[1].removeprefix("var.")
        return self._declared_type(name) if name in self.variables else None

    def _declared_type(self, name: str) -> str:
        return str(self.variables[name]["type"]).removeprefix("${").removesuffix("}")

    def _resolves(self, reference: str) -> bool:
        match reference.split("."):
            case ["var", name]:
                return name in self.variables
            case ["each" | "group", "value"]:
                return True
            case [kind, name, attribute]:
                known = RESOURCES.get(kind)
                has = known is not None and attribute in known.reads | known.arguments.keys()
                return has and name in self.resources.get(kind, {})
        return False


def _named(blocks: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {literal(name): body for block in blocks for name, body in block.items()}


def _opened(body: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """What a block sets, a dynamic block as what it makes."""
    for name, value in body.items():
        if name == "dynamic":
            for dynamic in value:
                for made, inner in dynamic.items():
                    yield literal(made), inner["content"]
        elif name != "__is_block__":
            yield name, value


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for one in value.values():
            yield from _references(one)
    elif isinstance(value, list):
        for one in value:
            yield from _references(one)
    elif isinstance(value, str):
        for expression in re.findall(r"(?<!\$)\$\{([^}]*)\}", value):
            yield from _REFERENCE.findall(expression)
