"""Ask a local cluster whether it is ready, with the standard library alone: `up` must be quick."""

from __future__ import annotations

import http.client
import ssl
from typing import Any

import msgspec

from serinus.local_cluster.state_folder import StateFolder

_TIMEOUT_S = 5.0


def get(folder: StateFolder, port: int, path: str) -> tuple[int, bytes]:
    """Return status and body of a GET.

    Raises:
        OSError: nobody answers.
    """
    context = ssl.create_default_context(cafile=str(folder.ca_certificate))
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=_TIMEOUT_S, context=context)
    try:
        token = folder.token.read_text().strip()
        connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
        response = connection.getresponse()
        return response.status, response.read()
    except http.client.HTTPException as e:
        raise OSError(f"no HTTP answer on port {port}: {e!r}") from e
    finally:
        connection.close()


def server_is_ready(folder: StateFolder) -> bool:
    """Tell whether the server of this very cluster answers."""
    record = folder.read_record()
    if record is None or not folder.kubeconfig.exists():
        return False
    try:
        status, _ = get(folder, record.port, "/readyz")
    except OSError:
        return False
    return status == 200


def node_is_ready(folder: StateFolder, since: str) -> bool:
    """Tell whether a node says that it is ready, and has said so since an instant (RFC 3339)."""
    record = folder.read_record()
    if record is None:
        return False
    try:
        status, body = get(folder, record.port, "/api/v1/nodes")
    except OSError:
        return False
    if status != 200:
        return False
    nodes = msgspec.json.decode(body)["items"]
    return any(_is_ready(node, since) for node in nodes)


def _is_ready(node: dict[str, Any], since: str) -> bool:
    for condition in (node.get("status") or {}).get("conditions") or ():
        if condition["type"] == "Ready" and condition["status"] == "True":
            return str(condition.get("lastHeartbeatTime") or "") >= since
    return False
