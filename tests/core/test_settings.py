"""Settings refuse what cannot work, with one line that says what to do."""

from pathlib import Path

import pytest

from app.settings import Settings, SettingsError

KEY = "k" * 32
PRODUCTION = {
    "USHER_ENV": "production",
    "USHER_SECRET_KEY": KEY,
    "USHER_BASE_URL": "https://usher.example.com",
}


def test_development_makes_and_keeps_a_secret(tmp_path: Path) -> None:
    first = Settings.from_environment({}, root=tmp_path)
    second = Settings.from_environment({}, root=tmp_path)
    assert first.secret_key == second.secret_key
    assert len(first.secret_key) >= 32


def test_production_starts_with_safe_values() -> None:
    assert Settings.from_environment(PRODUCTION).is_production


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"USHER_DATABSE_URL": "x"}, "USHER_DATABASE_URL"),
        ({"USHER_WORKERS": "two"}, "USHER_WORKERS"),
        ({"USHER_WORKERS": "0"}, "USHER_WORKERS"),
        ({"USHER_ENV": "staging"}, "USHER_ENV"),
        ({"USHER_DATABASE_URL": "mysql://x"}, "USHER_DATABASE_URL"),
        ({"USHER_BASE_URL": "usher.example.com"}, "USHER_BASE_URL"),
        ({"USHER_BASE_URL": "https://usher.example.com/"}, "USHER_BASE_URL"),
        ({"USHER_BASE_URL": "https://[::1"}, "USHER_BASE_URL"),
        ({"USHER_BASE_URL": "https://usher.example.com:99999"}, "USHER_BASE_URL"),
        ({"USHER_BASE_URL": "https://usher.example.com?tenant=1"}, "USHER_BASE_URL"),
        ({"USHER_BASE_URL": "https://me:secret@usher.example.com"}, "USHER_BASE_URL"),
        ({"USHER_BASE_URL": "https://usher example.com"}, "USHER_BASE_URL"),
        ({"USHER_LOG_LEVEL": "loud"}, "USHER_LOG_LEVEL"),
        ({"USHER_SECRET_KEY": "short"}, "USHER_SECRET_KEY"),
        ({"USHER_SECRET_KEY": ""}, "USHER_SECRET_KEY"),
        ({"USHER_BASE_URL": "http://usher.example.com"}, "USHER_BASE_URL"),
    ],
)
def test_what_cannot_work_or_is_unsafe_stops_the_start(changes: dict[str, str], named: str) -> None:
    with pytest.raises(SettingsError, match=named):
        Settings.from_environment({**PRODUCTION, **changes})


def test_other_environment_variables_are_none_of_its_business() -> None:
    assert Settings.from_environment({**PRODUCTION, "PATH": "/bin"}).is_production
