from __future__ import annotations

import asyncio
import io
import json
import os
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from serinus import errors, process
from serinus.kube.client import Client
from serinus.kube.config import Connection, ExecPlugin
from tests.unit.kube.api_server import ApiServer, answers, failure

V1 = "client.authentication.k8s.io/v1"


class FixedClock:
    def __init__(self, now: int = 1_700_000_000_000) -> None:
        self.now = now

    def now_ms(self) -> int:
        return self.now


def to(server: ApiServer, **more: Any) -> Client:
    return Client(Connection(server=server.url, **more), request_timeout_ms=5_000)


def authorizations(server: ApiServer) -> list[str]:
    return [r.headers.get("Authorization", "") for r in server.requests]


# --- who we are


async def test_a_server_below_a_path_is_found_there(server: ApiServer) -> None:
    server.next_answers.append(answers(lambda: web.json_response({})))
    async with Client(Connection(server=f"{server.url}/k8s/clusters/c-1")) as client:
        await client.version()
    assert server.requests[-1].path == "/k8s/clusters/c-1/version"


async def test_another_user_is_impersonated(server: ApiServer) -> None:
    more = {"as_user": "jane", "as_groups": ("a", "b"), "as_extra": (("scopes", ("x",)),)}
    async with to(server, **more) as client:
        await client.version()
    headers = server.requests[-1].headers
    assert headers["Impersonate-User"] == "jane"
    assert headers.getall("Impersonate-Group") == ["a", "b"]
    assert headers["Impersonate-Extra-scopes"] == "x"
    assert headers["User-Agent"].startswith("serinus/")


async def test_a_password_is_sent_as_basic_authentication(server: ApiServer) -> None:
    async with to(server, username="u", password="p") as client:
        await client.version()
    assert authorizations(server) == ["Basic dTpw"]


