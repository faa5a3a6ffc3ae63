"""Filter text to nodes (RFC 7644 section 3.4.2.2). Knows the registry, not SQL and not documents.

scim2-filter-parser serves as grammar only. Its tree groups `a or b and c` from the left and its SQL
skips unknown names; both are mended here: `and` binds before `or`, every name is resolved, every
literal gets the type of its attribute, and whatever is wrong is 400 invalidFilter.
"""

from collections.abc import Sequence
from typing import Any

from scim2_filter_parser import ast
from scim2_filter_parser.parser import SCIMParser, SCIMParserError

from app.scim.protocol.attribute_path import AttributePath, resolve
from app.scim.protocol.errors import InvalidFilterError, InvalidPathError, excerpt
from app.scim.protocol.filter_lexer import tokenize
from app.scim.protocol.filter_literals import typed_literal
from app.scim.protocol.nodes import And, Compare, Node, Not, Or, Present, ValuePath
from app.scim.protocol.registry import Attribute, ResourceType
from app.scim.protocol.tolerances import Tolerances
from app.scim.protocol.tolerated_requests import object_as_its_value

# What the library raises for broken input besides its own error (scim2-filter-parser 0.7.0, sly 0.5).
_GRAMMAR_ERRORS = (SCIMParserError, LookupError, ValueError, TypeError, AttributeError, RecursionError)


def parse_filter(
    resource_type: ResourceType, text: str, tolerances: Tolerances, beside: Sequence[ResourceType] = ()
) -> Node:
    """Parse and resolve a filter; raises `InvalidFilterError` for whatever cannot be answered exactly.

    `beside` are the other types that the same filter searches, see `resolve`.
    """
    return _Builder(resource_type, tolerances, beside).node(_grammar(text))


def parse_value_path(
    resource_type: ResourceType, text: str, tolerances: Tolerances
) -> tuple[AttributePath, Node, Attribute | None]:
    """Parse `emails[type eq "work"].value` into attribute, filter and sub-attribute."""
    # A path alone is no filter; with "pr" behind it, it is one.
    tree = _grammar(f"{text} pr")
    expression = tree.expr
    if not isinstance(expression, ast.AttrExpr) or not isinstance(expression.attr_path.attr_name, ast.Filter):
        raise InvalidFilterError(f'{excerpt(text)} is not a path such as emails[type eq "work"].value.')
    return _Builder(resource_type, tolerances).bracketed(expression.attr_path.attr_name)


def _grammar(text: str) -> Any:
    tokens = tokenize(text)
    try:
        tree = SCIMParser().parse(iter(tokens))
    except _GRAMMAR_ERRORS:
        tree = None
    if tree is None:
        raise InvalidFilterError(
            f'The filter {excerpt(text)} cannot be read. Write it like userName eq "anna" and active eq true.'
        )
    return tree


