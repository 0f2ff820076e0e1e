"""The Helm chart, made from the same manifests: marks in them become template actions.

A mark is `@@name@@` where the manifest has a value. Two installations are made, one for the whole
cluster and one for chosen namespaces; what differs between them is put under a condition.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import msgspec

import serinus
from scripts import generate_install, helm_values
from serinus.install import manifests
from serinus.install.settings import Manifest, Settings

_VALUES = {
    "namespace": "$.Release.Namespace",
    "managedBy": "$.Release.Service",
    "watched": ".",
    "policyVersion": 'include "serinus.policyVersion" $',
    "image": 'printf "%s:%s" $.Values.image.repository ($.Values.image.tag | default '
    "$.Chart.AppVersion) | quote",
    "pullPolicy": "$.Values.image.pullPolicy",
    "replicas": "$.Values.replicas",
    "logFormat": "$.Values.logFormat",
}
_OPTIONAL = {
    "imagePullSecrets": "$.Values.imagePullSecrets",
    "priorityClassName": "$.Values.priorityClassName",
    "nodeSelector": "$.Values.nodeSelector",
    "tolerations": "$.Values.tolerations",
    "affinity": "$.Values.affinity",
    "resources": "$.Values.resources",
    "annotations": "$.Values.podAnnotations",
}
"""Fields that are written only where their value is not empty."""

_MARK = re.compile(r"'?@@(\w+)@@'?")
_BLOCK = re.compile(r"^( *)(- )?(\w+): '@@block@@'$", re.MULTILINE)
_WATCHED_ARGUMENT = re.compile(r"^( *)- --watch-namespace=@@watched@@$", re.MULTILINE)
_KEEP = "helm.sh/resource-policy"

_HELPERS = """\
{{- define "serinus.policyVersion" -}}
{{- $group := "admissionregistration.k8s.io" -}}
{{- if $.Capabilities.APIVersions.Has (printf "%s/v1/MutatingAdmissionPolicy" $group) -}}
v1
{{- else if $.Capabilities.APIVersions.Has (printf "%s/v1beta1/MutatingAdmissionPolicy" $group) -}}
v1beta1
{{- else if eq $.Values.hold "policy" -}}
v1
{{- end -}}
{{- end -}}

{{- define "serinus.holdsByPolicy" -}}
{{- if and (ne $.Values.hold "field") (include "serinus.policyVersion" $) -}}true{{- end -}}
{{- end -}}
"""
_NOTES = """\
serinus {{ .Chart.AppVersion }} looks after releases in {{ if .Values.watchNamespaces -}}
{{ join ", " .Values.watchNamespaces }}{{ else }}all namespaces{{ end }}.
A changed template is held by {{ if include "serinus.holdsByPolicy" . }}an admission policy\
{{ else }}spec.paused{{ end }}.

