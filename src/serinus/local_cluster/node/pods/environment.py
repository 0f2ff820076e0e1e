"""A container's environment variables, and `$(NAME)` in its command; pure.

After pkg/kubelet/kubelet_pods.go (makeEnvironmentVariables) and
third_party/forked/golang/expansion of Kubernetes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from serinus import errors
from serinus.local_cluster.node.pods.spec import Container, EnvVarSource, KeySelector, Pod

Lookup = Callable[[str, str], Mapping[str, str] | None]
"""From ("ConfigMap" or "Secret", name) to its data, or None when there is none of that name."""

_SUBSCRIPT = re.compile(r"(metadata\.(?:labels|annotations))\['([^']+)'\]")
_REFERENCE = re.compile(r"\$(?:\$|\(([^()$]*)\))")


class VariableError(errors.DataPlaneError):
    """A variable cannot be given its value; the message says which and why."""


def build(
    pod: Pod,
    container: Container,
    *,
    given: Mapping[str, str],
    lookup: Lookup,
    own_fields: Mapping[str, str],
) -> dict[str, str]:
    """Return all variables of a container.

    Args:
        pod: the pod as the API server has it.
        container: the container of it.
        given: variables that are there before the container's own, which may refer to them.
        lookup: reads ConfigMaps and Secrets.
        own_fields: `status.podIP` and other fields that the node knows better than the manifest.

    Raises:
        VariableError: something that is not optional is missing.
    """
    result = dict(given)
    for source in container.env_from or ():
        kind = "ConfigMap" if source.config_map_ref else "Secret"
        reference = source.config_map_ref or source.secret_ref
        if reference is None:
            continue
        data = lookup(kind, reference.name)
        if data is None and not reference.optional:
            raise VariableError(f'{kind.lower()} "{reference.name}" not found')
        result |= {source.prefix + key: value for key, value in (data or {}).items()}
    for variable in container.env or ():
        if variable.value_from is None:
            result[variable.name] = expand(variable.value or "", result)
            continue
        value = _value(pod, container, variable.value_from, lookup=lookup, own_fields=own_fields)
        if value is not None:
            result[variable.name] = value
    return result


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Replace `$(NAME)` by a variable's value, and `$$` by `$`; what is unknown stays as it is."""

    def replace(match: re.Match[str]) -> str:
        name = match[1]
        return "$" if name is None else variables.get(name, match[0])

    return _REFERENCE.sub(replace, text)


def expand_all(words: Sequence[str], variables: Mapping[str, str]) -> list[str]:
    """Replace `$(NAME)` in each word."""
    return [expand(word, variables) for word in words]


def _value(
    pod: Pod,
    container: Container,
    source: EnvVarSource,
    *,
    lookup: Lookup,
    own_fields: Mapping[str, str],
) -> str | None:
    if source.field_ref is not None:
        return _field(pod, source.field_ref.field_path, own_fields)
    if source.config_map_key_ref is not None:
        return _key("ConfigMap", source.config_map_key_ref, lookup)
    if source.secret_key_ref is not None:
        return _key("Secret", source.secret_key_ref, lookup)
    resource = source.resource_field_ref
    if resource is not None:
        group, _, name = resource.resource.partition(".")
        chosen = container
        for each in (*pod.spec.containers, *(pod.spec.init_containers or ())):
            if each.name == resource.container_name:
                chosen = each
        found = chosen.resources.limits if group == "limits" else chosen.resources.requests
        if str(resource.divisor) not in {"0", "1"}:
            raise VariableError(
                f"resourceFieldRef {resource.resource}: a divisor other than 1 is not supported"
            )
        return str((found or {}).get(name, "0"))
    return None


def _key(kind: str, selector: KeySelector, lookup: Lookup) -> str | None:
    data = lookup(kind, selector.name)
    if data is not None and selector.key in data:
        return data[selector.key]
    if selector.optional:
        return None
    if data is None:
        raise VariableError(f'{kind.lower()} "{selector.name}" not found')
    raise VariableError(f"couldn't find key {selector.key} in {kind} {selector.name}")


def _field(pod: Pod, path: str, own_fields: Mapping[str, str]) -> str:
    if path in own_fields:
        return own_fields[path]
    metadata = pod.metadata
    maps = {"metadata.labels": metadata.labels, "metadata.annotations": metadata.annotations}
    subscript = _SUBSCRIPT.fullmatch(path)
    if subscript is not None:
        return (maps[subscript[1]] or {}).get(subscript[2], "")
    if path in maps:
        return "\n".join(f'{k}="{v}"' for k, v in sorted((maps[path] or {}).items()))
    known = {
        "metadata.name": metadata.name,
        "metadata.namespace": metadata.namespace,
        "metadata.uid": metadata.uid,
        "spec.nodeName": pod.spec.node_name or "",
        "spec.serviceAccountName": pod.spec.service_account_name,
    }
    if path not in known:
        raise VariableError(f"fieldRef {path}: not a field that a container may ask for")
    return known[path]
