"""Two versions within the user's own service: the same rules and buckets as every router.

`asgi` and `wsgi` decide for each request, `outgoing` tags the calls that a request makes,
`openfeature` answers flags. Loads nothing but `rules`, `assignment`, `errors`, the standard library
and xxhash (docs/adr/0023).
"""

from __future__ import annotations

from serinus.middleware.asgi import AsgiMiddleware
from serinus.middleware.behaviour import by_version
from serinus.middleware.context import using, version
from serinus.middleware.plan import Plan
from serinus.middleware.wsgi import WsgiMiddleware

__all__ = ["AsgiMiddleware", "Plan", "WsgiMiddleware", "by_version", "using", "version"]
