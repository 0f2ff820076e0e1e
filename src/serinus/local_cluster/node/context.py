"""What all parts of the node share."""

from __future__ import annotations

from pathlib import Path

import msgspec

from serinus.clock import Clock
from serinus.kube.client import Client
from serinus.kube.recorder import Recorder
from serinus.local_cluster.images.catalogue import Catalogue
from serinus.local_cluster.node.addresses import AddressPool

NODE_NAME = "local"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """How the node behaves; the defaults are the kubelet's where it has any."""

    node_name: str = NODE_NAME
    node_address: str = "127.0.0.1"
    kubeconfig: str = ""
    """How the node reaches the API server; a catalogue may hand it to what it plays."""
    restart_first_ms: int = 10_000
    restart_ceiling_ms: int = 300_000
    restart_forgotten_ms: int = 600_000
    """After having run for so long, a container restarts at once again."""
    heartbeat_ms: int = 10_000
    shutdown_grace_ms: int = 3_000
    """How long containers get at most when the node itself is told to end."""
    shortest_grace_ms: int = 2_000
    """What a preStop hook that used up the grace period still leaves for the process."""
    loaded_within_ms: int = 10_000
    """How long a catalogue program that tells when it listens is waited for."""
    ended_pods_kept_count: int = 100
    """Of how many deleted pods the logs stay in the state folder."""


class NodeContext(msgspec.Struct, frozen=True, kw_only=True):
    """The node's parts."""

    client: Client
    clock: Clock
    catalogue: Catalogue
    addresses: AddressPool
    recorder: Recorder
    pods_folder: Path
    settings: Settings
