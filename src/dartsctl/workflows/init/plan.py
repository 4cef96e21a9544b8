"""Plan what `init` has to write. Reads, and changes nothing."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from dartsctl import spawn
from dartsctl.config import templates
from dartsctl.config.conventional_files import ENV_FILES, conventional_names
from dartsctl.config.environment import adhoc
from dartsctl.config.settings import BUILT_IN, PRODUCTION, Settings
from dartsctl.config.templates import PRIVATE, Change
from dartsctl.edges.project import certificate_files, env_files
from dartsctl.edges.project.files import template, template_mode, template_names
from dartsctl.errors import Advice, DartsctlError, UsageError
from dartsctl.stack import compose_files
from dartsctl.stack.model import Mount
from dartsctl.system import bounded_file
from dartsctl.text.phrases import shell_command

if TYPE_CHECKING:
    from dartsctl.workflows.deps import ComposeOn, Deps

CERTIFICATES = "compose/nginx/certs"
"""The folder of the bundled stack's certificate, unless TLS_DIR names another one."""

_GIT_DEADLINE = 5.0  # seconds


@dataclass(frozen=True, slots=True)
class InitRequest:
    """What `init` was asked for.

    `named`: Compose files from the command line, by environment. `certificate`: a folder that needs
    a certificate.
    """

    settings: Settings
    named: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)
    certificate: Path | None = None
    tls_name: str = ""
    """Empty: TLS_NAME of production's env file, else localhost."""
    dry_run: bool = False
    yes: bool = False

    @property
    def root(self) -> Path:
        """The folder of the project."""
        return self.settings.root


@dataclass(frozen=True, slots=True)
class InitPlan:
    """Every file that is needed, in the order of writing; files that are kept are included."""

    changes: tuple[Change, ...]
    tls_name: str
    """The host name for a new certificate."""


def plan(request: InitRequest, *, deps: Deps) -> InitPlan:
    """Return what there is to write, and what already exists.

    Raises UsageError where several Compose files could belong to an environment, and for an
    unreadable file.
    """
    if request.settings.source and any(request.named.values()):
        raise UsageError(
            f"settings already exist: {request.settings.source}",
            hint=Advice('add the files there: [prod] files = ["FILE"]'),
        )
    project = _examine(request, deps.compose_on)
    env_changes: list[Change] = []
    for name in project.stacks:
        env_changes += _env_files(project, name, compose_on=deps.compose_on)
    values: dict[str, str] = {}
    for change in env_changes:
        values |= _values(change, deps.environ)
    values |= deps.environ
    tls_name = check_tls_name(request.tls_name or values.get("TLS_NAME") or "localhost")
    pair = _certificate(project, values.get("TLS_DIR", ""), tls_name)
    env_paths = [change.path for change in env_changes]
    keys = [change.path for change in pair if change.path.suffix == ".key"]
    changes = [
        _settings(project, env_paths),
        *_templates(project),
        *env_changes,
        *pair,
        *_gitignore(request.root, [*env_paths, *keys]),
    ]
    return InitPlan(tuple(changes), tls_name)


@dataclass(frozen=True, slots=True)
class _Project:
    """What kind of project it is."""

    request: InitRequest
    stacks: Mapping[str, tuple[Path, ...]]
    """Environment -> its Compose files."""
    bundled: bool
    """Whether it has no Compose files, and gets the bundled stack."""
    own_app: bool
    """Whether it has Dockerfiles, so that the bundled stack builds them instead of the sample."""

    @property
    def root(self) -> Path:
        return self.request.root

    @property
    def settings(self) -> Settings:
        return self.request.settings


def _examine(request: InitRequest, compose_on: ComposeOn) -> _Project:
    root = request.root
    stacks: dict[str, tuple[Path, ...]] = {}
    for name in BUILT_IN:
        files = _stack_files(request, name)
        is_chosen = request.named.get(name) or request.settings.environments[name].files is not None
        if files:
            stacks[name] = files if is_chosen else _with_base(files, compose_on)
    if stacks:
        return _Project(request, stacks, bundled=False, own_app=False)
    stacks = {name: (root / "compose" / f"{name}.yml",) for name in BUILT_IN}
    own_app = (root / "Dockerfile").is_file() and (root / "Dockerfile.gateway").is_file()
    return _Project(request, stacks, bundled=True, own_app=own_app)


