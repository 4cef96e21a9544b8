"""`init`."""

from __future__ import annotations

from dartsctl.cli.parameters import Option, verb

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    from dartsctl.cli.deps import Common


@verb(
    prod_files=Option(
        "--prod-file",
        kind="paths",
        text="Compose file of production; repeat it for each further file.",
        metavar="FILE",
    ),
    dev_files=Option(
        "--dev-file",
        kind="paths",
        text="Compose file of development; repeat it for each further file.",
        metavar="FILE",
    ),
    certificate=Option(
        "--certificate",
        kind="path",
        text="Folder for a self-signed certificate, if there is none.",
        metavar="DIR",
    ),
    tls_name=Option(
        "--tls-name",
        kind="text",
        text="Host name of the certificate; TLS_NAME of the env file, or localhost, by default.",
        metavar="NAME",
    ),
    check=Option("--check", text="Write nothing; exit 1 if something is missing, and name it."),
    minimal=Option("--minimal", text="Write settings without comments and defaults."),
    stack=Option("--stack", text="Add dartsctl's example stack if there is no Compose file."),
)
def init(
    *,
    common: Common,
    prod_files: list[Path] | None = None,
    dev_files: list[Path] | None = None,
    certificate: Path | None = None,
    tls_name: str = "",
    check: bool = False,
    minimal: bool = False,
    stack: bool = False,
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
    from dartsctl.cli.deps import deps_of
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
