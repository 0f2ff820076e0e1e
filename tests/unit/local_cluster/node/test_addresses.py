from __future__ import annotations

import socket
import sys

import pytest

from serinus.errors import InvalidInput, RefusedError
from serinus.local_cluster.node.addresses import AddressPool

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has all of 127/8")


@linux_only
def test_each_pod_gets_an_address_of_its_own_and_a_free_one_comes_back_last() -> None:
    pool = AddressPool("127.1.0.0/29")
    taken = [pool.take() for _ in range(4)]
    assert taken == ["127.1.0.2", "127.1.0.3", "127.1.0.4", "127.1.0.5"]
    pool.give_back("127.1.0.2")
    assert pool.take() == "127.1.0.6"
    assert pool.take() == "127.1.0.7"
    assert pool.take() == "127.1.0.2"
    with pytest.raises(RefusedError, match="all pod addresses"):
        pool.take()


@linux_only
def test_an_address_of_before_is_given_again_if_it_is_free_and_ours() -> None:
    pool = AddressPool("127.1.0.0/16")
    assert pool.take("127.1.7.7") == "127.1.7.7"
    assert pool.take("127.1.7.7") == "127.1.0.2"
    assert pool.take("10.0.0.1") == "127.1.0.3"
    assert pool.take("nonsense") == "127.1.0.4"


@linux_only
def test_pools_that_start_apart_give_other_addresses() -> None:
    first = AddressPool("127.1.0.0/16", start=256 * 7)
    last = AddressPool("127.1.0.0/16", start=2**16 * 5 - 2)
    assert [first.take() for _ in range(2)] == ["127.1.7.1", "127.1.7.2"]
    assert [last.take() for _ in range(2)] == ["127.1.0.2", "127.1.0.3"]


@linux_only
def test_addresses_with_a_special_look_are_left_out() -> None:
    pool = AddressPool("127.1.0.0/16")
    taken = {pool.take() for _ in range(600)}
    assert len(taken) == 600
    assert not any(a.endswith((".0", ".255")) for a in taken)


@linux_only
def test_a_port_that_somebody_has_is_replaced_by_a_free_one() -> None:
    pool = AddressPool("127.1.0.0/16")
    address = pool.take()
    with socket.create_server((address, 0)) as other:
        taken = other.getsockname()[1]
        with socket.create_server((address, 0)) as probe:
            free = probe.getsockname()[1]
        placed = pool.place(address, (taken, free))
    assert placed[free] == free
    assert placed[taken] not in {taken, free}
    with socket.create_server((address, placed[taken])):
        pass


def test_pods_that_share_the_one_loopback_address_all_get_other_ports() -> None:
    pool = AddressPool("127.0.0.1/32")
    assert pool.is_shared
    addresses = {pool.take() for _ in range(3)}
    assert addresses == {"127.0.0.1"}
    placed = [pool.place("127.0.0.1", (80, 8080)) for _ in range(3)]
    actual = [port for each in placed for port in each.values()]
    assert len(set(actual)) == 6
    assert not {80, 8080} & set(actual)


@pytest.mark.parametrize(
    ("cidr", "words"),
    [
        ("pods", "pods"),
        ("127.1.0.0/30", "no room"),
        ("127.1.0.1/16", "host bits"),
        ("198.51.100.0/24", "ip route add local 198.51.100.0/24 dev lo"),
    ],
)
def test_a_network_that_will_not_do_is_refused(cidr: str, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        AddressPool(cidr)
