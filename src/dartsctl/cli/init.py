"""`init`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dartsctl.cli.deps import Common, deps_of
from dartsctl.cli.options import verb

ProdFiles = Annotated[
    list[Path] | None,
    typer.Option(
        "--prod-file",
        help="Compose file of production; repeat it for each further file.",
        metavar="FILE",
    ),
]
DevFiles = Annotated[
    list[Path] | None,
    typer.Option(
        "--dev-file",
        help="Compose file of development; repeat it for each further file.",
        metavar="FILE",
    ),
]
CertificateFolder = Annotated[
    Path | None,
    typer.Option(
        "--certificate",
        help="Folder for a self-signed certificate, if there is none.",
        metavar="DIR",
    ),
]
TlsName = Annotated[
    str,
    typer.Option(
        "--tls-name",
        help="Host name of the certificate; TLS_NAME of the env file, or localhost, by default.",
        metavar="NAME",
    ),
]


@verb
def init(
    *,
    common: Common,
    prod_files: ProdFiles = None,
    dev_files: DevFiles = None,
    certificate: CertificateFolder = None,
    tls_name: TlsName = "",
) -> int:
    """Create missing settings, env files and certificates.

    Creates Compose files too if there are none. Env files get new secrets. No file is ever
    overwritten; run it again to create what is missing.

    \b
    dartsctl init --dry-run   show what would be written
    dartsctl init             ask once, then write
    dartsctl init --yes       write without asking
    dartsctl init --prod-file compose.prod.yml --prod-file compose.tls.yml
    """
    from dartsctl.commands.init import init as run_init
    from dartsctl.workflows.init.project import InitRequest

    request = InitRequest(
        common.settings(),
        named={"prod": tuple(prod_files or ()), "dev": tuple(dev_files or ())},
        certificate=certificate.absolute() if certificate else None,
        tls_name=tls_name,
        dry_run=common.dry_run,
        yes=common.yes,
    )
    return run_init(request, deps=deps_of(common))
