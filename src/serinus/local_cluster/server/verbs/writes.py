"""Create, replace, patch and delete."""

from __future__ import annotations

from typing import Any

from serinus import errors
from serinus.kubernetes_model import (
    DeleteOptions,
    FieldValidation,
    Object,
    Propagation,
    WriteOptions,
    Written,
    failures,
)
from serinus.kubernetes_model.kinds import KINDS
from serinus.local_cluster.server.live_cluster import LiveCluster
from serinus.local_cluster.server.serving import bodies
from serinus.local_cluster.server.serving.call import Call, Reply, field_selector, json_reply
from serinus.local_cluster.server.serving.targets import Target
from serinus.local_cluster.server.verbs.presenting import Presenter

_MANAGER_LENGTH_MAX = 128
# Kinds whose store gives back the object, not a Status, when it is gone (rest.Store's
# ReturnDeletedObject in pkg/registry/core of Kubernetes 1.36).
_RETURNED_WHEN_DELETED = frozenset({"pods", "services", "serviceaccounts"})


class Writer:
    """Answer the verbs that change something."""

    def __init__(self, live: LiveCluster, presenter: Presenter) -> None:
        self._live = live
        self._presenter = presenter

    def create(self, call: Call, target: Target) -> Reply:
        """Create an object, a binding or an eviction."""
        body = _manifest(call, target)
        options = _write_options(call)
        written = self._live.write(
            lambda: self._live.cluster.create(
                target.resource,
                body,
                target.namespace,
                now=self._live.clock.now_ms(),
                options=options,
                subresource=target.subresource,
                name=target.name,
            )
        )
        return self._written(call, target, written, 201)

    def replace(self, call: Call, target: Target) -> Reply:
        """Replace an object, its status or its scale."""
        body = _manifest(call, target)
        options = _write_options(call)
        written = self._live.write(
            lambda: self._live.cluster.replace(
                target.resource,
                target.name or "",
                body,
                target.namespace,
                now=self._live.clock.now_ms(),
                options=options,
                subresource=target.subresource,
            )
        )
        return self._written(call, target, written, 201 if written.created else 200)

    def patch(self, call: Call, target: Target) -> Reply:
        """Change an object by one of the four kinds of patch."""
        patch_type, patch = bodies.patch(call)
        options = _write_options(call)
        written = self._live.write(
            lambda: self._live.cluster.patch(
                target.resource,
                target.name or "",
                patch,
                target.namespace,
                patch_type=patch_type,
                now=self._live.clock.now_ms(),
                options=options,
                subresource=target.subresource,
            )
        )
        return self._written(call, target, written, 201 if written.created else 200)

    def delete(self, call: Call, target: Target) -> Reply:
        """Delete one object, or mark it."""
        options = _delete_options(call)
        written = self._live.write(
            lambda: self._live.cluster.delete(
                target.resource,
                target.name or "",
                target.namespace,
                now=self._live.clock.now_ms(),
                options=options,
            )
        )
        if written.deleted and target.resource.plural not in _RETURNED_WHEN_DELETED:
            return json_reply(_deleted(target, written.object))
        return self._written(call, target, written, 200)

    def delete_collection(self, call: Call, target: Target) -> Reply:
        """Delete all objects that a selector finds."""
        options = _delete_options(call)
        page = self._live.write(
            lambda: self._live.cluster.delete_collection(
                target.resource,
                target.namespace,
                now=self._live.clock.now_ms(),
                options=options,
                label_selector=call.query.get("labelSelector"),
                field_selector=field_selector(call, target.resource),
            )
        )
        return self._presenter.page(call, target.resource, page)

    def _written(self, call: Call, target: Target, written: Written, status: int) -> Reply:
        warnings = tuple(("Warning", _warning(text)) for text in written.warnings)
        return self._presenter.one(
            call, target.resource, written.object, status=status, headers=warnings
        )


