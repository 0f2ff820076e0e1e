from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from serinus import errors
from serinus.kube import config
from serinus.kube.config import Connection, proxy

BASE: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "dev",
    "clusters": [{"name": "c1", "cluster": {"server": "https://one.example:6443/"}}],
    "users": [{"name": "u1", "user": {"token": "secret-1"}}],
    "contexts": [
        {"name": "dev", "context": {"cluster": "c1", "user": "u1", "namespace": "shop"}},
        {"name": "bare", "context": {"cluster": "c1"}},
    ],
}


def write(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return path


def with_user(**user: Any) -> dict[str, Any]:
    return {**BASE, "users": [{"name": "u1", "user": user}]}


def with_cluster(**cluster: Any) -> dict[str, Any]:
    return {**BASE, "clusters": [{"name": "c1", "cluster": cluster}]}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write(tmp_path / "config", BASE)


def test_the_current_context_gives_server_user_and_namespace(file: Path) -> None:
    assert config.load(file) == Connection(
        server="https://one.example:6443",
        context="dev",
        cluster="c1",
        user="u1",
        namespace="shop",
        source=str(file),
        token="secret-1",
    )


def test_flags_go_before_the_file(file: Path) -> None:
    write(file.parent / "more", {
        "clusters": [{"name": "c2", "cluster": {"server": "http://two"}}],
        "users": [{"name": "u2", "user": {"token": "secret-2"}}],
    })  # fmt: skip
    found = config.load(
        [file, file.parent / "more"],
        "bare",
        cluster="c2",
        user="u2",
        namespace="ns",
        as_user="jane",
        as_groups=["a", "b"],
        request_timeout_ms=5,
    )
    assert (found.server, found.token, found.namespace) == ("http://two", "secret-2", "ns")
    assert (found.as_user, found.as_groups, found.request_timeout_ms) == ("jane", ("a", "b"), 5)
    assert (found.context, found.cluster, found.user) == ("bare", "c2", "u2")


def test_a_context_without_user_and_namespace_is_anonymous_in_default(file: Path) -> None:
    found = config.load(file, "bare")
    assert (found.user, found.token, found.namespace) == ("", None, "default")


def test_groups_need_a_user_to_go_with(file: Path) -> None:
    with pytest.raises(errors.InvalidInput, match="--as"):
        config.load(file, as_groups=["a"])


def test_several_files_are_merged_and_the_first_wins_by_name(tmp_path: Path) -> None:
    one = write(tmp_path / "one" / "config", {
        "current-context": "",
        "clusters": [{"name": "c", "cluster": {"server": "https://first"}}],
        "users": [{"name": "u", "user": {"tokenFile": "token"}}],
    })  # fmt: skip
    write(tmp_path / "one" / "token", "from-one\n")
    write(tmp_path / "two" / "ca.pem", "PEM")
    two = write(tmp_path / "two" / "config", {
        "current-context": "x",
        "clusters": [
            {"name": "c", "cluster": {"server": "https://second", "tls-server-name": "never"}},
            {"name": "d", "cluster": {"server": "https://d", "certificate-authority": "ca.pem"}},
        ],
        "contexts": [
            {"name": "x", "context": {"cluster": "c", "user": "u"}},
            {"name": "y", "context": {"cluster": "d", "user": "u"}},
        ],
    })  # fmt: skip
    three = write(tmp_path / "three", {"current-context": "y"})
    listed = os.pathsep.join(
        ["", str(one), str(tmp_path / "missing"), str(two), str(one), str(three)]
    )
    environment = {"KUBECONFIG": listed}
    x = config.load(environment=environment)
    # Nothing of the second entry of that name is taken, not even what the first does not say.
    assert (x.server, x.tls_server_name) == ("https://first", None)
    # Relative paths are relative to the file that holds them.
    assert tmp_path / "one" / "token" == x.token_file
    assert ("x", str(two)) == (x.context, x.source)
    assert config.load(environment=environment, context="y").ca == b"PEM"


def test_the_home_folder_is_where_the_file_is_looked_for(tmp_path: Path) -> None:
    write(tmp_path / ".kube" / "config", BASE)
    assert config.load(environment={"HOME": str(tmp_path)}).context == "dev"


def test_a_missing_context_says_which_exist(file: Path) -> None:
    with pytest.raises(errors.UnknownName, match="'prod'; known: bare, dev") as caught:
        config.load(file, "prod")
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("word", ["cluster", "user"])
def test_a_missing_name_says_which_exist(file: Path, word: str) -> None:
    with pytest.raises(errors.UnknownName, match=rf"unknown {word} 'x'; known: {word[0]}1"):
        config.load(file, **{word: "x"})  # type: ignore[arg-type]  # the name is a parameter here


def test_no_kubeconfig_at_all_says_where_it_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(errors.InvalidInput, match="KUBECONFIG") as caught:
        config.load(environment={"HOME": str(tmp_path)}, service_account=tmp_path)
    assert str(tmp_path / ".kube" / "config") in str(caught.value)


def test_a_file_that_was_asked_for_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(errors.InvalidInput, match="nowhere: no such file"):
        config.load(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("clusters: [\n", "line 2, column 1"),
        ("a: b: c\n", "line 1, column 5: mapping values are not allowed"),
        ("just text", "Expected `object`"),
        ("", "current-context: not set"),
        ({**BASE, "current-context": ""}, r"choose one with --context \(known: bare, dev\)"),
        ({**BASE, "clusters": {"a": 1}}, "clusters: Expected `array"),
        ({**BASE, "clusters": [{"name": "c1", "cluster": []}]}, r"clusters\[0\]\.cluster: "),
        ({**BASE, "clusters": BASE["clusters"] * 2}, r"clusters\[1\]\.name: 'c1' .* clusters\[0\]"),
        ({**BASE, "clusters": None}, r"contexts\[0\]\.context\.cluster: no cluster is named 'c1'"),
        ({**BASE, "users": None}, r"contexts\[0\]\.context\.user: no user is named 'u1'"),
        (with_cluster(), r"clusters\[0\]\.cluster\.server: not set"),
        (with_cluster(server="ftp://x"), r"cluster\.server: 'ftp://x' is not an http"),
        (with_cluster(server="https://x:port"), r"cluster\.server"),
        (
            with_cluster(server="https://x", **{"proxy-url": "socks5://p"}),
            r"cluster\.proxy-url: 'socks5://p'",
        ),
        (
            with_cluster(server="https://x", **{"certificate-authority": "gone.pem"}),
            r"cluster\.certificate-authority: .*gone.pem: No such file",
        ),
        (
            with_cluster(server="https://x", **{"certificate-authority-data": "%%%"}),
            r"cluster\.certificate-authority-data: not base64",
        ),
        (
            with_cluster(
                server="https://x",
                **{"certificate-authority-data": "UEVN", "insecure-skip-tls-verify": True},
            ),
            "insecure-skip-tls-verify: cannot be used together",
        ),
        (with_user(**{"client-certificate-data": "UEVN"}), r"user\.client-key: not set"),
        (with_user(**{"client-key-data": "UEVN"}), r"user\.client-certificate: not set"),
        (with_user(**{"auth-provider": {"name": "oidc"}}), r"user\.auth-provider: no longer"),
        (with_user(token="t", username="u"), r"user\.token: cannot be used together"),
        (with_user(tokenFile="gone"), r"user\.tokenFile: .*gone: no such file"),
        (with_user(exec={}), r"exec\.command: not set"),
        (
            with_user(exec={"command": "c", "apiVersion": "client.authentication.k8s.io/v1alpha1"}),
            r"exec\.apiVersion: '.*v1alpha1' is not one of",
        ),
        (
            with_user(exec={"command": "c", "apiVersion": "client.authentication.k8s.io/v1"}),
            r"exec\.interactiveMode: '' is not one of Never, IfAvailable, Always",
        ),
    ],
)  # fmt: skip
def test_a_broken_file_is_refused_with_its_name_and_the_place(
    tmp_path: Path, content: Any, words: str
) -> None:
    file = write(tmp_path / "broken", content)
    with pytest.raises(errors.InvalidInput, match=words) as caught:
        config.load(file)
    assert str(file) in str(caught.value)
    assert caught.value.exit_code == 2


