"""Label and field selectors: parse the query's text, match labels and fields."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from serinus.kubernetes_model import failures

_REQUIREMENT = re.compile(
    r"\s*(?:(?P<not>!)\s*(?P<absent>[^\s,=!()<>]+)"
    r"|(?P<key>[^\s,=!()<>]+)\s*"
    r"(?:(?P<op>==|=|!=|<|>)\s*(?P<value>[^\s,=!()<>]*)"
    r"|\s(?P<word>in|notin)\s*\((?P<values>[^()]*)\))?)\s*(?:,|$)"
)


class Requirement(msgspec.Struct, frozen=True):
    """One condition on one key."""

    key: str
    operator: str
    """`In`, `NotIn`, `Exists`, `DoesNotExist`, `Gt` or `Lt`."""
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Tell whether a set of labels meets it."""
        value = labels.get(self.key)
        if self.operator == "In":
            return value in self.values
        if self.operator == "NotIn":
            return value is None or value not in self.values
        if self.operator == "Exists":
            return value is not None
        if self.operator == "DoesNotExist":
            return value is None
        try:
            left, right = int(value or ""), int(self.values[0])
        except ValueError:
            return False
        return left > right if self.operator == "Gt" else left < right


class LabelSelector(msgspec.Struct, frozen=True):
    """Conditions that must all hold."""

    requirements: tuple[Requirement, ...] = ()

    def matches(self, labels: Mapping[str, str] | None) -> bool:
        """Tell whether a set of labels meets all conditions."""
        found = labels or {}
        return all(requirement.matches(found) for requirement in self.requirements)


@functools.lru_cache(maxsize=512)
def parse_labels(text: str) -> LabelSelector:
    """Parse a label selector as it stands in a query.

    Raises:
        Invalid: it cannot be parsed.
    """
    requirements: list[Requirement] = []
    position = 0
    while position < len(text):
        match = _REQUIREMENT.match(text, position)
        if match is None or match.end() == position:
            rest = text[position:].strip()
            raise failures.bad_request(
                f"unable to parse requirement: found '{rest}', expected: identifier"
            )
        requirements.append(_requirement(match))
        position = match.end()
    return LabelSelector(tuple(requirements))


def _requirement(match: re.Match[str]) -> Requirement:
    if match["absent"]:
        return Requirement(match["absent"], "DoesNotExist")
    key = match["key"]
    if match["word"]:
        values = tuple(value.strip() for value in match["values"].split(","))
        return Requirement(key, "In" if match["word"] == "in" else "NotIn", values)
    if match["op"] is None:
        return Requirement(key, "Exists")
    operators = {"=": "In", "==": "In", "!=": "NotIn", ">": "Gt", "<": "Lt"}
    return Requirement(key, operators[match["op"]], (match["value"],))


def of_object(selector: Mapping[str, Any] | None) -> LabelSelector | None:
    """Return a LabelSelector object (matchLabels, matchExpressions); None selects nothing."""
    if selector is None:
        return None
    requirements = [
        Requirement(key, "In", (value,)) for key, value in selector.get("matchLabels", {}).items()
    ]
    for expression in selector.get("matchExpressions", ()):
        values = tuple(expression.get("values", ()))
        requirements.append(Requirement(expression["key"], expression["operator"], values))
    return LabelSelector(tuple(requirements))


def as_text(selector: LabelSelector) -> str:
    """Return a selector as it stands in a query, its terms sorted by key."""
    return ",".join(_term(r) for r in sorted(selector.requirements, key=lambda r: r.key))


def _term(requirement: Requirement) -> str:
    key, values = requirement.key, ",".join(sorted(requirement.values))
    if requirement.operator == "Exists":
        return key
    if requirement.operator == "DoesNotExist":
        return f"!{key}"
    if requirement.operator == "In" and len(requirement.values) == 1:
        return f"{key}={values}"
    return f"{key} {'in' if requirement.operator == 'In' else 'notin'} ({values})"


Fields = Callable[[Mapping[str, Any]], Mapping[str, str]]


def parse_fields(text: str) -> LabelSelector:
    """Parse a field selector: `=`, `==` and `!=` joined by commas.

    Raises:
        Invalid: it cannot be parsed.
    """
    requirements: list[Requirement] = []
    for term in filter(None, text.split(",")):
        for sign, operator in (("!=", "NotIn"), ("==", "In"), ("=", "In")):
            key, found, value = term.partition(sign)
            if found:
                requirements.append(Requirement(key.strip(), operator, (value.strip(),)))
                break
        else:
            raise failures.bad_request(f"invalid selector: '{text}'; can't understand '{term}'")
    return LabelSelector(tuple(requirements))


def fields_of(kind: str, item: Mapping[str, Any]) -> dict[str, str]:
    """Return the fields by which objects of a kind may be selected."""
    metadata = item["metadata"]
    fields = {
        "metadata.name": metadata["name"],
        "metadata.namespace": metadata.get("namespace", ""),
    }
    more = _MORE_FIELDS.get(kind)
    if more is not None:
        fields.update(more(item))
    return fields


def field_problem(kind: str, field: str) -> str:
    """Return why objects of a kind cannot be selected by a field; empty when they can."""
    if field in {"metadata.name", "metadata.namespace"}:
        return ""
    more = _MORE_FIELDS.get(kind)
    if more is None:
        return (
            f'"{field}" is not a known field selector: only "metadata.name", "metadata.namespace"'
        )
    return (
        "" if field in more({"spec": {}, "status": {}}) else f"field label not supported: {field}"
    )


def _pod(item: Mapping[str, Any]) -> dict[str, str]:
    spec, status = item["spec"], item["status"]
    addresses = status.get("podIPs") or [{}]
    return {
        "spec.nodeName": spec.get("nodeName", ""),
        "spec.restartPolicy": spec.get("restartPolicy", ""),
        "spec.schedulerName": spec.get("schedulerName", ""),
        "spec.serviceAccountName": spec.get("serviceAccountName", ""),
        "spec.hostNetwork": "true" if spec.get("hostNetwork") else "false",
        "status.phase": status.get("phase", ""),
        "status.podIP": addresses[0].get("ip", ""),
        "status.nominatedNodeName": status.get("nominatedNodeName", ""),
    }


def _event(item: Mapping[str, Any]) -> dict[str, str]:
    about = item.get("involvedObject", {})
    fields = {
        f"involvedObject.{key}": about.get(key, "")
        for key in (
            "kind",
            "namespace",
            "name",
            "uid",
            "apiVersion",
            "resourceVersion",
            "fieldPath",
        )
    }
    source = item.get("source", {}).get("component") or item.get("reportingComponent", "")
    return fields | {
        "reason": item.get("reason", ""),
        "reportingComponent": item.get("reportingComponent", ""),
        "source": source,
        "type": item.get("type", ""),
    }


_MORE_FIELDS: dict[str, Callable[[Mapping[str, Any]], dict[str, str]]] = {
    "Event": _event,
    "Namespace": lambda item: {"status.phase": item["status"].get("phase", "")},
    "Node": lambda item: {
        "spec.unschedulable": "true" if item["spec"].get("unschedulable") else "false"
    },
    "Pod": _pod,
    "ReplicaSet": lambda item: {"status.replicas": str(item["status"].get("replicas", 0))},
    "Secret": lambda item: {"type": item.get("type", "")},
    "Service": lambda item: {
        "spec.clusterIP": item["spec"].get("clusterIP", ""),
        "spec.type": item["spec"].get("type", ""),
    },
}
