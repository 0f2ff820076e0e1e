"""Write what a real API server says about its own API: `python -m tests.control_plane.openapi FOLDER`.

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
from tests.control_plane.bench import ControlPlane, ControlPlaneFailed, running
from tests.control_plane.build import find_or_build

_AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
_PLAIN = "application/json"


async def dump(plane: ControlPlane, folder: Path) -> int:
    """Write all documents into `folder`; return how many there are."""
    headers = {"Authorization": f"Bearer {plane.tokens[credentials.ADMIN]}"}
    connector = aiohttp.TCPConnector(ssl=plane.ssl_context())
    async with aiohttp.ClientSession(plane.url, headers=headers, connector=connector) as session:
        documents = await _discovery(session)
        documents |= await _schemas(session)
    folder.mkdir(parents=True, exist_ok=True)
    for name, document in documents.items():
        (folder / f"{name}.json").write_text(json.dumps(document, indent=1) + "\n")
    return len(documents)


async def _schemas(session: aiohttp.ClientSession) -> dict[str, Any]:
    index = await _get(session, "/openapi/v3")
    documents = {"v2": await _get(session, "/openapi/v2"), "v3-index": index}
    for path, entry in index["paths"].items():
        documents[path.replace("/", "__")] = await _get(session, entry["serverRelativeURL"])
    return documents


async def _discovery(session: aiohttp.ClientSession) -> dict[str, Any]:
    documents = {"version": await _get(session, "/version")}
    for path in ("/api", "/apis"):
        name = path.removeprefix("/")
        documents[f"discovery__{name}"] = await _get(session, path)
        documents[f"discovery-aggregated__{name}"] = await _get(session, path, accept=_AGGREGATED)
    documents["discovery__api__v1"] = await _get(session, "/api/v1")
    for group in documents["discovery__apis"]["groups"]:
        for version in group["versions"]:
            path = f"/apis/{version['groupVersion']}"
            documents["discovery" + path.replace("/", "__")] = await _get(session, path)
    return documents


async def _get(session: aiohttp.ClientSession, path: str, *, accept: str = _PLAIN) -> Any:
    async with session.get(path, headers={"Accept": accept}) as response:
        response.raise_for_status()
        return await response.json(content_type=None)


async def _main(folder: Path) -> None:
    async with running(find_or_build(os.environ)) as plane:
        count = await dump(plane, folder)
    print(f"{count} documents in {folder}", file=sys.stderr)


def main() -> int:
    """Start a control plane, write its documents, stop it."""
    if len(sys.argv) != 2:
        print("usage: python -m tests.control_plane.openapi FOLDER", file=sys.stderr)
        return 2
    try:
        asyncio.run(_main(Path(sys.argv[1])))
    except (RefusedError, ControlPlaneFailed) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
