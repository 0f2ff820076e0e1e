from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import ssl
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web

from serinus import errors
from serinus.kube import config
from serinus.kube.client import Client
from serinus.kube.config import ClientCertificate, Connection, ExecPlugin
from tests.unit.kube import api_server
from tests.unit.kube.api_server import ApiServer
from tests.unit.kube.certificates import LONG_AGO, Authority


@pytest.fixture
def authority() -> Authority:
    return Authority()


@contextlib.asynccontextmanager
async def serving(
    authority: Authority, pair: ClientCertificate, folder: Path
) -> AsyncIterator[ApiServer]:
    async with api_server.running(authority.server_context(pair, folder)) as server:
        yield server


@pytest.fixture
async def server(authority: Authority, tmp_path: Path) -> AsyncIterator[ApiServer]:
    async with serving(authority, authority.issue("127.0.0.1"), tmp_path) as server:
        yield server


async def who(request: web.Request) -> web.StreamResponse:
    """Answer with the common name of the client's certificate."""
    assert request.transport is not None
    certificate = request.transport.get_extra_info("peercert") or {}
    names = [value for ((_, value),) in certificate.get("subject", ())]
    return web.json_response({"names": names})


async def test_a_client_certificate_says_who_we_are(
    server: ApiServer, authority: Authority, tmp_path: Path
) -> None:
    jane = authority.issue("jane")
    (tmp_path / "jane.pem").write_bytes(jane.chain)
    encoded = {
        "certificate-authority-data": base64.b64encode(authority.pem).decode(),
        "client-key-data": base64.b64encode(jane.key).decode(),
    }
    (tmp_path / "config").write_text(yaml.safe_dump({
        "current-context": "x",
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {
            "server": server.url,
            "certificate-authority-data": encoded["certificate-authority-data"],
        }}],
        "users": [{"name": "u", "user": {
            "client-certificate": "jane.pem",
            "client-key-data": encoded["client-key-data"],
        }}],
    }))  # fmt: skip
    server.next_answers.append(who)
    async with Client(config.load(tmp_path / "config")) as client:
        assert await client.version() == {"names": ["jane"]}


async def test_a_certificate_that_was_renewed_in_its_file_is_read_again(
    server: ApiServer, authority: Authority, tmp_path: Path
) -> None:
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    connection = Connection(
        server=server.url,
        ca=authority.pem,
        certificate=authority.issue("old"),
        certificate_files=(chain, key),
    )
    refuses = api_server.answers(lambda: api_server.failure(401, "Unauthorized", "expired"))
    server.next_answers.extend([who, refuses, who, refuses, refuses])
    async with Client(connection) as client:
        assert await client.version() == {"names": ["old"]}
        new = authority.issue("new")
        chain.write_bytes(new.chain)
        key.write_bytes(new.key)
        assert await client.version() == {"names": ["new"]}
        # It is the same now, so a second try would say the same.
        with pytest.raises(errors.Unauthorized):
            await client.version()
        key.unlink()
        with pytest.raises(errors.Unauthorized):
            await client.version()


