"""Merging kubeconfig files and choosing a context: kubectl itself is the oracle."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from serinus import errors
from serinus.kube import config
from serinus.kube.config import Connection

KUBECTL = Path(sys.executable).with_name("kubectl")
NAMES = st.sampled_from(["a", "b"])


def named(word: str, entry: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[Any]:
    pairs = st.dictionaries(NAMES, entry, min_size=1, max_size=2)
    return pairs.map(lambda found: [{"name": n, word: e} for n, e in found.items()])


CLUSTERS = st.fixed_dictionaries(
    {"server": st.sampled_from(["https://one", "https://two:6443", "http://three/base"])},
    optional={
        "tls-server-name": st.just("api"),
        "proxy-url": st.just("http://proxy:3128"),
        "insecure-skip-tls-verify": st.booleans(),
    },
)
USERS = st.fixed_dictionaries(
    {},
    optional={
        "token": st.sampled_from(["t1", "t2"]),
        "as": st.just("jane"),
        "as-groups": st.just(["g"]),
    },
)
CONTEXTS = st.fixed_dictionaries(
    {"cluster": NAMES, "user": NAMES}, optional={"namespace": st.sampled_from(["one", "two"])}
)
FILES = st.lists(
    st.fixed_dictionaries(
        {
            "clusters": named("cluster", CLUSTERS),
            "users": named("user", USERS),
            "contexts": named("context", CONTEXTS),
        },
        optional={"current-context": st.sampled_from(["", "a", "b"])},
    ),
    min_size=2,
    max_size=3,
)


def kubectl_view(listed: str, context: str | None) -> dict[str, Any] | None:
    """Return the one cluster, user and context that kubectl would use, or None if it refuses."""
    command = [str(KUBECTL), "config", "view", "--minify", "--raw", "-o", "json"]
    if context is not None:
        command += ["--context", context]
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "KUBECONFIG": listed}
    ran = subprocess.run(command, env=environment, capture_output=True, check=False, timeout=30)
    return json.loads(ran.stdout) if ran.returncode == 0 else None


def expected_of(view: dict[str, Any]) -> dict[str, Any] | None:
    context = next(c for c in view["contexts"] if c["name"] == view["current-context"])["context"]
    if not view.get("clusters"):
        # kubectl would go on to localhost:8080; we refuse a context that points nowhere.
        return None
    cluster = view["clusters"][0]["cluster"]
    user = (view.get("users") or [{"user": {}}])[0]["user"]
    return {
        "context": view["current-context"],
        "server": cluster["server"],
        "tls_server_name": cluster.get("tls-server-name"),
        "proxy_url": cluster.get("proxy-url"),
        "insecure": cluster.get("insecure-skip-tls-verify", False),
        "namespace": context.get("namespace", "default"),
        "token": user.get("token"),
        "as_user": user.get("as"),
        "as_groups": tuple(user.get("as-groups", ())),
    }


def ours(listed: str, context: str | None) -> Connection | None:
    try:
        return config.load(context=context, environment={"KUBECONFIG": listed})
    except errors.UsageError:
        return None


@pytest.mark.skipif(not KUBECTL.exists(), reason="kubectl comes with the extra `local`")
@settings(max_examples=25, deadline=None)
@given(FILES, st.one_of(st.none(), NAMES))
def test_files_are_merged_as_kubectl_merges_them(
    files: list[dict[str, Any]], context: str | None
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"config-{number}" for number in range(len(files))]
        for path, content in zip(paths, files, strict=True):
            path.write_text(yaml.safe_dump(content))
        listed = os.pathsep.join(str(path) for path in paths)
        view = kubectl_view(listed, context)
        found = ours(listed, context)
    expected = None if view is None else expected_of(view)
    if expected is None or found is None:
        assert expected is None
        assert found is None
        return
    assert {key: getattr(found, key) for key in expected} == expected
