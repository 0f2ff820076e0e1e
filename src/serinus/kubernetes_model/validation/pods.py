"""Pods and pod templates (Kubernetes 1.36, pkg/apis/core/validation/validation.go)."""

from __future__ import annotations

import re
from typing import Any

from serinus.kubernetes_model import failures, quantity
from serinus.kubernetes_model.failures import Problem
from serinus.kubernetes_model.validation import names, numbers

_PROTOCOLS = ("SCTP", "TCP", "UDP")
_PULL_POLICIES = ("Always", "IfNotPresent", "Never")
_RESTART_POLICIES = ("Always", "OnFailure", "Never")
_MESSAGE_POLICIES = ("File", "FallbackToLogsOnError")
_DNS_POLICIES = ("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None")
_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc", "sleep")
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_PROBE_COUNTS = (
    "initialDelaySeconds",
    "timeoutSeconds",
    "periodSeconds",
    "successThreshold",
    "failureThreshold",
)
_ENVIRONMENT_NAME = re.compile(r"[ -<>-~]+")
_ENVIRONMENT_WORDS = (
    "a valid environment variable name must consist only of printable ASCII characters other than "
    "'='"
)
_UPDATABLE = (
    "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,"
    "`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)


def check_pod(pod: dict[str, Any]) -> list[Problem]:
    """Return what is wrong with a new Pod."""
    return check_spec(pod["spec"], "spec")


def check_template(template: dict[str, Any], field: str) -> list[Problem]:
    """Return what is wrong with a pod template."""
    labels = template["metadata"].get("labels", {})
    problems = names.check_labels(labels, f"{field}.labels")
    for key in template["metadata"].get("annotations", {}):
        words = names.qualified(key.lower())
        problems += [failures.invalid(f"{field}.annotations", key, w) for w in words]
    problems += check_spec(template["spec"], f"{field}.spec")
    if template["spec"].get("ephemeralContainers"):
        words_ = "ephemeral containers not allowed in pod template"
        problems.append(failures.forbidden_field(f"{field}.spec.ephemeralContainers", words_))
    return problems


def check_spec(spec: dict[str, Any], field: str) -> list[Problem]:
    """Return what is wrong with a pod's specification."""
    problems: list[Problem] = []
    volumes = _check_volumes(spec.get("volumes", ()), f"{field}.volumes", problems)
    containers = spec.get("containers") or ()
    if not containers:
        problems.append(failures.required(f"{field}.containers"))
    seen: set[str] = set()
    for name in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(name) or ()):
            path = f"{field}.{name}[{index}]"
            problems += _check_container(container, path, volumes)
            if container.get("name") in seen:
                problems.append(failures.duplicate(f"{path}.name", container["name"]))
            seen.add(container.get("name", ""))
    problems += _check_choices(spec, field)
    deadline = spec.get("activeDeadlineSeconds")
    if deadline is not None and not 0 < deadline < 1 << 31:
        words = "must be between 1 and 2147483647, inclusive"
        problems.append(failures.invalid(f"{field}.activeDeadlineSeconds", deadline, words))
    for key, rule in (("nodeName", names.subdomain), ("serviceAccountName", names.subdomain)):
        if spec.get(key):
            found = rule(spec[key])
            problems += [failures.invalid(f"{field}.{key}", spec[key], w) for w in found]
    for key in ("hostname", "subdomain"):
        if spec.get(key):
            found = names.label(spec[key])
            problems += [failures.invalid(f"{field}.{key}", spec[key], w) for w in found]
    problems += names.check_labels(spec.get("nodeSelector", {}), f"{field}.nodeSelector")
    return problems


def _check_choices(spec: dict[str, Any], field: str) -> list[Problem]:
    problems = _check_choice(spec, "restartPolicy", _RESTART_POLICIES, field)
    return problems + _check_choice(spec, "dnsPolicy", _DNS_POLICIES, field)


