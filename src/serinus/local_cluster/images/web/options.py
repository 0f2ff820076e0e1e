"""What the web server is told by its environment."""

from __future__ import annotations

from collections.abc import Mapping

PREFIX = "SERINUS_WEB_"
LINGER_MS = 2000


class Options:
    """How to answer, where, and for whom."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Read the options.

        Raises:
            ValueError: an option is not what it must be; the message names it.
        """
        self.image = environment.get("SERINUS_IMAGE", "")
        self.version = environment.get("SERINUS_VERSION", "")
        self.pod = environment.get("SERINUS_POD_NAME") or environment.get("HOSTNAME", "")
        self.addresses = _addresses(environment)
        self.status = _whole(environment, "STATUS", 200, highest=599)
        if self.status < 200:
            raise ValueError(f"{PREFIX}STATUS={self.status}: not a final HTTP status (200 to 599)")
        self.error_share = _percent(environment, "ERROR_PERCENT") / 100
        self.delay_ms = _whole(environment, "DELAY_MS", 0)
        self.start_delay_ms = _whole(environment, "START_DELAY_MS", 0)
        self.linger_ms = _whole(environment, "LINGER_MS", LINGER_MS)
        self.is_rude = environment.get(f"{PREFIX}RUDE", "") not in {"", "0"}
        ready = environment.get("SERINUS_READY_FD", "")
        self.ready_descriptor = int(ready) if ready.isdigit() else None


def _addresses(environment: Mapping[str, str]) -> list[tuple[str, int]]:
    listed = environment.get("SERINUS_LISTEN")
    if not listed:
        host = environment.get("SERINUS_POD_IP") or "127.0.0.1"
        listed = f"{host}:{environment.get('PORT') or 8080}"
    found = []
    for each in listed.split(","):
        host, _, port = each.strip().rpartition(":")
        if not host or not port.isdigit():
            raise ValueError(f"SERINUS_LISTEN={listed}: {each!r} is not HOST:PORT")
        found.append((host, int(port)))
    return found


def _whole(environment: Mapping[str, str], name: str, default: int, *, highest: int = 10**9) -> int:
    text = environment.get(PREFIX + name, "").strip()
    if not text:
        return default
    if not text.isdigit() or int(text) > highest:
        raise ValueError(f"{PREFIX}{name}={text}: not a whole number from 0 to {highest}")
    return int(text)


def _percent(environment: Mapping[str, str], name: str) -> float:
    text = environment.get(PREFIX + name, "").strip() or "0"
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 100:
        raise ValueError(f"{PREFIX}{name}={text}: not a number from 0 to 100")
    return value
