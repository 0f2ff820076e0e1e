"""Get one object, or list many."""

from __future__ import annotations

from serinus import errors
from serinus.kubernetes_model import failures
from serinus.local_cluster.server.live_cluster import LiveCluster
from serinus.local_cluster.server.serving.call import Call, Reply, field_selector
from serinus.local_cluster.server.serving.targets import Target
from serinus.local_cluster.server.verbs.presenting import Presenter


class Reader:
    """Answer the verbs that change nothing."""

    def __init__(self, live: LiveCluster, presenter: Presenter) -> None:
        self._live = live
        self._presenter = presenter

    def get(self, call: Call, target: Target) -> Reply:
        """Return one object, its status or its scale."""
        if target.subresource not in {None, "status", "scale"}:
            raise failures.method_not_allowed(target.resource, "get")
        item = self._live.cluster.get(
            target.resource,
            target.name or "",
            target.namespace,
            subresource=target.subresource,
        )
        return self._presenter.one(call, target.resource, item)

    def list(self, call: Call, target: Target) -> Reply:
        """Return one page of objects."""
        self._require_version(call)
        page = self._live.cluster.list(
            target.resource,
            target.namespace,
            label_selector=call.query.get("labelSelector"),
            field_selector=field_selector(call, target.resource),
            limit=call.number("limit"),
            continue_token=call.query.get("continue"),
        )
        return self._presenter.page(call, target.resource, page)

    def _require_version(self, call: Call) -> None:
        """Refuse to list a version that is not there yet, or exactly one of the past.

        Only the latest objects are kept: every list is one of the present.
        """
        wanted = call.number("resourceVersion")
        current = self._live.cluster.resource_version
        if wanted is not None and wanted > current:
            raise errors.Unavailable(
                f"Timeout: Too large resource version: {wanted}, current: {current}",
                code=504,
                details={
                    "retryAfterSeconds": 1,
                    "causes": [
                        {
                            "reason": "ResourceVersionTooLarge",
                            "message": "Too large resource version",
                        }
                    ],
                },
            )
        if (
            wanted is not None
            and wanted < current
            and call.query.get("resourceVersionMatch") == "Exact"
        ):
            raise errors.Gone(
                f"The provided resource version {wanted} is no longer kept: list without it",
                code=410,
                details={},
            )
