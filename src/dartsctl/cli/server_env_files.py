"""The env files of a host server: the variables that it gets, and the ports that they name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from dartsctl.cli.deps import MASKER

if TYPE_CHECKING:
    from dartsctl.server.request import FilePort, ServerRequest

_APP_FILES = (".env", ".flaskenv")
"""What `load_dotenv` and the `flask` command read."""


def with_env_files(request: ServerRequest, paths: tuple[Path, ...]) -> ServerRequest:
    """Return the request with the variables of env files; their secrets are masked from now on.

    Ports are also looked for in the files that the app itself reads.
    """
    from dartsctl.edges.project.env_files import read

    values = {name: value.value for name, value in read(paths).items()}
    MASKER.learn(values)
    return replace(request, env_files=values, file_ports=_file_ports(request, paths))


def _file_ports(request: ServerRequest, paths: tuple[Path, ...]) -> tuple[FilePort, ...]:
    from dartsctl.edges.project.env_files import readable_values
    from dartsctl.server.request import FilePort
    from dartsctl.text.numbers import parse_digits

    nearest = [_nearest(name, Path(request.directory), request.checkout) for name in _APP_FILES]
    ports: dict[tuple[str, int], FilePort] = {}
    for file in dict.fromkeys([*paths, *filter(None, nearest)]):
        for name, value in readable_values(file, request.port_variables).items():
            port = parse_digits(value.value.strip())
            if port is not None:
                ports.setdefault((name, port), FilePort(name, port, value.origin))
    return tuple(ports.values())


def _nearest(name: str, directory: Path, checkout: str) -> Path | None:
    """Return the file with this name in `directory`, else in the next folder above it.

    dotenv searches up to the root; folders above the checkout are left alone.
    """
    for folder in (directory, *directory.parents):
        if (folder / name).is_file():
            return folder / name
        if str(folder) == checkout or not folder.is_relative_to(checkout):
            return None
    return None
