"""The values of the Helm chart: what each means, its default, and what may stand there."""

from __future__ import annotations

import textwrap
from typing import Any

import msgspec
import yaml

import serinus

_TEXT = {"type": "string"}
_FLAG = {"type": "boolean"}
_MAP = {"type": "object"}
_LIST = {"type": "array"}


class Value(msgspec.Struct, frozen=True):
    """One value; the path has at most two names."""

    path: str
    default: Any
    schema: dict[str, Any]
    words: str


VALUES = (
    Value("image.repository", "serinus", _TEXT, "The image, without its tag."),
    Value(
        "image.tag", "", _TEXT, f"Its tag; the chart's appVersion ({serinus.__version__}) if empty."
    ),
    Value(
        "image.pullPolicy",
        "IfNotPresent",
        {"enum": ["Always", "IfNotPresent", "Never"]},
        "When nodes ask for it.",
    ),
    Value("imagePullSecrets", [], _LIST, "Names of secrets for the registry: [{name: ...}]."),
    Value("replicas", 2, {"type": "integer", "minimum": 1}, "One leads, the others stand by."),
    Value(
        "watchNamespaces",
        [],
        {"type": "array", "items": _TEXT, "uniqueItems": True},
        "Look after releases there only, with Roles for a ClusterRole; everywhere if empty.",
    ),
    Value(
        "hold",
        "auto",
        {"enum": ["auto", "policy", "field"]},
        "What holds a changed template. policy: a MutatingAdmissionPolicy (Kubernetes 1.36; 1.34 "
        "with the beta on). field: spec.paused, everywhere. auto: what the cluster offers.",
    ),
    Value(
        "crds.install",
        default=True,
        schema=_FLAG,
        words="Install and upgrade the definition of CanaryReleases.",
    ),
    Value(
        "crds.keep",
        default=True,
        schema=_FLAG,
        words="Leave it, and so all releases, when the chart is uninstalled.",
    ),
    Value(
        "serviceMonitor.enabled",
        default=False,
        schema=_FLAG,
        words="A ServiceMonitor for the Prometheus operator.",
    ),
    Value("logFormat", "json", {"enum": ["json", "text"]}, "How the controller writes its log."),
    Value(
        "resources",
        {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}},
        _MAP,
        "What a replica asks for; without a limit of CPU, as a throttled leader loses its lease.",
    ),
    Value(
        "priorityClassName",
        "",
        _TEXT,
        "The pods' priority; without the controller traffic stays as it is.",
    ),
    Value("podAnnotations", {}, _MAP, "More annotations of the controller's pods."),
    Value("nodeSelector", {}, _MAP, "Which nodes."),
    Value("tolerations", [], _LIST, "Which taints of nodes do not matter."),
    Value("affinity", {}, _MAP, "Where rather; replicas spread over nodes without it."),
)


def values() -> dict[str, Any]:
    """Return the defaults as a tree."""
    tree: dict[str, Any] = {}
    for value in VALUES:
        head, _, name = value.path.partition(".")
        if name:
            tree.setdefault(head, {})[name] = value.default
        else:
            tree[head] = value.default
    return tree


def values_yaml() -> str:
    """Return values.yaml, each value below what it means."""
    lines: list[str] = []
    group = ""
    for value in VALUES:
        head, _, name = value.path.partition(".")
        indent = "  " if name else ""
        if name and head != group:
            lines += ["", f"{head}:"]
        elif not name:
            lines.append("")
        group = head
        lines += textwrap.wrap(
            value.words, 100, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# "
        )
        text = yaml.safe_dump({name or head: value.default}, sort_keys=False)
        lines += [f"{indent}{line}" for line in text.splitlines()]
    return "\n".join(lines) + "\n"


def schema() -> dict[str, Any]:
    """Return values.schema.json: everything else is refused by Helm."""
    fields: dict[str, Any] = {}
    for value in VALUES:
        head, _, name = value.path.partition(".")
        said = {"description": value.words, **value.schema}
        if not name:
            fields[head] = said
            continue
        group = fields.setdefault(
            head, {"type": "object", "properties": {}, "additionalProperties": False}
        )
        group["properties"][name] = said
    # Helm itself passes `global` down to every chart.
    fields["global"] = {"type": "object"}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "properties": fields,
        "additionalProperties": False,
    }
