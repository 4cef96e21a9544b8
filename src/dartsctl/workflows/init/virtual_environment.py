"""Whether the app has a virtual environment with its packages; else the commands that make one."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

from dartsctl.discovery.proposal import Proposal, Task
from dartsctl.edges.project import venvs
from dartsctl.system import bounded_file
from dartsctl.text.phrases import shell_command

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dartsctl.discovery.app.sources import Sources

_PACKAGES = {
    "Flask": "flask",
    "Flask-SocketIO": "flask_socketio",
    "Flask-Script": "flask_script",
    "FlaskGroup": "flask",
    "FastAPI": "fastapi",
    "Starlette": "starlette",
    "Litestar": "litestar",
    "Quart": "quart",
    "Django": "django",
    "Dash": "dash",
    "uvicorn": "uvicorn",
    "gunicorn": "gunicorn",
}
"""Framework -> the package that the app imports."""
_REQUIREMENTS = (
    *("requirements-dev.txt", "requirements/dev.txt", "requirements/local.txt"),
    *("requirements.txt", "requirements/base.txt"),
)


def find_virtual_environment(
    folder: Path, root: Path, sources: Sources, framework: str, environ: Mapping[str, str]
) -> Proposal:
    """Return a task where `dev` would start the app without its packages.

    `folder` is the app's, `root` that of the settings.
    """
    package = _PACKAGES.get(framework, "")
    environments = venvs.find((folder, root), environ)
    if not environments:
        return _without_environment(folder, sources, framework, package)
    first = environments[0]
    if not package or _has_package(first, package):
        return Proposal()
    install = _install_words(folder, sources, first.path)
    text = f"the virtual environment {first.path} does not have {framework}; to install it"
    return Proposal(tasks=(Task(text, install, is_required=False),))


def _without_environment(folder: Path, sources: Sources, framework: str, package: str) -> Proposal:
    if package and importlib.util.find_spec(package) is not None:
        return Proposal()  # dartsctl's own interpreter, which `dev` takes then, has it
    lacking = ""
    if package:
        lacking = f", which does not have {framework}"
    text = (
        f"no virtual environment in {folder}: `dartsctl dev` would start the app with dartsctl's "
        f"own interpreter{lacking}; to make one"
    )
    return Proposal(tasks=(Task(text, _creation(folder, sources), is_required=False),))


def _has_package(environment: venvs.VirtualEnvironment, package: str) -> bool:
    """Return whether a package is installed; True where that cannot be seen."""
    try:
        config = bounded_file.read_text(environment.path / "pyvenv.cfg").lower()
    except OSError:
        return True
    if "include-system-site-packages = true" in config:
        return True
    site = environment.site_packages
    return any((site / name).exists() for name in (package, f"{package}.py"))


def _creation(folder: Path, sources: Sources) -> tuple[str, ...]:
    """Return the commands that make a virtual environment, with the project's own tool."""
    enter = shell_command("cd", folder)
    files = sources.texts
    pyproject = files.get("pyproject.toml", "")
    if (folder / "uv.lock").is_file():
        return (enter, "uv sync")
    if (folder / "poetry.lock").is_file() or "[tool.poetry]" in pyproject:
        return (enter, "poetry install")
    if (folder / "pdm.lock").is_file():
        return (enter, "pdm install")
    if "Pipfile" in files:
        return (enter, "PIPENV_VENV_IN_PROJECT=1 pipenv install --dev")
    return (enter, "python3 -m venv .venv", *_install_words(folder, sources, Path(".venv")))


def _install_words(folder: Path, sources: Sources, environment: Path) -> tuple[str, ...]:
    pip = str(environment / "bin" / "pip")
    for name in _REQUIREMENTS:
        if (folder / name).is_file():
            return (shell_command(pip, "install", "-r", name),)
    if "pyproject.toml" in sources.texts or "setup.py" in sources.texts:
        return (shell_command(pip, "install", "-e", "."),)
    return ()