def test_all_problems_of_an_entry_are_told_at_once(tmp_path: Path) -> None:
    content = with_user(tokenFile="gone", exec={"command": ""}, **{"auth-provider": {}})
    with pytest.raises(errors.InvalidInput) as caught:
        config.load(write(tmp_path / "broken", content))
    assert len(caught.value.problems) == 4


def test_scalars_stay_as_they_are_written(tmp_path: Path) -> None:
    text = """
current-context: 1e3
clusters: [{name: 007, cluster: {server: 'https://x', insecure-skip-tls-verify: true}}]
users: [{name: 2026-01-01, user: {token: 00123, as: on, as-groups: [1]}}]
contexts: [{name: 1e3, context: {cluster: 007, user: 2026-01-01, namespace: null}}]
"""
    found = config.load(write(tmp_path / "odd", text))
    assert (found.cluster, found.user, found.token) == ("007", "2026-01-01", "00123")
    assert (
        found.as_user,
        found.as_groups,
        found.namespace,
        found.insecure,
    ) == ("on", ("1",), "default", True)


def test_certificates_come_from_data_before_files(tmp_path: Path) -> None:
    write(tmp_path / "file.pem", "FILE")
    folded = "\n".join(
        [base64.b64encode(b"DATA").decode()[:4], base64.b64encode(b"DATA").decode()[4:]]
    )
    content = with_user(
        **{
            "client-certificate": "file.pem",
            "client-certificate-data": folded,
            "client-key": "file.pem",
        }
    )
    found = config.load(write(tmp_path / "config", content))
    assert found.certificate is not None
    assert (found.certificate.chain, found.certificate.key) == (b"DATA", b"FILE")