def _stack_files(request: InitRequest, name: str) -> tuple[Path, ...]:
    """Return the Compose files of an environment.

    They are named on the command line, in the settings, or by convention. A single Compose file
    without a telling name is production's: so far, `docker compose up` has started it.
    """
    settings, named = request.settings, request.named.get(name, ())
    configured = settings.environments[name].files
    if named or configured is not None:
        return _existing(named) or configured or ()
    paths = [settings.root / file for file in conventional_names(name)]
    files = [path for path in paths if path.is_file()]
    if len(files) > 1:
        listed = ", ".join(file.name for file in files)
        raise UsageError(
            f"several Compose files for {name} in {settings.root}: {listed}",
            details=("repeat the option for each file that is merged over the first",),
            hint=shell_command("dartsctl", "init", f"--{name}-file", files[0].name),
        )
    if not files and name == PRODUCTION:
        files = list(compose_files.in_folder(settings.root)[:1])
    return tuple(files)


def _with_base(files: tuple[Path, ...], compose_on: ComposeOn) -> tuple[Path, ...]:
    """Return the files, after the one that an overlay with a conventional name lies over."""
    if len(files) > 1:
        return files
    try:
        base = compose_on(adhoc(files=files, directory=files[0].parent)).base_of_overlay()
    except DartsctlError:  # no Compose: `check` will say it
        return files
    return (base, *files) if base else files


def _existing(files: Sequence[Path]) -> tuple[Path, ...]:
    for file in files:
        if not file.is_file():
            raise UsageError(f"no such Compose file: {file}", hint=shell_command("ls", file.parent))
    return tuple(Path(os.path.normpath(file.absolute())) for file in files)


def _settings(project: _Project, written: Iterable[Path]) -> Change:
    """Plan the settings file; `written` are the env files of the plan."""
    settings, path = project.settings, project.root / "dartsctl.toml"
    if settings.source:
        return Change("keep", settings.source, "")
    if project.bundled:
        text = templates.own_settings(
            template("dartsctl.toml"), settings.name, own_app=project.own_app
        )
        return Change("create", path, f"settings of {settings.name}", text)
    files: dict[str, list[str]] = {}
    own_env_files: dict[str, list[str]] = {}
    for name, paths in project.stacks.items():
        files[name] = [_relative(settings.root, file) for file in paths]
        if settings.root / ENV_FILES[name] in written:
            own_env_files[name] = [ENV_FILES[name]]
    about = "; ".join(f"{name}: {', '.join(listed)}" for name, listed in files.items())
    text = templates.settings_text(settings.name, files, own_env_files)
    return Change("create", path, about, text)


def _templates(project: _Project) -> Iterable[Change]:
    """Plan the Compose files of the bundled stack."""
    if not project.bundled:
        return
    for name in template_names("compose"):
        path, about = project.root / name, "the bundled stack"
        if project.own_app and name.startswith("compose/sample/"):
            continue
        if path.exists():
            yield Change("keep", path, about)
        else:
            yield Change("create", path, about, text=template(name), mode=template_mode(name))


# --- env files ---------------------------------------------------------------------------------


def _env_files(project: _Project, name: str, *, compose_on: ComposeOn) -> Iterable[Change]:
    """Plan the env files of an environment.

    Production needs one; another environment gets one where an example shows its content.
    """
    configured = project.settings.environments[name].env_files
    if configured is None:
        configured = (project.root / ENV_FILES[name],)
    for path in configured:
        example = env_files.example_of(path)
        if path.exists():
            yield _kept(path, example)
        elif example or project.bundled:
            yield _from_example(project, name, path, example)
        elif name == PRODUCTION:
            yield _from_compose_files(path, project.stacks[name], compose_on)


def _kept(path: Path, example: Path | None) -> Change:
    """Keep an existing env file, and name the variables that only its example has."""
    if example is None:
        return Change("keep", path, "")
    try:
        variables = env_files.read((example,), {}).keys() - env_files.read((path,), {}).keys()
    except UsageError as error:
        return Change("keep", path, error.message)
    missing = tuple(sorted(variables))
    about = f"missing: {', '.join(missing)}" if missing else ""
    return Change("keep", path, about, missing=missing)


