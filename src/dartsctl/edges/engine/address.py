"""The engine's address: from the variables of the environment, and from Docker's own settings."""

from __future__ import annotations

import os
from pathlib import Path

from dartsctl.errors import DartsctlError, DockerUnavailable
from dartsctl.system import bounded_file
from dartsctl.text.phrases import shell_command
from dartsctl.text.strict_json import Cursor, Source, parse_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

DEFAULT_ENDPOINT = "unix:///var/run/docker.sock"
_UNIX = "unix://"


def endpoint(environ: Mapping[str, str]) -> str:
    """Return the address of the engine that `docker` would use.

    DOCKER_HOST, else the current context's, else the default socket (edge-cases.md#43).
    Raises DockerUnavailable for a context that cannot be read.
    """
    if host := environ.get("DOCKER_HOST"):
        return host
    context = environ.get("DOCKER_CONTEXT")
    if not context:
        context = str(docker_settings(environ).get("currentContext") or "")
    if not context or context == "default":
        return DEFAULT_ENDPOINT
    from dartsctl.system.digest import sha256

    digest = sha256(os.fsencode(context))
    file = config_folder(environ) / "contexts" / "meta" / digest / "meta.json"
    try:
        context_file = Cursor(_from_file(file), Source(str(file)))
        return context_file.at("Endpoints").at("docker").at("Host").text()
    except (OSError, DartsctlError) as error:
        raise DockerUnavailable(
            f"the Docker context {context!r} does not exist or is broken", hint="docker context ls"
        ) from error


def is_unix_socket(address: str) -> bool:
    """Return whether the address of an engine is that of a unix socket."""
    return address.startswith(_UNIX)


def socket_path(address: str) -> str:
    """Return the path of a unix socket's address."""
    return address.removeprefix(_UNIX)


def config_folder(environ: Mapping[str, str]) -> Path:
    """Return the folder of Docker's own settings."""
    if folder := environ.get("DOCKER_CONFIG"):
        return Path(folder)
    home = environ.get("HOME") or "~"
    folder = os.path.expanduser(home)  # noqa: PTH111 - where there is no home, pathlib fails
    return Path(folder, ".docker")


def docker_settings(environ: Mapping[str, str]) -> dict[str, Any]:
    """Return Docker's config.json, empty if it cannot be read, as for the docker command.

    Raises DockerUnavailable for a special file: Docker's own programs would wait for a named pipe
    without end.
    """
    file = config_folder(environ) / "config.json"
    try:
        settings = _from_file(file)
    except bounded_file.UnsuitableFile as error:
        raise DockerUnavailable(
            f"{file} cannot be read: {error.strerror}", hint=shell_command("ls", "-l", file)
        ) from error
    except (OSError, DartsctlError):
        return {}
    return settings if isinstance(settings, dict) else {}


def _from_file(file: Path) -> Any:
    return parse_json(bounded_file.read_bytes(file), Source(str(file)))
