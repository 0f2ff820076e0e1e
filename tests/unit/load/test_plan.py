from __future__ import annotations

import pytest

from serinus.errors import InvalidInput, UsageError
from serinus.load.http1 import ResponseReader
from serinus.load.outcome import ConnectionKind
from serinus.load.plan import LoadPlan, VersionSource
from serinus.load.run import run
from serinus.load.target import parse_url
from serinus.process import SystemClock

URL = "http://127.0.0.1:9/"


@pytest.mark.parametrize(
    ("plan", "option"),
    [
        (LoadPlan(url=URL, rate_per_s=0), "--rate"),
        (LoadPlan(url=URL, rate_per_s=-3), "--rate"),
        (LoadPlan(url=URL, rate_per_s=float("nan")), "--rate"),
        (LoadPlan(url=URL, connections=0), "--connections"),
        (LoadPlan(url=URL, duration_ms=None), "--duration"),
        (LoadPlan(url=URL, duration_ms=0), "--duration"),
        (LoadPlan(url=URL, requests_max=0), "--requests"),
        (LoadPlan(url=URL, timeout_ms=0), "--timeout"),
        (LoadPlan(url=URL, kinds=()), "--keep-alive"),
        (LoadPlan(url=URL, kinds=(ConnectionKind.NEW,) * 2), "--keep-alive"),
        (LoadPlan(url=URL, method="GET / HTTP/1.1"), "--method"),
        (LoadPlan(url=URL, headers=(("A b", "c"),)), "--header"),
        (LoadPlan(url=URL, headers=(("A", "c\r\nD: e"),)), "--header"),
        (LoadPlan(url=URL, version_source=VersionSource("header", "no name")), "--version-header"),
        (LoadPlan(url=URL, version_source=VersionSource("json", "a..b")), "--version-json"),
        (LoadPlan(url=URL, version_source=VersionSource("regex", "(")), "--version-regex"),
    ],
)
def test_a_plan_that_cannot_be_run_names_the_option(plan: LoadPlan, option: str) -> None:
    with pytest.raises(InvalidInput, match=option):
        plan.check()


def test_all_problems_of_a_plan_are_told_together() -> None:
    with pytest.raises(InvalidInput) as caught:
        LoadPlan(url=URL, rate_per_s=0, connections=0, timeout_ms=0).check()
    assert len(caught.value.problems) == 3


def test_the_defaults_can_be_run() -> None:
    LoadPlan(url=URL).check()


@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1:80",
        "ftp://host/",
        "http://",
        "http:///path",
        "http://host:99999/",
        "http://host:0/",
        "http://user:word@host/",
        "http://[::1/",
        "http://host/a b",
        "http://host/\r\nX: y",
        "http://host/é",
    ],
)
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput, match="URL"):
        parse_url(url)


def test_a_url_is_taken_apart() -> None:
    url = parse_url("https://[::1]:8443/a/b?c=d#e")
    assert (url.tls, url.host, url.port) == (True, "::1", 8443)
    assert (url.authority, url.path) == ("[::1]:8443", "/a/b?c=d")
    assert parse_url("http://shop").port == 80
    assert parse_url("https://shop").authority == "shop"


async def test_a_host_without_an_address_is_bad_input() -> None:
    with pytest.raises(UsageError, match=r"no\.such\.host\.invalid"):
        await run(LoadPlan(url="http://no.such.host.invalid/"), clock=SystemClock())


def _response(data: bytes) -> ResponseReader:
    reader = ResponseReader(body_max=1000)
    reader.feed(data)
    return reader


def test_a_version_cannot_steer_the_terminal() -> None:
    response = _response(b"HTTP/1.1 204 N\r\nX-Serinus-Version: v\x1b[31m2\r\n\r\n")
    assert VersionSource().read(response) == "v[31m2"


@pytest.mark.parametrize(
    ("path", "version"),
    [("app.version", "3"), ("app", "unknown"), ("app.gone", "unknown"), ("flag", "unknown")],
)
def test_a_version_is_read_from_a_json_field(path: str, version: str) -> None:
    body = b'{"app":{"version":3},"flag":true}'
    response = _response(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
    assert VersionSource("json", path).read(response) == version


def test_a_body_that_is_no_json_has_no_version() -> None:
    response = _response(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n<p>")
    assert VersionSource("json", "version").read(response) == "unknown"


def test_the_first_group_of_a_pattern_is_the_version_else_the_whole_match() -> None:
    response = _response(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nrev 1.24")
    assert VersionSource("regex", r"rev (\S+)").read(response) == "1.24"
    assert VersionSource("regex", r"\d\.\d+").read(response) == "1.24"
    assert VersionSource("regex", r"rev(x)?").read(response) == "unknown"