class _Builder:
    """Walks the library's tree once; `scope` is the attribute whose brackets the walk is in."""

    def __init__(
        self,
        resource_type: ResourceType,
        tolerances: Tolerances,
        beside: Sequence[ResourceType] = (),
        scope: Attribute | None = None,
    ) -> None:
        self._resource_type = resource_type
        self._tolerances = tolerances
        self._beside = beside
        self._scope = scope

    def node(self, tree: Any) -> Node:
        node = self._unsigned(tree.expr)
        return Not(node) if tree.negated else node

    def _unsigned(self, expression: Any) -> Node:
        if isinstance(expression, ast.LogExpr):
            return self._regrouped(expression)
        if isinstance(expression, ast.AttrExpr):
            return self._term(expression)
        if expression.namespace is None:
            return self.node(expression)
        path, node, _ = self.bracketed(expression)
        return ValuePath(path, node)

    def _regrouped(self, expression: Any) -> Node:
        """RFC 7644 section 3.4.2.2: `and` takes precedence over `or`."""
        operands, operators = _flattened(expression)
        groups: list[list[Node]] = [[self.node(operands[0])]]
        for operator, operand in zip(operators, operands[1:], strict=True):
            if operator == "or":
                groups.append([])
            groups[-1].append(self.node(operand))
        alternatives = tuple(group[0] if len(group) == 1 else And(tuple(group)) for group in groups)
        return alternatives[0] if len(alternatives) == 1 else Or(alternatives)

    def bracketed(self, tree: Any) -> tuple[AttributePath, Node, Attribute | None]:
        """Resolve `emails[…]`; all terms inside hold for one and the same value."""
        name, sub = tree.namespace.attr_name, tree.namespace.sub_attr
        if self._scope is not None or isinstance(name, ast.Filter):
            raise InvalidFilterError("Square brackets cannot stand inside or behind square brackets.")
        path = self._resolve(name)
        if not (path.leaf.multi_valued and path.leaf.is_complex):
            raise InvalidFilterError(
                f"{path} takes no square brackets, because it does not hold a list of objects. "
                "Write its sub-attributes with a dot, such as name.givenName."
            )
        inner = _Builder(self._resource_type, self._tolerances, self._beside, path.leaf)
        sub_attribute = None if sub is None else inner._resolve(sub.value).leaf
        return path, inner.node(tree.expr), sub_attribute

    def _term(self, expression: Any) -> Node:
        name = expression.attr_path.attr_name
        if isinstance(name, ast.Filter):
            # `emails[type eq "work"].value eq "x"`: the comparison holds for the same value too.
            path, node, sub_attribute = self.bracketed(name)
            inner = _Builder(self._resource_type, self._tolerances, self._beside, path.leaf)
            if sub_attribute is None and expression.value == "pr":
                return ValuePath(path, node)
            sub_name = "value" if sub_attribute is None else sub_attribute.name
            return ValuePath(path, And((node, inner._single(inner._resolve(sub_name), expression))))
        path = self._resolve(name)
        if path.attribute.multi_valued and (path.sub_attribute or expression.value != "pr"):
            return self._any_value(path, expression)
        return self._single(path, expression)

    def _any_value(self, path: AttributePath, expression: Any) -> Node:
        """A multi-valued attribute matches when any value does; `ne` and `eq null` when none does."""
        inverse = _inverse(expression)
        if inverse is not None:
            return Not(self._any_value(path, inverse))
        if not path.attribute.is_complex:
            return self._single(path, expression)
        # RFC 7644 section 3.4.2.2: without a sub-attribute the default is `value`.
        inner = _Builder(self._resource_type, self._tolerances, self._beside, path.attribute)
        name = "value" if path.sub_attribute is None else path.sub_attribute.name
        return ValuePath(
            AttributePath(path.extension, path.attribute), inner._single(inner._resolve(name), expression)
        )

    def _single(self, path: AttributePath, expression: Any) -> Node:
        operator = expression.value
        if operator == "pr":
            return Present(path)
        if path.leaf.is_complex:
            path = _default_value(path, self._tolerances)
        literal = expression.comp_value.value
        if literal is None:
            return _compare_with_null(path, operator)
        return Compare(path, operator, typed_literal(path, operator, literal, self._tolerances), literal)

    def _resolve(self, name: str) -> AttributePath:
        if self._scope is not None:
            attribute = self._scope.sub(name)
            if attribute is None:
                raise InvalidFilterError(f"{excerpt(name)} is not a sub-attribute of {self._scope.name}.")
            return AttributePath(None, attribute)
        try:
            path = resolve(self._resource_type, name, self._tolerances, self._beside)
        except InvalidPathError as error:
            raise InvalidFilterError(error.detail) from None
        # RFC 7643 section 2.2, RFC 7644 section 7.5.2: filters must not reveal what is never returned.
        if path.leaf.is_never_returned:
            raise InvalidFilterError(f"{path} cannot be filtered by, because it is never returned.")
        return path


def _flattened(expression: Any) -> tuple[list[Any], list[str]]:
    """List the operands and operators of one run without brackets, left to right."""
    operands: list[Any] = []
    operators: list[str] = []
    pending: list[Any] = [expression.expr2, expression.op, expression.expr1]
    while pending:
        item = pending.pop()
        if isinstance(item, str):
            operators.append(item)
        elif isinstance(item.expr, ast.LogExpr) and not item.negated:
            # A bracketed group arrives as a Filter in a Filter, so this run had no brackets.
            pending += [item.expr.expr2, item.expr.op, item.expr.expr1]
        else:
            operands.append(item)
    return operands, operators


def _inverse(expression: Any) -> Any | None:
    """Turn `ne x` into `eq x` and `eq null` into `pr`, for use under a negation."""
    is_null = expression.value != "pr" and expression.comp_value.value is None
    if expression.value == "eq" and is_null:
        return ast.AttrExpr("pr", expression.attr_path, None)
    if expression.value == "ne" and not is_null:
        return ast.AttrExpr("eq", expression.attr_path, expression.comp_value)
    return None


def _default_value(path: AttributePath, tolerances: Tolerances) -> AttributePath:
    value = None if path.sub_attribute else path.attribute.sub("value")
    comparable = value is not None and not path.is_whole_extension
    if not comparable or not tolerances.accept(object_as_its_value, path.attribute):
        raise InvalidFilterError(
            f"{path} is an object and cannot be compared. "
            "Name one of its sub-attributes, such as name.givenName."
        )
    return AttributePath(path.extension, path.attribute, value)


def _compare_with_null(path: AttributePath, operator: str) -> Node:
    """RFC 7643 section 2.5: null and absent are the same."""
    if operator == "eq":
        return Not(Present(path))
    if operator == "ne":
        return Present(path)
    raise InvalidFilterError(f"{path} {operator} null has no meaning. Use eq, ne or pr.")
