"""The proxy's certificate: kept where there is one, else planned as a self-signed pair."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from dartsctl.config.settings import PRODUCTION
from dartsctl.config.templates import PRIVATE, Change
from dartsctl.edges.project import certificate_files
from dartsctl.errors import Advice, UsageError
from dartsctl.stack.model import Mount
from dartsctl.workflows.init.findings import Findings

if TYPE_CHECKING:
    from dartsctl.workflows.init.project import Project

CERTIFICATES = "compose/nginx/certs"
"""The folder of the bundled stack's certificate, unless TLS_DIR names another one."""


def find_certificate(project: Project, values: Mapping[str, str]) -> Findings:
    """Return the certificate and its key. `values` are the variables of the env files."""
    name = tls_name(project, values)
    return Findings(changes=tuple(_certificate(project, values.get("TLS_DIR", ""), name)))


def tls_name(project: Project, values: Mapping[str, str]) -> str:
    """Return the host name for a new certificate. Raises UsageError for what is none."""
    return check_tls_name(project.request.tls_name or values.get("TLS_NAME") or "localhost")


def _certificate(project: Project, tls_dir: str, name: str) -> list[Change]:
    folder = project.request.certificate or _mounted_folder(project, tls_dir)
    if folder is None:
        return []
    scan = certificate_files.look([Mount(str(folder), "/certs")])
    usable = [pair for pair in scan.certificates if pair.key in ("fits", "unreadable")]
    if usable:
        return [Change("keep", pair.path, "the certificate") for pair in usable]
    key, certificate = folder / "tls.key", folder / "tls.crt"
    half = [file for file in (key, certificate) if file.exists()]
    if half:
        about = "the other half is missing or does not match: add it, or remove this file"
        return [Change("keep", file, about) for file in half]
    about = f"self-signed for {name}, {certificate_files.DAYS} days"
    return [
        Change("create", key, "its private key; 0600", mode=PRIVATE),
        Change("create", certificate, about),
    ]


def _mounted_folder(project: Project, tls_dir: str) -> Path | None:
    """Return TLS_DIR, else the bundled stack's folder.

    None for another stack, whose folder is named by `--certificate`.
    """
    files = project.files_of(PRODUCTION)
    if tls_dir and files:
        return Path(os.path.normpath(files[0].parent / tls_dir))
    bundled = project.root / CERTIFICATES
    return bundled if project.bundled or bundled.is_dir() else None


def check_tls_name(text: str) -> str:
    """Return a host name or address for a certificate. Raises UsageError for anything else."""
    if not re.fullmatch(r"[A-Za-z0-9*:](?:[A-Za-z0-9.:-]{0,250}[A-Za-z0-9])?", text):
        raise UsageError(
            f"{text!r} is not a host name",
            hint=Advice("set TLS_NAME=darts.example.org in the env file, or use --tls-name"),
        )
    return text