What a release looks like: kubectl explain canaryrelease.spec
"""


def files() -> dict[str, str]:
    """Return the files of the chart."""
    head = generate_install.HEAD
    return {
        "Chart.yaml": head + generate_install.dump([_chart()]),
        "values.yaml": head + helm_values.values_yaml(),
        "values.schema.json": _json(helm_values.schema()),
        "templates/_helpers.tpl": _HELPERS,
        "templates/NOTES.txt": _NOTES,
        **{f"templates/{name}": text for name, text in _templates().items()},
    }


def _chart() -> Manifest:
    return {
        "apiVersion": "v2",
        "name": "serinus",
        "description": "Canary releases for plain Kubernetes Deployments",
        "type": "application",
        "version": serinus.__version__,
        "appVersion": serinus.__version__,
        "kubeVersion": ">=1.29.0-0",
        "keywords": ["canary", "progressive delivery", "deployment"],
    }


def _json(value: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n"


def _templates() -> dict[str, str]:
    whole = manifests.objects(_settings())
    chosen = manifests.objects(_settings(watch_namespaces=("@@watched@@",)))
    parts = generate_install.grouped(_merged(whole, chosen))
    del parts["namespace.yaml"]
    conditions = {
        "crd.yaml": "$.Values.crds.install",
        "policy.yaml": 'include "serinus.holdsByPolicy" $',
    }
    made = {}
    for name, objects in parts.items():
        text = "---\n".join(_template(each, whole, chosen) for each in objects)
        condition = conditions.get(name)
        made[name] = _under(f"if {condition}", text) if condition else text
    return made


def _settings(**more: Any) -> Settings:
    return Settings(
        namespace="@@namespace@@",
        image="@@image@@",
        policy_version="@@policyVersion@@",
        managed_by="@@managedBy@@",
        service_monitor=True,
        **more,
    )


def _merged(whole: list[Manifest], chosen: list[Manifest]) -> list[Manifest]:
    """Return what either has; of two forms of the workload, the one that names namespaces."""
    kept = [m for m in whole if m["kind"] != "Deployment"]
    return kept + [m for m in chosen if m not in kept]


def _template(manifest: Manifest, whole: Iterable[Manifest], chosen: Iterable[Manifest]) -> str:
    kind = manifest["kind"]
    if kind == "Deployment":
        return _filled(_with_values(manifest))
    if kind == "CustomResourceDefinition":
        manifest["metadata"].setdefault("annotations", {})[_KEEP] = "keep"
        line = re.compile(rf"^ *{re.escape(_KEEP)}: keep\n", re.MULTILINE)
        return line.sub(lambda m: _under("if $.Values.crds.keep", m[0]), _filled(manifest))
    text = _filled(manifest)
    if kind == "ServiceMonitor":
        return _under("if $.Values.serviceMonitor.enabled", text)
    if manifest["metadata"].get("namespace") == "@@watched@@":
        return _under("range $.Values.watchNamespaces", f"---\n{text}")
    if manifest not in chosen:
        return _under("if not $.Values.watchNamespaces", text)
    if manifest not in whole:
        return _under("if $.Values.watchNamespaces", text)
    return text


def _with_values(deployment: Manifest) -> Manifest:
    made: Manifest = generate_install.plain(deployment)
    made["spec"]["replicas"] = "@@replicas@@"
    template = made["spec"]["template"]
    template["metadata"]["annotations"] = "@@block@@"
    (container,) = template["spec"]["containers"]
    container["imagePullPolicy"] = "@@pullPolicy@@"
    container["resources"] = "@@block@@"
    container["args"] = [
        "--log-format=@@logFormat@@" if argument.startswith("--log-format") else argument
        for argument in container["args"]
    ]
    for name in _OPTIONAL:
        if name not in ("annotations", "resources"):
            template["spec"][name] = "@@block@@"
    return made


def _filled(manifest: Manifest) -> str:
    """Return a manifest as a template."""
    text = generate_install.dump([manifest])
    if "{{" in text:
        raise ValueError(f"{manifest['kind']} holds what Helm would take for an action")
    text = _WATCHED_ARGUMENT.sub(_watched_arguments, text)
    text = _BLOCK.sub(_optional_block, text)
    return _MARK.sub(lambda m: f"{{{{ {_VALUES[m[1]]} }}}}", text)


def _watched_arguments(found: re.Match[str]) -> str:
    line = f"{found[1]}- --watch-namespace=@@watched@@\n"
    return _under("range $.Values.watchNamespaces", line).rstrip("\n")


def _optional_block(found: re.Match[str]) -> str:
    indent, name = found[1], found[3]
    value = _OPTIONAL[name]
    block = f"{indent}{name}:\n{indent}  {{{{- toYaml . | nindent {len(indent) + 2} }}}}\n"
    if name == "priorityClassName":
        block = f"{indent}{name}: {{{{ . }}}}\n"
    return _under(f"with {value}", block).rstrip("\n")


def _under(action: str, text: str) -> str:
    return f"{{{{- {action} }}}}\n{text}{{{{- end }}}}\n"
