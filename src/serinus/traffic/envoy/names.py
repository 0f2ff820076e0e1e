"""What the parts of a router are called: in its files, in Envoy's statistics, by each other."""

from __future__ import annotations

from serinus.assignment.intervals import Version

WEIGHTS = "weights"
"""The runtime layer, and the prefix of its keys."""
CLUSTERS_FILE = "cds.json"
WEIGHTS_FILE = "rtds.json"

STRIP_FILTER = "strip"
CONDITIONS_FILTER = "conditions"
RETRY_FILTER = "retry"


def cluster(port: str, version: Version) -> str:
    """Return the cluster of one version's pods."""
    return f"{port}/{version.value}"


def canary_group(port: str) -> str:
    """Return the cluster that asks the canary first, and stable when that did not work."""
    return f"{port}/canary-first"


def routes_file(port: str) -> str:
    """Return the file of a port's routes."""
    return f"rds-{port}.json"


def endpoints_file(port: str, version: Version) -> str:
    """Return the file of one version's endpoints."""
    return f"eds-{port}-{version.value}.json"
