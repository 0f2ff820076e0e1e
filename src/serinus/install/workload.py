"""The controller as it runs in a cluster: two replicas, one of which leads."""

from __future__ import annotations

from serinus.install.settings import (
    CONTROLLER,
    NAME,
    PORT,
    Manifest,
    Settings,
    metadata,
)

_USER = 65532
_SELECTOR = {"app.kubernetes.io/name": NAME, "app.kubernetes.io/component": "controller"}


def namespace(settings: Settings) -> Manifest:
    """Return the namespace; it demands of all pods what the controller keeps to."""
    meta = metadata(settings, settings.namespace)
    meta["labels"]["pod-security.kubernetes.io/enforce"] = "restricted"
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": meta}


def objects(settings: Settings) -> list[Manifest]:
    """Return what runs in the namespace, and what lives with it."""
    made = [_account(settings), _service(settings), _budget(settings), _deployment(settings)]
    if settings.service_monitor:
        made.append(_service_monitor(settings))
    return made


def _meta(settings: Settings) -> Manifest:
    meta = metadata(settings, CONTROLLER, settings.namespace)
    meta["labels"] |= _SELECTOR
    return meta


def _account(settings: Settings) -> Manifest:
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": _meta(settings)}


def _service(settings: Settings) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _meta(settings),
        "spec": {
            "selector": dict(_SELECTOR),
            "ports": [{"name": "http", "port": PORT, "targetPort": "http", "protocol": "TCP"}],
        },
    }


def _budget(settings: Settings) -> Manifest:
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": _meta(settings),
        "spec": {
            # Never in the way of a node that is emptied, not even with one replica.
            "maxUnavailable": 1,
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
            "selector": {"matchLabels": dict(_SELECTOR)},
        },
    }


def _deployment(settings: Settings) -> Manifest:
    meta = _meta(settings)
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": meta,
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": dict(_SELECTOR)},
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 1},
            },
            "template": {
                "metadata": {"labels": dict(meta["labels"])},
                "spec": {
                    "serviceAccountName": CONTROLLER,
                    "securityContext": {
                        "runAsNonRoot": True,
                        "runAsUser": _USER,
                        "runAsGroup": _USER,
                        "seccompProfile": {"type": "RuntimeDefault"},
                    },
                    # A leader gives its lease back before it ends.
                    "terminationGracePeriodSeconds": 30,
                    "topologySpreadConstraints": [
                        {
                            "maxSkew": 1,
                            "topologyKey": "kubernetes.io/hostname",
                            "whenUnsatisfiable": "ScheduleAnyway",
                            "labelSelector": {"matchLabels": dict(_SELECTOR)},
                        }
                    ],
                    "containers": [_container(settings)],
                },
            },
        },
    }


def _container(settings: Settings) -> Manifest:
    return {
        "name": "controller",
        "image": settings.image,
        "args": [
            "controller",
            # In one place with others, as in a sandbox, each has an address of its own.
            "--host=$(POD_IP)",
            f"--port={PORT}",
            "--log-format=json",
            *(f"--watch-namespace={name}" for name in settings.watch_namespaces),
        ],
        "env": [
            {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}
            for name, path in (
                ("POD_NAMESPACE", "metadata.namespace"),
                ("POD_NAME", "metadata.name"),
                ("POD_IP", "status.podIP"),
            )
        ],
        "ports": [{"name": "http", "containerPort": PORT, "protocol": "TCP"}],
        "startupProbe": _probe("/healthz", periodSeconds=1, failureThreshold=30),
        "livenessProbe": _probe("/healthz", periodSeconds=10, timeoutSeconds=5),
        "readinessProbe": _probe("/readyz", periodSeconds=2),
        "resources": {
            "requests": {"cpu": "50m", "memory": "128Mi"},
            # No limit of CPU: a throttled leader loses its lease.
            "limits": {"memory": "512Mi"},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }


def _probe(path: str, **more: int) -> Manifest:
    return {"httpGet": {"path": path, "port": "http"}, **more}


def _service_monitor(settings: Settings) -> Manifest:
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "ServiceMonitor",
        "metadata": _meta(settings),
        "spec": {
            "selector": {"matchLabels": dict(_SELECTOR)},
            "endpoints": [{"port": "http", "path": "/metrics"}],
        },
    }