def test_the_files_of_a_certificate_are_kept_to_be_read_again(tmp_path: Path) -> None:
    write(tmp_path / "a.pem", "A")
    content = with_user(**{"client-certificate": "a.pem", "client-key": "a.pem"})
    found = config.load(write(tmp_path / "config", content))
    assert found.certificate_files == (tmp_path / "a.pem", tmp_path / "a.pem")
    content = with_user(**{"client-certificate": "a.pem", "client-key-data": "UEVN"})
    assert config.load(write(tmp_path / "config", content)).certificate_files is None


def test_no_secret_is_shown_when_a_connection_is_printed(tmp_path: Path) -> None:
    content = with_user(
        username="u",
        password="hunter2",
        **{"client-certificate-data": "UEVN", "client-key-data": "a2V5a2V5"},
    )
    found = config.load(write(tmp_path / "config", content))
    shown = repr(found) + repr(found.certificate) + str(found)
    for secret in ("hunter2", "keykey", "PEM"):
        assert secret not in shown


def test_a_plugin_is_read_with_its_path_relative_to_the_file(tmp_path: Path) -> None:
    plugin = {
        "command": "./bin/login",
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "args": ["a"],
        "env": [{"name": "K", "value": "v"}],
        "installHint": "install it\n",
        "provideClusterInfo": True,
    }
    content = with_user(exec=plugin)
    content["clusters"] = [
        {
            "name": "c1",
            "cluster": {
                "server": "https://x",
                "extensions": [
                    {"name": "other", "extension": 1},
                    {"name": "client.authentication.k8s.io/exec", "extension": {"n": 7}},
                ],
            },
        }
    ]
    found = config.load(write(tmp_path / "config", content)).exec_plugin
    assert found is not None
    assert str(tmp_path / "bin" / "login") == found.command
    assert found.env == (("K", "v"),)
    assert (found.interactive_mode, found.install_hint) == ("IfAvailable", "install it")
    assert found.cluster_config == {"n": 7}


def test_in_a_pod_the_service_account_is_used(tmp_path: Path) -> None:
    write(tmp_path / "token", "t")
    write(tmp_path / "ca.crt", "CA")
    write(tmp_path / "namespace", "shop\n")
    environment = {
        "HOME": str(tmp_path),
        "KUBERNETES_SERVICE_HOST": "fd00::1",
        "KUBERNETES_SERVICE_PORT": "443",
    }
    found = config.load(environment=environment, service_account=tmp_path)
    assert (found.server, found.ca, found.namespace) == ("https://[fd00::1]:443", b"CA", "shop")
    assert tmp_path / "token" == found.token_file


@pytest.mark.parametrize(
    ("server", "environment", "expected"),
    [
        ("https://api.example", {"HTTPS_PROXY": "p:3128"}, "http://p:3128"),
        ("https://api.example", {"https_proxy": "http://p"}, "http://p"),
        ("https://api.example", {"HTTP_PROXY": "http://p"}, None),
        ("http://api.example", {"HTTP_PROXY": "http://p"}, "http://p"),
        ("https://127.0.0.1:6443", {"HTTPS_PROXY": "http://p"}, None),
        ("https://localhost:6443", {"HTTPS_PROXY": "http://p"}, None),
        ("https://[::1]:6443", {"HTTPS_PROXY": "http://p"}, None),
        ("https://api.example", {"HTTPS_PROXY": "http://p", "NO_PROXY": "*"}, None),
        ("https://api.example", {"HTTPS_PROXY": "http://p", "NO_PROXY": "x, example"}, None),
        ("https://api.example", {"HTTPS_PROXY": "http://p", "NO_PROXY": ".example"}, None),
        ("https://example", {"HTTPS_PROXY": "http://p", "NO_PROXY": ".example"}, "http://p"),
        ("https://notexample", {"HTTPS_PROXY": "http://p", "NO_PROXY": "example"}, "http://p"),
        ("https://10.1.2.3", {"HTTPS_PROXY": "http://p", "NO_PROXY": "10.0.0.0/8"}, None),
        ("https://11.1.2.3", {"HTTPS_PROXY": "http://p", "NO_PROXY": "10.0.0.0/8"}, "http://p"),
        ("https://10.1.2.3", {"HTTPS_PROXY": "http://p", "NO_PROXY": "10.1.2.3"}, None),
        ("https://a.b:8443", {"HTTPS_PROXY": "http://p", "NO_PROXY": "a.b:443"}, "http://p"),
        ("https://a.b:443", {"HTTPS_PROXY": "http://p", "NO_PROXY": "a.b:443"}, None),
    ],
)
def test_the_environment_names_the_proxy_as_go_reads_it(
    server: str, environment: dict[str, str], expected: str | None
) -> None:
    assert expected == proxy.of(Connection(server=server), environment)


def test_the_proxy_of_the_kubeconfig_goes_before_the_environment() -> None:
    connection = Connection(server="https://127.0.0.1", proxy_url="http://mine")
    assert proxy.of(connection, {"HTTPS_PROXY": "http://p", "NO_PROXY": "*"}) == "http://mine"
