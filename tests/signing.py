"""Certificates for tests, made by the openssl command."""

from __future__ import annotations

import subprocess
from pathlib import Path


def make_pair(folder: Path, *, days: int) -> None:
    """Write `tls.key` and `tls.crt` into `folder`, valid for `days`. A negative number: expired."""
    key, request, certificate = folder / "tls.key", folder / "request", folder / "tls.crt"
    subprocess.run(
        [
            "openssl",
            "req",
            "-new",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-subj",
            "/CN=x",
            "-keyout",
            key,
            "-out",
            request,
        ],
        capture_output=True,
        check=True,
    )
    subprocess.run(
        [
            "openssl",
            "x509",
            "-req",
            "-in",
            request,
            "-signkey",
            key,
            "-days",
            str(days),
            "-out",
            certificate,
        ],
        capture_output=True,
        check=True,
    )
    request.unlink()