async def test_no_key_stays_in_a_file(
    server: ApiServer, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    pair = authority.issue("jane")
    async with Client(Connection(server=server.url, ca=authority.pem, certificate=pair)) as client:
        await client.version()
        assert list(folder.iterdir()) == []


async def test_a_plugin_may_print_a_certificate_and_renew_it(
    server: ApiServer, authority: Authority, tmp_path: Path
) -> None:
    for name in ("one", "two"):
        pair = authority.issue(name)
        status = {
            "clientCertificateData": pair.chain.decode(),
            "clientKeyData": pair.key.decode(),
        }
        printed = {
            "kind": "ExecCredential",
            "apiVersion": "client.authentication.k8s.io/v1",
            "status": status,
        }
        (tmp_path / f"{name}.json").write_text(json.dumps(printed))
    # Each run prints the first file that is left, and takes it away.
    script = (
        "import pathlib, sys; file = min(pathlib.Path(sys.argv[1]).glob('*.json'));"
        "print(file.read_text()); file.unlink()"
    )
    plugin = ExecPlugin(
        command=sys.executable,
        args=("-c", script, str(tmp_path)),
        api_version="client.authentication.k8s.io/v1",
        interactive_mode="Never",
    )
    refuses = api_server.answers(lambda: api_server.failure(401, "Unauthorized", "Unauthorized"))
    server.next_answers.extend([who, refuses, who])
    connection = Connection(server=server.url, ca=authority.pem, exec_plugin=plugin)
    async with Client(connection) as client:
        assert await client.version() == {"names": ["one"]}
        # Another certificate needs another TLS connection.
        assert await client.version() == {"names": ["two"]}


async def test_a_server_of_an_unknown_authority_is_told_apart(
    server: ApiServer, authority: Authority
) -> None:
    async with Client(Connection(server=server.url, ca=Authority().pem)) as client:
        with pytest.raises(errors.Unavailable) as caught:
            await client.version()
    assert "is not trusted: " in str(caught.value)
    assert "check certificate-authority and tls-server-name" in str(caught.value)
    assert caught.value.__cause__ is not None
    assert isinstance(caught.value.__cause__.__cause__, ssl.SSLCertVerificationError)


@pytest.mark.parametrize(
    ("name", "end", "words"),
    [
        ("10.9.9.9", None, "IP address mismatch"),
        ("127.0.0.1", LONG_AGO, "certificate has expired"),
    ],
)
async def test_a_certificate_that_does_not_fit_says_why(
    authority: Authority, tmp_path: Path, name: str, end: Any, words: str
) -> None:
    pair = authority.issue(name, **({} if end is None else {"end": end}))
    async with (
        serving(authority, pair, tmp_path) as server,
        Client(Connection(server=server.url, ca=authority.pem)) as client,
    ):
        with pytest.raises(errors.Unavailable, match=words):
            await client.version()


async def test_a_server_may_be_checked_by_another_name(
    authority: Authority, tmp_path: Path
) -> None:
    async with serving(authority, authority.issue("api.internal"), tmp_path) as server:
        connection = Connection(server=server.url, ca=authority.pem, tls_server_name="api.internal")
        async with Client(connection) as client:
            assert await client.version() == {"gitVersion": "v1.36.3"}


async def test_a_check_that_is_switched_off_is_off(authority: Authority, tmp_path: Path) -> None:
    pair = authority.issue("other", end=LONG_AGO)
    async with (
        serving(authority, pair, tmp_path) as server,
        Client(Connection(server=server.url, insecure=True)) as client,
    ):
        assert await client.version() == {"gitVersion": "v1.36.3"}


async def test_plain_http_where_tls_is_expected_is_told(tmp_path: Path) -> None:
    async with api_server.running() as plain:
        address = plain.url.replace("http:", "https:")
        async with Client(Connection(server=address)) as client:
            with pytest.raises(errors.Unavailable, match="no TLS connection"):
                await client.version()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"ca": b"not PEM"}, "certificate-authority"),
        ({"ca": b"\xff"}, "certificate-authority"),
        ({"certificate": ClientCertificate(b"no", b"pair")}, "client-certificate and client-key"),
    ],
)
async def test_pem_that_is_none_is_bad_input(settings: Any, words: str) -> None:
    async with Client(Connection(server="https://127.0.0.1:1", **settings)) as client:
        with pytest.raises(errors.InvalidInput, match=words):
            await client.version()


async def test_a_key_with_a_password_does_not_ask_on_the_terminal(authority: Authority) -> None:
    from cryptography.hazmat.primitives import serialization

    pair = authority.issue("jane")
    key = serialization.load_pem_private_key(pair.key, None)
    locked = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"hunter2"),
    )
    connection = Connection(
        server="https://127.0.0.1:1", certificate=ClientCertificate(pair.chain, locked)
    )
    async with Client(connection) as client:
        with pytest.raises(errors.InvalidInput, match="not a usable PEM pair"):
            await client.version()


# --- through a proxy


class Proxy:
    """A real CONNECT proxy that writes down where it was asked to connect."""

    def __init__(self) -> None:
        self.url = ""
        self.targets: list[str] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        target = head.split()[1]
        self.targets.append(target)
        host, _, port = target.rpartition(":")
        try:
            far_reader, far_writer = await asyncio.open_connection(host, int(port))
        except OSError:
            writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
            writer.close()
            return
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        both = ((reader, far_writer), (far_reader, writer))
        for source, sink in both:
            task = asyncio.create_task(self._pump(source, sink))
            self._tasks.add(task)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while chunk := await source.read(65536):
                sink.write(chunk)
        sink.close()

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@pytest.fixture
async def proxy() -> AsyncIterator[Proxy]:
    made = Proxy()
    listener = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    async with listener:
        yield made
        await made.close()


async def test_a_proxy_leads_to_the_server_which_is_still_verified(
    proxy: Proxy, authority: Authority, tmp_path: Path
) -> None:
    async with serving(authority, authority.issue("api.internal"), tmp_path) as server:
        connection = Connection(
            server=server.url,
            ca=authority.pem,
            proxy_url=proxy.url,
            tls_server_name="api.internal",
        )
        async with Client(connection) as client:
            assert await client.version() == {"gitVersion": "v1.36.3"}
        assert proxy.targets == [server.url.removeprefix("https://")]
        wrong = Connection(server=server.url, ca=authority.pem, proxy_url=proxy.url)
        async with Client(wrong) as client:
            with pytest.raises(errors.Unavailable, match="mismatch"):
                await client.version()


async def test_a_proxy_that_finds_no_way_is_told(proxy: Proxy) -> None:
    with_password = proxy.url.replace("http://", "http://u:hunter2@")
    connection = Connection(server="https://127.0.0.1:1", proxy_url=with_password)
    async with Client(connection) as client:
        with pytest.raises(errors.Unavailable, match=f"the proxy {proxy.url}") as caught:
            await client.version()
    assert "hunter2" not in str(caught.value)


async def test_a_proxy_that_is_not_there_is_told() -> None:
    connection = Connection(server="https://api.invalid", proxy_url="http://127.0.0.1:1")
    async with Client(connection) as client:
        with pytest.raises(errors.Unavailable, match=r"the proxy http://127\.0\.0\.1:1"):
            await client.version()
