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
Check = Annotated[
    bool,
    typer.Option("--check", help="Write nothing; exit 1 if something is missing, and name it."),
]
Minimal = Annotated[
    bool, typer.Option("--minimal", help="Write settings without comments and defaults.")
]
Stack = Annotated[
    bool,
    typer.Option("--stack", help="Add dartsctl's example stack if there is no Compose file."),
]


@verb
def init(
    *,
    common: Common,
    prod_files: ProdFiles = None,
    dev_files: DevFiles = None,
    certificate: CertificateFolder = None,
    tls_name: TlsName = "",
    check: Check = False,
    minimal: Minimal = False,
    stack: Stack = False,
) -> int:
    """Find out what the project needs, and write what is missing.

    Shows what it found and a diff of each file. Env files get new secrets. Files that you wrote
    only get lines added; run it again to create what is missing.

    \b
    dartsctl init             show everything, ask once, then write
    dartsctl init --dry-run   show what would be written
    dartsctl init --yes       write without asking
    dartsctl init --check     name what is missing
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
        check=check,
        minimal=minimal,
        stack=stack,
    )
    return run_init(request, deps=deps_of(common))
