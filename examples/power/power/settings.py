"""The settings of one environment, read from environment variables."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Mapping


class SettingsError(Exception):
    """The environment variables cannot be used; the text names every wrong one."""


@dataclass(frozen=True)
class Settings:
    """`precision` counts significant digits; `max_exponent` bounds exponents of either sign."""

    version: str
    environment: str
    max_exponent: int
    precision: int
    port: int


class _Reader:
    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables
        self.problems: list[str] = []

    def text(self, name: str) -> str:
        value = self._variables.get(name, "").strip()
        if not value:
            self.problems.append(f"{name} is not set")
        return value

    def number(self, name: str, default: int, low: int, high: int) -> int:
        value = self._variables.get(name, str(default))
        if re.fullmatch(r"[0-9]{1,9}", value) and low <= int(value) <= high:
            return int(value)
        self.problems.append(f"{name} must be a whole number from {low} to {high}, not {value!r}")
        return default


def load(variables: Mapping[str, str]) -> Settings:
    """Settings from variables such as `os.environ`; raises SettingsError with all problems at once."""
    reader = _Reader(variables)
    settings = Settings(
        version=reader.text("POWER_VERSION"),
        environment=reader.text("POWER_ENVIRONMENT"),
        max_exponent=reader.number("POWER_MAX_EXPONENT", default=1000, low=1, high=100_000),
        precision=reader.number("POWER_PRECISION", default=28, low=1, high=100),
        port=reader.number("POWER_PORT", default=8000, low=1, high=65_535),
    )
    if reader.problems:
        raise SettingsError("; ".join(reader.problems))
    return settings
