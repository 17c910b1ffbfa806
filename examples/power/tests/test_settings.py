"""Reading of the environment variables."""

from __future__ import annotations

import pytest
from power.settings import Settings, SettingsError, load

GIVEN = {"POWER_VERSION": "1.0.0", "POWER_ENVIRONMENT": "prod"}


def test_defaults() -> None:
    assert load(GIVEN) == Settings(version="1.0.0", environment="prod", max_exponent=1000, precision=28, port=8000)


def test_variables_win() -> None:
    settings = load({**GIVEN, "POWER_MAX_EXPONENT": "100000", "POWER_PRECISION": "1"})
    assert (settings.max_exponent, settings.precision) == (100_000, 1)


@pytest.mark.parametrize("value", ["", "0", "-1", "100001", "1.5", "many", " 5", "9" * 30, "\u0663"])
def test_bounds_numbers(value: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load({**GIVEN, "POWER_MAX_EXPONENT": value})
    assert str(caught.value) == f"POWER_MAX_EXPONENT must be a whole number from 1 to 100000, not {value!r}"


def test_tells_all_problems_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        load({"POWER_PRECISION": "101", "POWER_ENVIRONMENT": " "})
    assert str(caught.value) == (
        "POWER_VERSION is not set; POWER_ENVIRONMENT is not set; POWER_PRECISION must be a whole number from 1 to 100, not '101'"
    )