def _manifest(call: Call, target: Target) -> Object:
    """Return the object that a request carries.

    Raises:
        Invalid: it does not say what it is; for built-in kinds the address is enough.
    """
    body = bodies.manifest(call)
    for name, key in (("apiVersion", "apiVersion"), ("Kind", "kind")):
        if not body.get(key) and target.resource not in KINDS:
            raise failures.bad_request(
                "the object provided is unrecognized (must be of type "
                f"{target.resource.kind}): Object '{name}' is missing"
            )
    return body


def _warning(text: str) -> str:
    """Return a `Warning` header's value (RFC 7234, section 5.5; 299 is what Kubernetes sends)."""
    quoted = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ").replace("\r", " ")
    return f'299 - "{quoted}"'


def _manager(call: Call) -> str:
    """Return who writes: as named, or the first word of the User-Agent."""
    named = call.query.get("fieldManager")
    if named:
        if len(named) > _MANAGER_LENGTH_MAX:
            raise errors.Invalid(
                f"fieldManager: Too long: may not be more than {_MANAGER_LENGTH_MAX} bytes",
                code=422,
                details={},
            )
        return named
    agent = call.headers.get("user-agent", "").partition("/")[0]
    return agent[:_MANAGER_LENGTH_MAX] or "unknown"


def _write_options(call: Call) -> WriteOptions:
    is_apply = bodies.media_type(call) == "application/apply-patch+yaml"
    if is_apply and not call.query.get("fieldManager"):
        raise errors.Invalid(
            'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for '
            "apply patch",
            code=422,
            details={},
        )
    if not is_apply and call.flag("force"):
        raise errors.Invalid(
            'PatchOptions.meta.k8s.io "" is invalid: force: Forbidden: may not be specified for '
            "non-apply patch",
            code=422,
            details={},
        )
    validation = call.query.get("fieldValidation") or "Warn"
    try:
        field_validation = FieldValidation(validation)
    except ValueError:
        raise errors.Invalid(
            f'fieldValidation: Unsupported value: "{validation}": supported values: "Ignore", '
            '"Warn", "Strict"',
            code=422,
            details={},
        ) from None
    return WriteOptions(
        field_manager=_manager(call),
        force=call.flag("force"),
        dry_run=_dry_run(call.query.get("dryRun")),
        field_validation=field_validation,
        user=call.user,
    )


def _dry_run(value: str | None) -> bool:
    if value not in {None, "", "All"}:
        raise errors.Invalid(
            f'dryRun: Unsupported value: "{value}": supported values: "All"', code=422, details={}
        )
    return value == "All"


def _delete_options(call: Call) -> DeleteOptions:
    """Join what the body and the query say; the body counts first, as in Kubernetes."""
    body = bodies.options(call)
    policy = body.get("propagationPolicy") or call.query.get("propagationPolicy")
    orphan = body.get("orphanDependents")
    if policy is None and orphan is not None:
        policy = "Orphan" if orphan else "Background"
    try:
        propagation = Propagation(policy) if policy else None
    except ValueError:
        raise failures.bad_request(
            f'propagationPolicy: Unsupported value: "{policy}": supported values: "Foreground", '
            '"Background", "Orphan"'
        ) from None
    grace: Any = body.get("gracePeriodSeconds")
    dry_run = body.get("dryRun") or ()
    conditions = body.get("preconditions") or {}
    return DeleteOptions(
        propagation=propagation,
        grace_seconds=call.number("gracePeriodSeconds") if grace is None else int(grace),
        uid=conditions.get("uid"),
        resource_version=conditions.get("resourceVersion"),
        dry_run="All" in dry_run or _dry_run(call.query.get("dryRun")),
        user=call.user,
    )


def _deleted(target: Target, item: Object) -> dict[str, Any]:
    details = {
        "name": item["metadata"]["name"],
        "group": target.resource.group,
        "kind": target.resource.plural,
        "uid": item["metadata"].get("uid", ""),
    }
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": {key: value for key, value in details.items() if value},
    }
