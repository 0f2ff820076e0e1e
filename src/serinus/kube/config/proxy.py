"""Which HTTP proxy leads to the API server: the kubeconfig's, else the environment's, as in Go.

Source of the rules: golang.org/x/net/http/httpproxy.
"""

from __future__ import annotations

import ipaddress
import urllib.parse
from collections.abc import Mapping

from serinus.kube.config.connection import Connection


def of(connection: Connection, environment: Mapping[str, str]) -> str | None:
    """Return the address of the proxy to use, or None."""
    if connection.proxy_url:
        return connection.proxy_url
    parts = urllib.parse.urlsplit(connection.server)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    name = "HTTPS_PROXY" if parts.scheme == "https" else "HTTP_PROXY"
    proxy = environment.get(name) or environment.get(name.lower())
    if not proxy or _is_loopback(host):
        return None
    excluded = environment.get("NO_PROXY") or environment.get("no_proxy") or ""
    if any(_excludes(rule.strip().lower(), host, port) for rule in excluded.split(",")):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def _is_loopback(host: str) -> bool:
    address = _address(host)
    return host == "localhost" or (address is not None and address.is_loopback)


def _excludes(rule: str, host: str, port: int) -> bool:
    if rule == "*":
        return True
    address = _address(host)
    if "/" in rule:
        try:
            return address is not None and address in ipaddress.ip_network(rule, strict=False)
        except ValueError:
            return False
    name, separator, rule_port = rule.rpartition(":")
    if separator and rule_port.isdigit() and not name.count(":"):
        if int(rule_port) != port:
            return False
        rule = name
    if not rule:
        return False
    if address is not None:
        return _address(rule) == address
    # "example.com" excludes itself and what is below it, ".example.com" only what is below.
    rule = rule.removeprefix("*")
    return host.endswith(rule if rule.startswith(".") else f".{rule}") or host == rule


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return None
