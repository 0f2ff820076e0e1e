"""Where the cluster is and who we are there: kubeconfig files, or the pod that we run in."""

from __future__ import annotations

from serinus.kube.config.connection import ClientCertificate, Connection, ExecPlugin
from serinus.kube.config.load import load

__all__ = ["ClientCertificate", "Connection", "ExecPlugin", "load"]
