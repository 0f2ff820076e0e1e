"""Quantities: the canonical form is that of k8s.io/apimachinery, pkg/api/resource."""

from __future__ import annotations

from fractions import Fraction

import pytest

from serinus.kubernetes_model import quantity


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("0", "0"),
        ("1", "1"),
        ("0.5", "500m"),
        ("1000m", "1"),
        ("1500m", "1500m"),
        ("1000", "1k"),
        ("100M", "100M"),
        ("1024Mi", "1Gi"),
        ("1536Mi", "1536Mi"),
        ("512Ki", "512Ki"),
        ("0Mi", "0"),
        ("-1Gi", "-1Gi"),
        ("1e3", "1e3"),
        ("0.1u", "100n"),
    ],
)
def test_the_canonical_form(text: str, form: str) -> None:
    assert quantity.canonical(text) == form


@pytest.mark.parametrize("text", ["", "x", "1Q", "1 Gi", "--1", "1.2.3"])
def test_what_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="quantities must match"):
        quantity.canonical(text)


def test_amounts_compare_across_suffixes() -> None:
    assert quantity.parse("1Gi") == 1 << 30
    assert quantity.parse("250m") == Fraction(1, 4)
    assert quantity.parse("1e-3") == quantity.parse("1m")
