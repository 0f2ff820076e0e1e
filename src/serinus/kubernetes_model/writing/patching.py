"""From a patch to the object that it makes, for every kind of patch but apply's own merge."""

from __future__ import annotations

from typing import Any

from serinus.kubernetes_model import failures
from serinus.kubernetes_model.patches import PatchError, json_patch, merge_patch, strategic
from serinus.kubernetes_model.requests import Object, PatchType
from serinus.kubernetes_model.writing.behaviour import Behaviour, Manifest


def patched(behaviour: Behaviour, old: Object, patch: Any, patch_type: PatchType) -> Manifest:
    """Return the object with a patch carried out; parts that did not change are shared.

    Raises:
        Invalid: the patch is malformed, does not fit, or is of a type the resource does not take.
    """
    try:
        if patch_type is PatchType.JSON:
            result = json_patch.apply(old, patch)
        elif patch_type is PatchType.MERGE:
            if not isinstance(patch, dict):
                raise failures.bad_request("Invalid JSON Patch")
            result = merge_patch.apply(old, patch)
        elif not behaviour.merges_strategically:
            raise failures.unsupported_media_type(
                "the body of the request was in an unknown format - accepted media types include: "
                "application/json-patch+json, application/merge-patch+json, "
                "application/apply-patch+yaml"
            )
        else:
            result = strategic.apply(behaviour.node, old, patch)
    except json_patch.MalformedPatchError as error:
        raise failures.bad_request(str(error)) from error
    except PatchError as error:
        if patch_type is PatchType.JSON:
            raise failures.unprocessable(str(error)) from error
        raise failures.bad_request(str(error)) from error
    if not isinstance(result, dict) or not isinstance(result.get("metadata"), dict):
        raise failures.invalid_patch(result, "the result is no object with metadata")
    return result


def check_name(item: Manifest, name: str) -> None:
    """Refuse an object that has another name than the request's, or none.

    A server-side apply by the manager who named more of the metadata last time loses the name when
    its configuration does not say it.

    Raises:
        Invalid: the name is missing or differs.
    """
    metadata = item.get("metadata")
    given = metadata.get("name") if isinstance(metadata, dict) else None
    if not given:
        raise failures.bad_request(
            f"the name of the object ({name} based on URL) was undeterminable: name must be "
            "provided"
        )
    if given != name:
        raise failures.bad_request(
            f"the name of the object ({given}) does not match the name on the URL ({name})"
        )


def check_place(item: Manifest, old: Object) -> None:
    """Refuse a patch that renames the object or moves it.

    Raises:
        Invalid: name or namespace differ.
    """
    metadata, before = item["metadata"], old["metadata"]
    check_name(item, before["name"])
    if metadata.get("namespace", before.get("namespace")) != before.get("namespace"):
        raise failures.bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )


def configuration(behaviour: Behaviour, config: Any, name: str, namespace: str | None) -> Manifest:
    """Return an apply patch, checked for what the API server checks before it merges.

    Raises:
        Invalid: it names another kind, version, name or namespace.
    """
    resource = behaviour.resource
    if not isinstance(config, dict):
        raise failures.bad_request("error decoding YAML: the patch is no object")
    given = config.get("apiVersion", "")
    if given != resource.api_version or config.get("kind") != resource.kind:
        raise failures.bad_request(
            f"invalid object type: {given or '/'}, Kind={config.get('kind', '')}"
        )
    metadata = config.get("metadata") or {}
    if metadata.get("managedFields"):
        raise failures.bad_request("metadata.managedFields must be nil")
    if metadata.get("name", name) != name:
        raise failures.bad_request(
            f"the name of the object ({metadata['name']}) does not match the name on the URL "
            f"({name})"
        )
    if metadata.get("namespace", namespace) != namespace:
        raise failures.bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    _check_types(behaviour, config)
    return config


def _check_types(behaviour: Behaviour, config: Manifest) -> None:
    """Refuse unknown fields and wrong types, which a merge by type cannot carry."""
    problem = behaviour.apply_problem(config)
    if problem:
        resource = behaviour.resource
        metadata = config.get("metadata") or {}
        raise failures.unexplained(
            f"failed to create typed patch object "
            f"({metadata.get('namespace', '')}/{metadata.get('name', '')}; "
            f"{resource.api_version}, Kind={resource.kind}): {problem}"
        )