async def test_a_token_file_is_read_again_each_minute_and_after_a_401(
    server: ApiServer, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text("one\n")
    clock = FixedClock()
    connection = Connection(server=server.url, token_file=file, token="never")
    async with Client(connection, clock=clock) as client:
        await client.version()
        file.write_text("two")
        await client.version()
        clock.now += 60_000
        await client.version()
        file.write_text("three")
        server.next_answers.append(answers(lambda: failure(401, "Unauthorized", "Unauthorized")))
        await client.version()
        file.unlink()
        clock.now += 60_000
        await client.version()
    assert authorizations(server) == [
        f"Bearer {token}" for token in ("one", "one", "two", "two", "three", "three")
    ]


async def test_a_token_that_stays_wrong_is_told(server: ApiServer) -> None:
    server.next_answers.append(answers(lambda: failure(401, "Unauthorized", "Unauthorized")))
    async with to(server, token="wrong") as client:
        with pytest.raises(errors.Unauthorized, match="log in again"):
            await client.version()
    assert len(server.requests) == 1


# --- credential plugins, as real child processes


def plugin(tmp_path: Path, body: str, **more: Any) -> ExecPlugin:
    script = tmp_path / "login"
    script.write_text(f"#!{sys.executable}\nimport json, os, sys\n{textwrap.dedent(body)}")
    script.chmod(0o755)
    settings = {"api_version": V1, "interactive_mode": "Never", **more}
    return ExecPlugin(command=str(script), **settings)


COUNTING = """
import pathlib
counter = pathlib.Path(__file__).with_name("count")
count = int(counter.read_text()) + 1 if counter.exists() else 1
counter.write_text(str(count))
print(json.dumps({"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
    "status": {"token": f"t{count}", "expirationTimestamp": sys.argv[1]} if sys.argv[1:]
    else {"token": f"t{count}"}}))
"""


async def test_a_plugin_runs_once_until_its_token_expires(
    server: ApiServer, tmp_path: Path
) -> None:
    clock = FixedClock(1_000_000)
    made = plugin(tmp_path, COUNTING, args=("1970-01-01T00:20:00Z",))
    async with Client(Connection(server=server.url, exec_plugin=made), clock=clock) as client:
        await asyncio.gather(*(client.version() for _ in range(5)))
        clock.now = 1_199_999
        await client.version()
        clock.now = 1_200_000
        await client.version()
    assert authorizations(server) == ["Bearer t1"] * 6 + ["Bearer t2"]


async def test_a_plugin_without_expiry_runs_again_only_after_a_401(
    server: ApiServer, tmp_path: Path
) -> None:
    async with to(server, exec_plugin=plugin(tmp_path, COUNTING)) as client:
        await client.version()
        await client.version()
        server.next_answers.append(answers(lambda: failure(401, "Unauthorized", "Unauthorized")))
        await client.version()
    assert authorizations(server) == [f"Bearer t{n}" for n in (1, 1, 1, 2)]


async def test_a_plugin_is_told_what_it_needs(server: ApiServer, tmp_path: Path) -> None:
    body = """
    info = json.loads(os.environ["KUBERNETES_EXEC_INFO"])
    said = json.dumps({"info": info, "args": sys.argv[1:], "env": os.environ["REGION"],
        "home": os.environ.get("HOME"), "input": sys.stdin.read()})
    print(json.dumps({"apiVersion": info["apiVersion"], "kind": "ExecCredential",
        "status": {"token": said.encode().hex()}}))
    """
    made = plugin(
        tmp_path,
        body,
        api_version="client.authentication.k8s.io/v1beta1",
        args=("get", "token"),
        env=(("REGION", "eu"),),
        provide_cluster_info=True,
        cluster_config={"audience": 7},
    )
    async with to(server, exec_plugin=made, ca=b"PEM", tls_server_name="api") as client:
        await client.version()
    said = json.loads(bytes.fromhex(authorizations(server)[0].removeprefix("Bearer ")))
    assert said == {
        "info": {
            "apiVersion": "client.authentication.k8s.io/v1beta1",
            "kind": "ExecCredential",
            "spec": {
                "interactive": False,
                "cluster": {
                    "server": server.url,
                    "tls-server-name": "api",
                    "certificate-authority-data": "UEVN",
                    "config": {"audience": 7},
                },
            },
        },
        "args": ["get", "token"],
        "env": "eu",
        "home": os.environ.get("HOME"),
        "input": "",
    }


HALF = f"""
said = {{"kind": "ExecCredential", "apiVersion": "{V1}"}}
said["status"] = {{"token": "t", "clientKeyData": "k", "expirationTimestamp": "soon"}}
print(json.dumps(said))
"""


@pytest.mark.parametrize(
    ("body", "kind", "words"),
    [
        (
            "sys.exit(3)",
            errors.Unauthorized,
            "exit code 3: run it by hand.*\nget it from the intranet",
        ),
        ("print('hello')", errors.InvalidInput, "did not print an ExecCredential"),
        (
            "print('{\"kind\": \"Pod\", \"apiVersion\": \"v1\"}')",
            errors.InvalidInput,
            "kind: 'Pod'",
        ),
        (
            (
                "print(json.dumps({'kind': 'ExecCredential', 'apiVersion': 'x', "
                "'status': {'token': 't'}}))"
            ),
            errors.InvalidInput,
            "apiVersion: 'x' is not the client.authentication.k8s.io/v1",
        ),
        (
            f"print(json.dumps({{'kind': 'ExecCredential', 'apiVersion': '{V1}'}}))",
            errors.InvalidInput,
            "status: neither token",
        ),
        (
            HALF,
            errors.InvalidInput,
            "(?s)go together.*expirationTimestamp: .*'soon'",
        ),
    ],
)  # fmt: skip
async def test_a_plugin_that_fails_is_told_with_its_hint(
    server: ApiServer,
    tmp_path: Path,
    body: str,
    kind: type[errors.SerinusError],
    words: str,
) -> None:
    made = plugin(tmp_path, body, install_hint="get it from the intranet")
    async with to(server, exec_plugin=made, user="jane") as client:
        with pytest.raises(kind, match=words) as caught:
            await client.version()
    assert f"exec plugin {made.command!r} of user 'jane'" in str(caught.value)
    assert server.requests == []


async def test_a_plugin_that_is_not_installed_says_how_to_get_it(server: ApiServer) -> None:
    made = ExecPlugin(command="no-such-login", api_version=V1, install_hint="brew install login")
    async with to(server, exec_plugin=made) as client:
        with pytest.raises(errors.InvalidInput, match=r"No such file.*\nbrew install login"):
            await client.version()


async def test_a_plugin_that_needs_a_person_is_refused_without_a_terminal(
    server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    made = plugin(tmp_path, COUNTING, interactive_mode="Always")
    async with to(server, exec_plugin=made) as client:
        with pytest.raises(errors.InvalidInput, match="needs a terminal"):
            await client.version()


ASKING = """
said = input()
print(json.dumps({"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
    "status": {"token": said + str(json.loads(os.environ["KUBERNETES_EXEC_INFO"])["spec"])}}))
"""
HEADERS = """
import asyncio, sys
from serinus.kube.config import Connection, ExecPlugin
from serinus.kube.config.credentials import Credentials
from serinus.process import SystemClock
plugin = ExecPlugin(command=sys.argv[1], api_version=sys.argv[2], interactive_mode="Always")
connection = Connection(server="http://127.0.0.1", exec_plugin=plugin)
print(asyncio.run(Credentials(connection, SystemClock()).headers()))
"""


async def test_a_plugin_may_ask_a_person_at_the_terminal(tmp_path: Path) -> None:
    made = plugin(tmp_path, ASKING)
    ours, theirs = os.openpty()
    try:
        child = await process.spawn(
            [sys.executable, "-c", HEADERS, made.command, V1],
            stdin=theirs,
            stdout=asyncio.subprocess.PIPE,
            stderr=None,
        )
        os.write(ours, b"open sesame\n")
        async with asyncio.timeout(20):
            printed, _ = await child.communicate()
    finally:
        os.close(ours)
        os.close(theirs)
    assert printed.decode().strip() == str(
        {"Authorization": "Bearer open sesame{'interactive': True}"}
    )


async def test_a_plugin_that_is_given_up_does_not_live_on(
    server: ApiServer, tmp_path: Path
) -> None:
    made = plugin(
        tmp_path,
        """
        import pathlib, time
        pathlib.Path(__file__).with_name("pid.new").write_text(str(os.getpid()))
        pathlib.Path(__file__).with_name("pid.new").rename(pathlib.Path(__file__).with_name("pid"))
        time.sleep(60)
        """,
    )
    pid_file = tmp_path / "pid"
    async with to(server, exec_plugin=made) as client:
        task = asyncio.create_task(client.version())
        async with asyncio.timeout(10):
            while not pid_file.exists():  # noqa: ASYNC110 - a file tells no event
                await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid_file.read_text()), 0)


async def test_a_token_goes_before_a_plugin(server: ApiServer, tmp_path: Path) -> None:
    async with to(server, exec_plugin=plugin(tmp_path, COUNTING), token="mine") as client:
        await client.version()
    assert authorizations(server) == ["Bearer mine"]
