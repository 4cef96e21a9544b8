"""SHA-256 for names and keys of dartsctl's own files, without `hashlib`, which loads OpenSSL."""

from __future__ import annotations

try:
    from _sha2 import sha256 as _sha256  # type: ignore[import-not-found]  # Python 3.12 and newer
except ImportError:
    try:
        from _sha256 import sha256 as _sha256  # type: ignore[import-not-found]
    except ImportError:  # a Python that was built without its own
        from hashlib import sha256 as _sha256


def sha256(data: bytes) -> str:
    """Return the SHA-256 of `data` in hexadecimal digits."""
    digest: str = _sha256(data).hexdigest()
    return digest
