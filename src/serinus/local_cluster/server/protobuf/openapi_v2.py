"""OpenAPI v2 in the one form in which kubectl asks for it: protobuf, and empty.

kubectl turns to it for kinds that OpenAPI v3 does not have (`List`, or a kind that is unknown here)
to check them by itself; what the document does not define it lets pass, and the server checks.
Numbers: openapiv2/OpenAPIv2.proto of github.com/google/gnostic-models.
"""

from __future__ import annotations

from serinus.local_cluster.server.documents.discovery import VERSION

ASKED_FOR = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
# With a dot where the question has an `@`, which a media type may not hold.
MEDIA_TYPE = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
_SWAGGER, _INFO, _PATHS, _DEFINITIONS = 1, 2, 8, 9
_TITLE, _VERSION = 1, 2


def document() -> bytes:
    """Return a document without paths and definitions."""
    info = _field(_TITLE, b"Kubernetes") + _field(_VERSION, VERSION.encode())
    return (
        _field(_SWAGGER, b"2.0")
        + _field(_INFO, info)
        + _field(_PATHS, b"")
        + _field(_DEFINITIONS, b"")
    )


def _field(number: int, content: bytes) -> bytes:
    """Return a length-delimited field that is shorter than 128 bytes."""
    return bytes((number << 3 | 2, len(content))) + content
