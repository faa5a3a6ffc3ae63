"""What `/api/docs` shows: the OpenAPI document, taken apart into what a reader looks for.

It must not know Flask nor any endpoint; whatever it shows was read from the document.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from markdown_it import MarkdownIt
from markupsafe import Markup

from app.api.docs_examples import curl
from app.api.docs_types import bounds_of, ref_of, type_of

Object = Mapping[str, Any]

# Raw HTML in a description is text.
_MARKDOWN = MarkdownIt("commonmark", {"html": False})


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter, or a field of an object."""

    name: str
    place: str
    required: bool
    type: Markup
    bounds: Markup
    text: Markup


@dataclass(frozen=True, slots=True)
class ShownAnswer:
    status: str
    text: Markup
    type: Markup
    media_types: Sequence[str]


@dataclass(frozen=True, slots=True)
class Operation:
    id: str
    method: str
    path: str
    summary: Markup
    text: Markup
    scope: str | None
    parameters: Sequence[Field]
    body: Markup | None
    fields: Sequence[Field]
    answers: Sequence[ShownAnswer]
    curl: str


@dataclass(frozen=True, slots=True)
class Tag:
    name: str
    operations: Sequence[Operation]

    @property
    def anchor(self) -> str:
        return self.name.lower().replace(" ", "-")


@dataclass(frozen=True, slots=True)
class ShownSchema:
    name: str
    fields: Sequence[Field]


@dataclass(frozen=True)
class Page:
    document: Object
    base_url: str

    @property
    def title(self) -> str:
        return str(self.document["info"]["title"])

    @property
    def version(self) -> str:
        return str(self.document["info"]["version"])

    @property
    def text(self) -> Markup:
        return Markup(_MARKDOWN.render(self.document["info"]["description"]))  # noqa: S704 - escaped by markdown-it

    @property
    def credentials(self) -> Sequence[tuple[str, Markup]]:
        return [
            (_credential(scheme), _inline(scheme["description"]))
            for scheme in self.document["components"]["securitySchemes"].values()
        ]

    @cached_property
    def tags(self) -> Sequence[Tag]:
        """In the order of the document, each with its operations."""
        found: dict[str, list[Operation]] = {}
        for path, item in self.document["paths"].items():
            for method, operation in item.items():
                shown = self._operation(path, method.upper(), operation)
                found.setdefault(operation["tags"][0], []).append(shown)
        return [Tag(name, operations) for name, operations in found.items()]

    @property
    def schemas(self) -> Sequence[ShownSchema]:
        return [
            ShownSchema(name, list(_fields(schema)))
            for name, schema in sorted(self.document["components"]["schemas"].items())
        ]

    def _operation(self, path: str, method: str, operation: Object) -> Operation:
        body = operation.get("requestBody")
        schema = {} if body is None else body["content"]["application/json"]["schema"]
        scopes = [scope for needed in operation["security"] for held in needed.values() for scope in held]
        return Operation(
            id=operation["operationId"],
            method=method,
            path=path,
            summary=_inline(operation["summary"]),
            text=_inline(operation["description"]),
            scope=scopes[0] if scopes else None,
            parameters=[_parameter(parameter) for parameter in operation["parameters"]],
            body=None if body is None else type_of(schema),
            fields=list(_fields(self._schema(schema))),
            answers=[_answer(status, answer) for status, answer in sorted(operation["responses"].items())],
            curl=curl(self.base_url, path, method, operation),
        )

    def _schema(self, schema: Object) -> Object:
        name = ref_of(schema)
        return schema if name is None else self.document["components"]["schemas"][name]


def _inline(text: str) -> Markup:
    return Markup(_MARKDOWN.renderInline(text))  # noqa: S704 - escaped by markdown-it


def _credential(scheme: Object) -> str:
    if scheme["type"] == "http":
        return "Authorization: Bearer …"
    return f"{scheme['name']}: …" if scheme["in"] == "header" else f"Cookie: {scheme['name']}=…"


def _fields(schema: Object) -> Iterator[Field]:
    """What a request must have comes first and is marked; of an answer nothing is asked."""
    required = set() if schema.get("additionalProperties") else set(schema.get("required", ()))
    properties = schema.get("properties", {})
    for name in sorted(properties, key=lambda name: name not in required):
        yield _field(name, "", name in required, properties[name], properties[name].get("description", ""))


def _parameter(parameter: Object) -> Field:
    text = parameter.get("description", "")
    return _field(parameter["name"], parameter["in"], parameter["required"], parameter["schema"], text)


def _field(name: str, place: str, required: bool, schema: Object, text: str) -> Field:
    return Field(name, place, required, type_of(schema), bounds_of(schema), _inline(text))


def _answer(status: str, answer: Object) -> ShownAnswer:
    content = answer["content"]
    # All refusals are of one shape, which the conventions name.
    shown = content.get("application/json")
    shape = Markup() if shown is None else type_of(shown["schema"])
    return ShownAnswer(status, _inline(answer["description"]), shape, list(content))