def _check_volumes(volumes: Any, field: str, problems: list[Problem]) -> frozenset[str]:
    found: set[str] = set()
    for index, volume in enumerate(volumes):
        name = volume.get("name", "")
        path = f"{field}[{index}]"
        if not name:
            problems.append(failures.required(f"{path}.name"))
        problems += [failures.invalid(f"{path}.name", name, w) for w in names.label(name) if name]
        if name in found:
            problems.append(failures.duplicate(f"{path}.name", name))
        found.add(name)
        sources = [key for key in volume if key != "name"]
        problems += [
            failures.forbidden_field(f"{path}.{key}", "may not specify more than 1 volume type")
            for key in sources[1:]
        ]
    return frozenset(found)


def _check_container(
    container: dict[str, Any], field: str, volumes: frozenset[str]
) -> list[Problem]:
    problems: list[Problem] = []
    name = container.get("name", "")
    if not name:
        problems.append(failures.required(f"{field}.name"))
    else:
        problems += [failures.invalid(f"{field}.name", name, w) for w in names.label(name)]
    if not container.get("image"):
        problems.append(failures.required(f"{field}.image"))
    problems += _check_choice(container, "terminationMessagePolicy", _MESSAGE_POLICIES, field)
    if "ports" in container:
        problems += _check_ports(container["ports"], f"{field}.ports")
    if "env" in container:
        problems += _check_environment(container["env"], f"{field}.env")
    if "volumeMounts" in container:
        problems += _check_mounts(container["volumeMounts"], f"{field}.volumeMounts", volumes)
    problems += _check_choice(container, "imagePullPolicy", _PULL_POLICIES, field)
    if container["resources"]:
        problems += _check_resources(container["resources"], f"{field}.resources")
    return problems + _check_handlers(container, field)


def _check_choice(
    owner: dict[str, Any], key: str, choices: tuple[str, ...], field: str
) -> list[Problem]:
    if owner[key] in choices:
        return []
    return [failures.not_supported(f"{field}.{key}", owner[key], choices)]


def _check_handlers(container: dict[str, Any], field: str) -> list[Problem]:
    problems: list[Problem] = []
    for hook, handler in container.get("lifecycle", {}).items():
        if isinstance(handler, dict):
            problems += _check_handler(handler, f"{field}.lifecycle.{hook}")
    for probe in _PROBES:
        if probe in container:
            problems += _check_probe(container[probe], f"{field}.{probe}", probe)
    return problems


def _check_ports(ports: list[dict[str, Any]], field: str) -> list[Problem]:
    problems: list[Problem] = []
    seen: set[str] = set()
    for index, port in enumerate(ports):
        path = f"{field}[{index}]"
        name = port.get("name", "")
        if name:
            words = names.port_name(name)
            problems += [failures.invalid(f"{path}.name", name, w) for w in words]
            if name in seen:
                problems.append(failures.duplicate(f"{path}.name", name))
            seen.add(name)
        number = port.get("containerPort", 0)
        if not number:
            problems.append(failures.required(f"{path}.containerPort"))
        else:
            problems += numbers.check_port(number, f"{path}.containerPort")
        if port.get("hostPort"):
            problems += numbers.check_port(port["hostPort"], f"{path}.hostPort")
        if port["protocol"] not in _PROTOCOLS:
            problems.append(
                failures.not_supported(f"{path}.protocol", port["protocol"], _PROTOCOLS)
            )
    return problems


def _check_environment(variables: list[dict[str, Any]], field: str) -> list[Problem]:
    problems: list[Problem] = []
    for index, variable in enumerate(variables):
        path = f"{field}[{index}]"
        name = variable.get("name", "")
        if not name:
            problems.append(failures.required(f"{path}.name"))
        elif not _ENVIRONMENT_NAME.fullmatch(name):
            problems.append(failures.invalid(f"{path}.name", name, _ENVIRONMENT_WORDS))
        source = variable.get("valueFrom")
        if source is None:
            continue
        if variable.get("value"):
            words = "may not be specified when `value` is not empty"
            problems.append(failures.invalid(f"{path}.valueFrom", "", words))
        if len(source) > 1:
            words = "may not have more than one field specified at a time"
            problems.append(failures.invalid(f"{path}.valueFrom", "", words))
        elif not source:
            words = (
                "must specify one of: `configMapKeyRef`, `fieldRef`, `fileKeyRef`, "
                "`resourceFieldRef` or `secretKeyRef`"
            )
            problems.append(failures.invalid(f"{path}.valueFrom", "", words))
    return problems


