"""Where a router listens in a sandbox that moved ports that may not be bound."""

from __future__ import annotations

from serinus.router_agent.in_pod import own_ports


def test_on_a_real_cluster_nothing_is_moved() -> None:
    assert own_ports("", "80,8080") == {}


def test_a_moved_port_is_found_behind_those_of_the_image() -> None:
    assert own_ports("127.0.0.9:8080,127.0.0.9:43211", "80") == {80: 43211}


def test_a_port_of_the_manifest_that_is_also_of_the_image_stays() -> None:
    assert own_ports("127.0.0.9:8080,127.0.0.9:43211", "80,8080") == {80: 43211}
