"""Kubeconfig files: reading one, and merging several as kubectl does.

The first file that names a cluster, user or context has all of it; the first that sets
`current-context` sets it; relative paths are relative to the file that holds them
(client-go, tools/clientcmd/loader.go).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import msgspec
import yaml

from serinus import errors


class ClusterEntry(msgspec.Struct, frozen=True, rename="kebab"):
    """Under `clusters[].cluster`."""

    server: str | None = None
    tls_server_name: str | None = None
    insecure_skip_tls_verify: bool | None = None
    certificate_authority: str | None = None
    certificate_authority_data: str | None = None
    proxy_url: str | None = None
    extensions: Any = None


class ExecVariable(msgspec.Struct, frozen=True):
    """Under `users[].user.exec.env[]`."""

    name: str
    value: str = ""


class ExecEntry(msgspec.Struct, frozen=True, rename="camel"):
    """Under `users[].user.exec`."""

    command: str | None = None
    api_version: str | None = None
    args: tuple[str, ...] | None = None
    env: tuple[ExecVariable, ...] | None = None
    install_hint: str | None = None
    provide_cluster_info: bool | None = None
    interactive_mode: str | None = None


class UserEntry(msgspec.Struct, frozen=True, rename="kebab"):
    """Under `users[].user`."""

    client_certificate: str | None = None
    client_certificate_data: str | None = None
    client_key: str | None = None
    client_key_data: str | None = None
    token: str | None = None
    token_file: str | None = msgspec.field(default=None, name="tokenFile")
    as_user: str | None = msgspec.field(default=None, name="as")
    as_uid: str | None = None
    as_groups: tuple[str, ...] | None = None
    as_user_extra: dict[str, tuple[str, ...]] | None = None
    username: str | None = None
    password: str | None = None
    auth_provider: Any = None
    exec: ExecEntry | None = None

    def __repr__(self) -> str:
        return "UserEntry(...)"


class ContextEntry(msgspec.Struct, frozen=True, rename="kebab"):
    """Under `contexts[].context`."""

    cluster: str | None = None
    user: str | None = None
    namespace: str | None = None


class _NamedCluster(msgspec.Struct, frozen=True):
    name: str
    cluster: ClusterEntry | None = None


class _NamedUser(msgspec.Struct, frozen=True):
    name: str
    user: UserEntry | None = None


class _NamedContext(msgspec.Struct, frozen=True):
    name: str
    context: ContextEntry | None = None


class _Document(msgspec.Struct, frozen=True, rename="kebab"):
    clusters: tuple[_NamedCluster, ...] | None = None
    users: tuple[_NamedUser, ...] | None = None
    contexts: tuple[_NamedContext, ...] | None = None
    current_context: str | None = None


EntryT = TypeVar("EntryT")


class Found(msgspec.Struct, Generic[EntryT], frozen=True):
    """An entry with the place that it came from."""

    entry: EntryT
    file: Path
    path: str
    """Field path inside the file, such as `clusters[0].cluster`."""

    def problem(self, field: str, words: str) -> str:
        """Say what is wrong, and where."""
        return f"{self.file}: {self.path}.{field}: {words}"

    def resolve(self, path: str) -> Path:
        """Return a path that stands in the file, relative to the file."""
        return (self.file.parent / Path(path)).absolute()


class Kubeconfig(msgspec.Struct, frozen=True):
    """Several files as one."""

    files: tuple[Path, ...]
    clusters: dict[str, Found[ClusterEntry]]
    users: dict[str, Found[UserEntry]]
    contexts: dict[str, Found[ContextEntry]]
    current_context: str


def read(files: Sequence[Path]) -> Kubeconfig:
    """Read and merge; files that are not there must have been sorted out before.

    Raises:
        InvalidInput: a file cannot be read, is not YAML, or not a kubeconfig.
    """
    clusters: dict[str, Found[ClusterEntry]] = {}
    users: dict[str, Found[UserEntry]] = {}
    contexts: dict[str, Found[ContextEntry]] = {}
    current = ""
    for file in files:
        document = _read_one(file)
        current = current or document.current_context or ""
        named_clusters = ((n.name, n.cluster or ClusterEntry()) for n in document.clusters or ())
        named_users = ((n.name, n.user or UserEntry()) for n in document.users or ())
        named_contexts = ((n.name, n.context or ContextEntry()) for n in document.contexts or ())
        _add(clusters, named_clusters, file, "cluster")
        _add(users, named_users, file, "user")
        _add(contexts, named_contexts, file, "context")
    return Kubeconfig(tuple(files), clusters, users, contexts, current)


def _add(
    known: dict[str, Found[EntryT]], named: Iterable[tuple[str, EntryT]], file: Path, word: str
) -> None:
    in_this_file: dict[str, int] = {}
    for index, (name, entry) in enumerate(named):
        if name in in_this_file:
            first = f"{word}s[{in_this_file[name]}]"
            raise errors.InvalidInput(
                str(file), [f"{word}s[{index}].name: {name!r} is the name of {first} already"]
            )
        in_this_file[name] = index
        known.setdefault(name, Found(entry, file, f"{word}s[{index}].{word}"))


def _read_one(file: Path) -> _Document:
    try:
        text = file.read_text()
    except (OSError, UnicodeDecodeError) as e:
        raise errors.InvalidInput(str(file), [f"cannot be read: {e}"]) from e
    try:
        # The class is a SafeLoader that makes only null, booleans, strings, lists and mappings.
        tree = yaml.load(text, Loader=_Loader)  # noqa: S506
        if isinstance(tree, dict) and "extensions" in text:
            _restore_extensions(tree, yaml.safe_load(text))
    except yaml.MarkedYAMLError as e:
        raise errors.InvalidInput(str(file), [_yaml_problem(e)]) from e
    except yaml.YAMLError as e:
        raise errors.InvalidInput(str(file), [f"not YAML: {e}"]) from e
    try:
        return msgspec.convert({} if tree is None else tree, type=_Document)
    except msgspec.ValidationError as e:
        raise errors.InvalidInput(str(file), [_field_problem(str(e))]) from e


def _restore_extensions(tree: dict[str, Any], typed: dict[str, Any]) -> None:
    """Put extensions in with their types: they are handed on to an exec plugin as they are."""
    named, typed_named = tree.get("clusters"), typed.get("clusters")
    if not isinstance(named, list) or not isinstance(typed_named, list):
        return
    for entry, typed_entry in zip(named, typed_named, strict=True):
        cluster = entry.get("cluster") if isinstance(entry, dict) else None
        if isinstance(cluster, dict) and "extensions" in cluster:
            cluster["extensions"] = typed_entry["cluster"]["extensions"]


# PyYAML may come without its C half.
class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML whose scalars stay as written: a token of digits or a name like 1e3 is a string."""

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:null", re.compile(r"^(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""]
)


def _yaml_problem(error: yaml.MarkedYAMLError) -> str:
    words = ", ".join(filter(None, [error.context, error.problem])) or "not YAML"
    mark = error.problem_mark or error.context_mark
    return words if mark is None else f"line {mark.line + 1}, column {mark.column + 1}: {words}"


def _field_problem(text: str) -> str:
    """Turn "Expected ... - at `$.a[0].b`" around, so that the path comes first."""
    words, separator, path = text.rpartition(" - at `$")
    return f"{path.strip('.`')}: {words}" if separator else f"{text}: not a kubeconfig"
