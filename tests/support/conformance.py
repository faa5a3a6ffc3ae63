"""The page docs/scim-conformance.md, written from the rows and the tests that name them: `make docs`.

Tests are read and not run, so it needs nothing but Python.
"""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from tests.support import public_tools
from tests.support.scim_rows import SECTIONS, Row

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "scim-conformance.md"
HEAD = """# SCIM conformance

What connectors send and what the RFCs demand, and the tests that prove each. Written by `make docs` from the
tests' marker `scim`; a test fails when a row has no test.
"""


def proofs() -> dict[str, list[tuple[str, str]]]:
    """The tests that prove each row, as (file, name), in the order of files."""
    found: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for name, row_id in _marks(ast.parse(path.read_text())):
            found[row_id].append((path.relative_to(ROOT).as_posix(), name))
    return found


def render() -> str:
    """The whole page as Markdown."""
    found = proofs()
    parts = [HEAD, public_tools.render()]
    for title, rows in SECTIONS.items():
        lines = [f"## {title}\n", "| Row | What holds | Proved by |", "| --- | --- | --- |"]
        lines += [f"| {_name(row)} | {row.title} | {_tests(row, found)} |" for row in rows]
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def _marks(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            for decorator in node.decorator_list:
                if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "pytest.mark.scim":
                    yield from ((node.name, ast.literal_eval(argument)) for argument in decorator.args)


def _name(row: Row) -> str:
    number = row.id.removeprefix("rfc/")
    return f"{number}. {row.source}" if row.source else row.id


def _tests(row: Row, found: dict[str, list[tuple[str, str]]]) -> str:
    links = [f"[{name.removeprefix('test_').replace('_', ' ')}](../{path})" for path, name in found[row.id]]
    return "<br>".join(links)


if __name__ == "__main__":
    PAGE.write_text(render())
