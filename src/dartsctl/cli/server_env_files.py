"""The env files of a host server: the variables that it gets, and the ports that they name."""

from __future__ import annotations

from pathlib import Path

from dartsctl.cli.deps import MASKER
from dartsctl.records import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dartsctl.config.env_value import EnvValue
    from dartsctl.server.request import FilePort, ServerRequest

_APP_FILES = (".env", ".flaskenv")
"""What `load_dotenv` and the `flask` command read."""


def with_env_files(request: ServerRequest, paths: tuple[Path, ...]) -> ServerRequest:
    """Return the request with the variables of env files; their secrets are masked from now on.

    The files that the app itself reads are looked into as well.
    """
    from dartsctl.edges.project.env_files import read, readable_values

    values = {name: value.value for name, value in read(paths).items()}
    nearest = [_nearest(name, Path(request.directory), request.checkout) for name in _APP_FILES]
    files = dict.fromkeys([*paths, *filter(None, nearest)])
    contents = [readable_values(file) for file in files]
    app_values: dict[str, str] = {}
    for content in contents:
        for name, value in content.items():
            app_values.setdefault(name, value.value)
    MASKER.learn(values)
    MASKER.learn(app_values)
    ports = _file_ports(contents, request.port_variables)
    return replace(request, env_files=values, app_values=app_values, file_ports=ports)


def _file_ports(
    contents: Sequence[Mapping[str, EnvValue]], names: Sequence[str]
) -> tuple[FilePort, ...]:
    """Return the ports in these variables of the files."""
    from dartsctl.server.request import FilePort
    from dartsctl.text.numbers import parse_digits

    ports: dict[tuple[str, int], FilePort] = {}
    for content in contents:
        for name, value in content.items():
            port = parse_digits(value.value.strip()) if name in names else None
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