def _check_mounts(
    mounts: list[dict[str, Any]], field: str, volumes: frozenset[str]
) -> list[Problem]:
    problems: list[Problem] = []
    seen: set[str] = set()
    for index, mount in enumerate(mounts):
        path = f"{field}[{index}]"
        name, where = mount.get("name", ""), mount.get("mountPath", "")
        if not name:
            problems.append(failures.required(f"{path}.name"))
        if name not in volumes:
            problems.append(Problem(f"{path}.name", "FieldValueNotFound", name))
        if not where:
            problems.append(failures.required(f"{path}.mountPath"))
        if where in seen:
            problems.append(failures.invalid(f"{path}.mountPath", where, "must be unique"))
        seen.add(where)
    return problems


def _check_resources(resources: dict[str, Any], field: str) -> list[Problem]:
    problems: list[Problem] = []
    limits = resources.get("limits", {})
    for kind in ("limits", "requests"):
        for name, value in resources.get(kind, {}).items():
            path = f"{field}.{kind}[{name}]"
            if quantity.parse(value) < 0:
                words = "must be greater than or equal to 0"
                problems.append(failures.invalid(path, value, words))
    for name, value in resources.get("requests", {}).items():
        if name in limits and quantity.parse(value) > quantity.parse(limits[name]):
            words = f"must be less than or equal to {name} limit of {limits[name]}"
            problems.append(failures.invalid(f"{field}.requests", value, words))
    return problems


def _check_probe(probe: dict[str, Any], field: str, kind: str) -> list[Problem]:
    problems = _check_handler(probe, field)
    problems += numbers.check_counts(probe, _PROBE_COUNTS, field)
    if kind != "readinessProbe" and probe["successThreshold"] != 1:
        threshold = probe["successThreshold"]
        problems.append(failures.invalid(f"{field}.successThreshold", threshold, "must be 1"))
    return problems


def _check_handler(handler: dict[str, Any], field: str) -> list[Problem]:
    given = [key for key in _HANDLERS if key in handler]
    if not given:
        return [failures.required(field, "must specify a handler type")]
    words = "may not specify more than 1 handler type"
    problems = [failures.forbidden_field(f"{field}.{key}", words) for key in given[1:]]
    action, path = handler[given[0]], f"{field}.{given[0]}"
    if given[0] == "exec" and not action.get("command"):
        problems.append(failures.required(f"{path}.command"))
    if given[0] in {"httpGet", "tcpSocket", "grpc"}:
        problems += numbers.check_port_or_name(action.get("port", 0), f"{path}.port")
    if given[0] == "httpGet" and action["scheme"] not in {"HTTP", "HTTPS"}:
        choices = ("HTTP", "HTTPS")
        problems.append(failures.not_supported(f"{path}.scheme", action["scheme"], choices))
    return problems


def check_pod_update(new: dict[str, Any], old: dict[str, Any]) -> list[Problem]:
    """Refuse changes of a running pod's specification, but for the few that are allowed."""
    spec, before = new["spec"], old["spec"]
    for key in ("containers", "initContainers"):
        if len(spec.get(key) or ()) != len(before.get(key) or ()):
            words = "pod updates may not add or remove containers"
            return [failures.forbidden_field(f"spec.{key}", words)]
    problems = [
        failures.required(f"spec.{key}[{index}].image")
        for key in ("containers", "initContainers")
        for index, container in enumerate(spec.get(key) or ())
        if not container.get("image")
    ]
    if _fixed(spec) != _fixed(before):
        words = f"pod updates may not change fields other than {_UPDATABLE}\n"
        problems.append(failures.forbidden_field("spec", words))
    return problems


def _fixed(spec: dict[str, Any]) -> dict[str, Any]:
    """Return what of a specification may never change."""
    kept = {
        key: value
        for key, value in spec.items()
        if key not in {"activeDeadlineSeconds", "tolerations", "schedulingGates"}
    }
    for key in ("containers", "initContainers"):
        kept[key] = [{**container, "image": ""} for container in spec.get(key) or ()]
    return kept
