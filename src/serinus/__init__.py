"""Progressive delivery for plain Kubernetes Deployments."""

from __future__ import annotations

__version__ = "0.1.0"
