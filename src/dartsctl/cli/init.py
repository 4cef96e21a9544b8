"""`init`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dartsctl.cli.app import app
from dartsctl.cli.options import Common, compose_on, prompts_of, verb

ProdFiles = Annotated[
    list[Path] | None,
    typer.Option(
        "--prod-file", help="A Compose file of production; again for each over it.", metavar="FILE"
    ),
]
DevFiles = Annotated[
    list[Path] | None, typer.Option("--dev-file", help="The same for development.", metavar="FILE")
]
CertificateFolder = Annotated[
    Path | None,
    typer.Option(
        "--certificate",
        help="Where to put a self-signed certificate, when there is none.",
        metavar="DIR",
    ),
]
TlsName = Annotated[
    str,
    typer.Option(
        "--tls-name",
        help="The host name it is for; else TLS_NAME of the env file, else localhost.",
        metavar="NAME",
    ),
]


@app.command()
@verb
def init(
    *,
    common: Common,
    prod_files: ProdFiles = None,
    dev_files: DevFiles = None,
    certificate: CertificateFolder = None,
    tls_name: TlsName = "",
) -> int:
    """Write what a project lacks: settings, env files with secrets of their own, Compose files, a certificate. Overwrites nothing.

    \b
    dartsctl init --dry-run      what would be written
    dartsctl init                ask once, then write it; again: whatever is missing
    dartsctl init --yes          without a question
    dartsctl init --prod-file docker-compose-wso2.yml --prod-file docker-compose-production.yml
    """
    from dartsctl.commands.init import init as run_init
    from dartsctl.workflows.init.plan import InitRequest

    request = InitRequest(
        common.settings(),
        named={"prod": tuple(prod_files or ()), "dev": tuple(dev_files or ())},
        certificate=certificate.absolute() if certificate else None,
        tls_name=tls_name,
        dry_run=common.dry_run,
        yes=common.yes,
    )
    return run_init(
        request, compose_on=compose_on, prompts=prompts_of(common), screen=common.screen()
    )
