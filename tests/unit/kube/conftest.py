"""A server and a client of it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from serinus.kube.client import Client
from serinus.kube.config import Connection
from tests.unit.kube import api_server


@pytest.fixture
async def server() -> AsyncIterator[api_server.ApiServer]:
    async with api_server.running() as server:
        yield server


@pytest.fixture
async def client(server: api_server.ApiServer) -> AsyncIterator[Client]:
    async with Client(Connection(server=server.url), request_timeout_ms=5_000) as client:
        yield client
