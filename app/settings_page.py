"""The page docs/settings.md, written from the settings class: `make docs`."""

from dataclasses import fields
from pathlib import Path

from app.settings import Settings

PAGE = Path(__file__).parent.parent / "docs" / "settings.md"


def render() -> str:
    """The whole page as Markdown."""
    rows = [
        f"| `USHER_{item.name.upper()}` | {f'`{item.default}`' if item.default != '' else '-'} "
        f"| {item.metadata['help']} |"
        for item in fields(Settings)
    ]
    return "\n".join(
        [
            "# Settings",
            "",
            "Environment variables; written by `make docs` from `app/settings.py`.",
            "",
            "| Variable | Default | What it does |",
            "| --- | --- | --- |",
            *rows,
            "",
        ]
    )


if __name__ == "__main__":
    PAGE.write_text(render())
