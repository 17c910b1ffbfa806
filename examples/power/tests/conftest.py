"""What the tests share: the service with small limits, and a client for it."""

from __future__ import annotations

from typing import Callable

import pytest
from flask.testing import FlaskClient
from power.app import create_app
from power.settings import Settings
from werkzeug.test import TestResponse

SETTINGS = Settings(version="1.2.3", environment="testing", max_exponent=64, precision=12, port=8000)


@pytest.fixture
def client() -> FlaskClient:
    return create_app(SETTINGS).test_client()


@pytest.fixture
def refused(client: FlaskClient) -> Callable[..., str]:
    """Ask, expect 400 with nothing but an error in it, and return that."""

    def ask(path: str, **parameters: str) -> str:
        answer: TestResponse = client.get(path, query_string=parameters)
        assert answer.status_code == 400, answer.get_data(as_text=True)
        assert list(answer.get_json()) == ["error"]
        return str(answer.get_json()["error"])

    return ask
