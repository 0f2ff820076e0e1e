"""An index of a cache: objects under the keys that they have now, and under no others."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from serinus.kube.index import Index, pairs

names = st.tuples(st.sampled_from(("one", "two")), st.sampled_from("abc"))
found = st.frozensets(st.sampled_from("xyz"), max_size=3)


@given(st.lists(st.tuples(names, st.none() | found), max_size=30))
def test_an_index_is_what_the_objects_say_now(
    changes: list[tuple[tuple[str, str], frozenset[str] | None]],
) -> None:
    truth: dict[tuple[str, str], frozenset[str]] = {}

    def find(name: tuple[str, str]) -> tuple[str, frozenset[str]]:
        return name[1], truth[name]

    index: Index[tuple[str, frozenset[str]]] = Index(lambda o: sorted(o[1]), find)
    for name, keys in changes:
        if keys is None:
            truth.pop(name, None)
            index.drop(name)
        else:
            truth[name] = keys
            index.put(name, (name[1], keys))
    for namespace in ("one", "two"):
        for key in "xyz":
            expected = [
                (name, keys)
                for (space, name), keys in sorted(truth.items())
                if space == namespace and key in keys
            ]
            assert index.get(namespace, key) == expected
            assert index.count(namespace, key) == len(expected)


def test_labels_are_keys_by_pair() -> None:
    assert pairs({"app": "shop", "track": "canary"}) == ["app=shop", "track=canary"]
    assert pairs(None) == []