def _from_example(project: _Project, name: str, path: Path, example: Path | None) -> Change:
    if example:
        text, source = env_files.text_of(example), f"from {example.name}"
    else:
        text, source = template(f"{ENV_FILES[name]}.example"), ""
    if project.own_app:
        text = templates.built_from_here(text)
    production = name == PRODUCTION
    text, generated = env_files.filled_in(
        text, lambda variable, value: templates.renewed(variable, value, production=production)
    )
    left = templates.left_to_fill_in(env_files.values_in(text))
    return _env_file(path, text, generated, source=source, to_fill_in=left)


def _from_compose_files(path: Path, files: Sequence[Path], compose_on: ComposeOn) -> Change:
    text, generated = templates.required_text(path.name, _required(files, compose_on))
    left = [name for name in env_files.values_in(text) if name not in generated]
    return _env_file(path, text, generated, source="", to_fill_in=tuple(left))


def _env_file(
    path: Path, text: str, generated: tuple[str, ...], *, source: str, to_fill_in: tuple[str, ...]
) -> Change:
    about = [source] if source else []
    if generated:
        about.append(f"new secrets: {', '.join(generated)}")
    return Change(
        action="create",
        path=path,
        about="; ".join([*about, "0600"]),
        text=text,
        mode=PRIVATE,
        generated=generated,
        to_fill_in=to_fill_in,
    )


def _required(files: Sequence[Path], compose_on: ComposeOn) -> tuple[str, ...]:
    """Return the variables that the Compose files require; none where Compose is unavailable."""
    try:
        return compose_on(adhoc(files=files, directory=files[0].parent)).required_variables()
    except DartsctlError:
        return ()


def _values(change: Change, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of an env file, planned or kept."""
    if change.action == "create":
        return env_files.values_in(change.text)
    try:
        entries = env_files.read((change.path,), environ)
    except UsageError:
        return {}
    return {name: entry.value for name, entry in entries.items()}


# --- the certificate ---------------------------------------------------------------------------


def _certificate(project: _Project, tls_dir: str, name: str) -> list[Change]:
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


def _mounted_folder(project: _Project, tls_dir: str) -> Path | None:
    """Return TLS_DIR, else the bundled stack's folder.

    None for another stack, whose folder is named by `--certificate`.
    """
    files = project.stacks.get(PRODUCTION, ())
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


# --- .gitignore --------------------------------------------------------------------------------


def _gitignore(root: Path, private: Sequence[Path]) -> list[Change]:
    """Plan the lines that keep secrets out of the repository; none where git is not used."""
    path = root / ".gitignore"
    inside = [_relative(root, file) for file in private if file.is_relative_to(root)]
    if not inside or not (path.exists() or _is_in_git(root)):
        return []
    lines = [f"/{name}\n" for name in _not_ignored(root, inside)]
    if not lines:
        return [Change("keep", path, "")]
    text = "".join(lines)
    about = ", ".join(text.splitlines())
    if path.exists():
        return [Change("append", path, about, text)]
    return [Change("create", path, about, text)]


def _is_in_git(root: Path) -> bool:
    return any((folder / ".git").exists() for folder in (root, *root.parents))


def _not_ignored(root: Path, paths: Sequence[str]) -> tuple[str, ...]:
    """Return the paths that git does not ignore.

    Where git gives no answer (not installed, not its own folder), .gitignore is read.
    """
    try:
        result = spawn.run(
            ["git", "-C", str(root), "check-ignore", "--", *paths], deadline=_GIT_DEADLINE
        )
    except DartsctlError:
        result = None
    if result and result.code in (0, 1):
        ignored = set(result.stdout.splitlines())
        return tuple(path for path in paths if path not in ignored)
    return templates.not_ignored(paths, _text_of(root / ".gitignore"))


def _text_of(file: Path) -> str:
    """Return the text of a file, empty where it is missing. Raises UsageError if unreadable."""
    try:
        return bounded_file.read_text(file)
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise UsageError(
            f"cannot read {file}: {error.strerror}", hint=shell_command("ls", "-l", file)
        ) from error


def _relative(root: Path, path: Path) -> str:
    """Return a path as settings and .gitignore have it: relative to the root where it is inside."""
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
