"""Write what a real API server says of its API: `python -m tests.control_plane.openapi FOLDER`.

One file for each OpenAPI v3 group version (`api__v1.json`, `apis__apps__v1.json`, ...), `v2.json`,
and the discovery documents, plain and aggregated (`discovery__api.json`,
`discovery-aggregated__apis.json`, ...).
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import aiohttp

from serinus.errors import RefusedError
from tests.control_plane import credentials
from tests.control_plane.bench import ControlPlane, running
from tests.control_plane.build import find_or_build
from tests.control_plane.programs import ControlPlaneError

_AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
_PLAIN = "application/json"


async def documents(plane: ControlPlane) -> dict[str, Any]:
    """Return all documents by the name of the file that each belongs into."""
    headers = {"Authorization": f"Bearer {plane.tokens[credentials.ADMIN]}"}
    connector = aiohttp.TCPConnector(ssl=plane.ssl_context())
    async with aiohttp.ClientSession(plane.url, headers=headers, connector=connector) as session:
        return await _discovery(session) | await _schemas(session)


async def _schemas(session: aiohttp.ClientSession) -> dict[str, Any]:
    index = await _get(session, "/openapi/v3")
    found = {"v2": await _get(session, "/openapi/v2"), "v3-index": index}
    for path, entry in index["paths"].items():
        found[path.replace("/", "__")] = await _get(session, entry["serverRelativeURL"])
    return found


async def _discovery(session: aiohttp.ClientSession) -> dict[str, Any]:
    found = {"version": await _get(session, "/version")}
    for path in ("/api", "/apis"):
        name = path.removeprefix("/")
        found[f"discovery__{name}"] = await _get(session, path)
        found[f"discovery-aggregated__{name}"] = await _get(session, path, accept=_AGGREGATED)
    found["discovery__api__v1"] = await _get(session, "/api/v1")
    for group in found["discovery__apis"]["groups"]:
        for version in group["versions"]:
            path = f"/apis/{version['groupVersion']}"
            found["discovery" + path.replace("/", "__")] = await _get(session, path)
    return found


async def _get(session: aiohttp.ClientSession, path: str, *, accept: str = _PLAIN) -> Any:
    async with session.get(path, headers={"Accept": accept}) as response:
        response.raise_for_status()
        return await response.json(content_type=None)


async def _fetch() -> dict[str, Any]:
    async with running(find_or_build(os.environ)) as plane:
        return await documents(plane)


def main() -> int:
    """Start a control plane, write its documents, stop it."""
    if len(sys.argv) != 2:
        print("usage: python -m tests.control_plane.openapi FOLDER", file=sys.stderr)
        return 2
    try:
        found = asyncio.run(_fetch())
    except (RefusedError, ControlPlaneError) as error:
        print(error, file=sys.stderr)
        return 1
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, document in found.items():
        (folder / f"{name}.json").write_text(json.dumps(document, indent=1) + "\n")
    print(f"{len(found)} documents in {folder}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
