"""The step that finds out what `init` has to write. Reads, and changes nothing."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dartsctl import spawn
from dartsctl.config import templates
from dartsctl.config.environment import ENV_FILES, adhoc, conventional_names
from dartsctl.config.settings import BUILT_IN, PRODUCTION, Settings
from dartsctl.config.templates import PRIVATE, Change
from dartsctl.edges.project import certificate_files, env_files
from dartsctl.edges.project.files import template, template_mode, template_names
from dartsctl.errors import DartsctlError, UsageError
from dartsctl.stack import compose_files as stack_files
from dartsctl.stack.model import Mount
from dartsctl.system import bounded_file
from dartsctl.text.phrases import shell_command
from dartsctl.workflows.deps import ComposeOn

CERTIFICATES = "compose/nginx/certs"
"""Where the bundled stack's nginx has its certificate from, unless TLS_DIR names another folder."""

_GIT_ANSWERS_IN = 5.0  # seconds


@dataclass(frozen=True, slots=True)
class InitRequest:
    """What `init` was asked for. `named` are Compose files from the command line, by environment; `certificate` is a folder that needs one."""

    settings: Settings
    named: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)
    certificate: Path | None = None
    tls_name: str = ""
    """Empty: TLS_NAME of production's env file, else localhost."""
    dry_run: bool = False
    yes: bool = False

    @property
    def root(self) -> Path:
        return self.settings.root


@dataclass(frozen=True, slots=True)
class Plan:
    """Every file that is needed, those that are kept included, in the order in which they are written."""

    changes: tuple[Change, ...]
    tls_name: str
    """What a new certificate is for."""


def plan(request: InitRequest, compose_on: ComposeOn) -> Plan:
    """What there is to write, and what is there already.

    Raises UsageError where several Compose files could be one environment's, or a file cannot be read.
    """
    if request.settings.source and any(request.named.values()):
        raise UsageError(
            f"{request.settings.source} is there and stays as it is",
            hint='write the files into it: [prod] files = ["FILE"]',
        )
    stacks = {name: files for name in BUILT_IN if (files := _stack_files(request, name))}
    bundled = not stacks
    own_app = bundled and all(
        (request.root / name).is_file() for name in ("Dockerfile", "Dockerfile.gateway")
    )
    if bundled:
        stacks = {name: (request.root / "compose" / f"{name}.yml",) for name in BUILT_IN}
    compose_files = [*_templates(request.root, own_app=own_app)] if bundled else []
    environments = [
        one
        for name in stacks
        for one in _env_files(
            request, name, stacks[name], compose_on, bundled=bundled, own_app=own_app
        )
    ]
    written = {one.path for one in environments}
    settings = _settings(request, stacks, written, bundled=bundled, own_app=own_app)
    values = {name: one for change in environments for name, one in _values(change).items()} | dict(
        os.environ
    )
    name = tls_name(request.tls_name or values.get("TLS_NAME") or "localhost")
    pair = _certificate(
        request, stacks.get(PRODUCTION, ()), values.get("TLS_DIR", ""), name, bundled=bundled
    )
    private = [
        *(one.path for one in environments),
        *(one.path for one in pair if one.path.suffix == ".key"),
    ]
    return Plan(
        (settings, *compose_files, *environments, *pair, *_gitignore(request.root, private)), name
    )


def _stack_files(request: InitRequest, name: str) -> tuple[Path, ...]:
    """The Compose files of an environment: named on the command line, in the settings, by convention; nothing where there are none.

    A folder's only Compose file, without a name that says more, is production's: it is what `docker compose up` has started so far.
    """
    settings, named = request.settings, request.named.get(name, ())
    if named or settings.environments[name].files:
        return _existing(named) or settings.environments[name].files
    found = [
        settings.root / one for one in conventional_names(name) if (settings.root / one).is_file()
    ]
    if len(found) > 1:
        files = ", ".join(one.name for one in found)
        raise UsageError(
            f"several files in {settings.root} could be the {name} stack: {files}",
            hint=f"name it (again for each that is laid over it): dartsctl init --{name}-file {found[0].name}",
        )
    if not found and name == PRODUCTION:
        found = list(stack_files.in_folder(settings.root)[:1])
    return tuple(found)


def _existing(files: Sequence[Path]) -> tuple[Path, ...]:
    for file in files:
        if not file.is_file():
            raise UsageError(
                f"there is no Compose file {file}", hint=shell_command("ls", file.parent)
            )
    return tuple(Path(os.path.normpath(file.absolute())) for file in files)


def _settings(
    request: InitRequest,
    stacks: Mapping[str, Sequence[Path]],
    written: Iterable[Path],
    *,
    bundled: bool,
    own_app: bool,
) -> Change:
    settings, path = request.settings, request.root / "dartsctl.toml"
    if settings.source:
        return Change("keep", settings.source, "")
    if bundled:
        text = templates.own_settings(template("dartsctl.toml"), settings.name, own_app=own_app)
        return Change("create", path, f"settings of {settings.name}", text)
    files = {name: [_from(settings.root, one) for one in paths] for name, paths in stacks.items()}
    own = {
        name: [
            _from(settings.root, one) for one in written if one == settings.root / ENV_FILES[name]
        ]
        for name in stacks
    }
    text = templates.settings_text(settings.name, files, own)
    return Change(
        "create", path, "; ".join(f"{name}: {', '.join(one)}" for name, one in files.items()), text
    )


def _templates(root: Path, *, own_app: bool) -> Iterable[Change]:
    for name in template_names("compose"):
        if not (own_app and name.startswith("compose/sample/")):
            path = root / name
            about = "the bundled stack"
            yield (
                Change("keep", path, about)
                if path.exists()
                else Change("create", path, about, template(name), template_mode(name))
            )


# --- env files ----------------------------------------------------------------------------------------------------------------


def _env_files(
    request: InitRequest,
    name: str,
    files: Sequence[Path],
    compose_on: ComposeOn,
    *,
    bundled: bool,
    own_app: bool,
) -> Iterable[Change]:
    """Production needs its env file; another environment gets one where an example shows what is in it."""
    configured = request.settings.environments[name].env_files
    for path in (request.root / ENV_FILES[name],) if configured is None else configured:
        example = env_files.example_of(path)
        if path.exists():
            yield _kept(path, example)
        elif example or bundled:
            text = env_files.text_of(example) if example else template(f"{ENV_FILES[name]}.example")
            text = templates.built_from_here(text) if own_app else text
            yield _from_example(
                path, text, example.name if example else "", production=name == PRODUCTION
            )
        elif name == PRODUCTION:
            text, generated = templates.required_text(path.name, _required(files, compose_on))
            values = {one: "" for one in _names(text) if one not in generated}
            yield Change(
                "create",
                path,
                _about("", generated),
                text,
                PRIVATE,
                generated,
                to_fill_in=tuple(values),
            )


def _kept(path: Path, example: Path | None) -> Change:
    """An env file that is there. It is not touched: what its example has and it has not is named."""
    if example is None:
        return Change("keep", path, "")
    try:
        lacking = env_files.read((example,), {}).keys() - env_files.read((path,), {}).keys()
    except UsageError as error:
        return Change("keep", path, error.message)
    return Change(
        "keep",
        path,
        f"without {', '.join(sorted(lacking))}" if lacking else "",
        missing=tuple(sorted(lacking)),
    )


def _from_example(path: Path, example: str, source: str, *, production: bool) -> Change:
    text, generated = env_files.filled_in(
        example, lambda name, value: templates.renewed(name, value, production=production)
    )
    left = templates.left_to_fill_in(env_files.values_in(text))
    return Change(
        "create",
        path,
        _about(f"from {source}" if source else "", generated),
        text,
        PRIVATE,
        generated,
        left,
    )


def _about(source: str, generated: Sequence[str]) -> str:
    secrets = f"new secrets: {', '.join(generated)}" if generated else ""
    return "; ".join(part for part in (source, secrets, "0600") if part)


def _names(text: str) -> Iterable[str]:
    return env_files.values_in(text).keys()


def _required(files: Sequence[Path], compose_on: ComposeOn) -> tuple[str, ...]:
    """What the Compose files require, as far as Compose is there to say it."""
    try:
        return compose_on(adhoc(files=files, directory=files[0].parent)).required_variables()
    except DartsctlError:
        return ()


# --- the certificate ----------------------------------------------------------------------------------------------------------


def _certificate(
    request: InitRequest, files: Sequence[Path], tls_dir: str, name: str, *, bundled: bool
) -> list[Change]:
    folder = request.certificate or _mounted_folder(request.root, files, tls_dir, bundled=bundled)
    if folder is None:
        return []
    pair = (folder / "tls.key", folder / "tls.crt")
    usable = [
        one
        for one in certificate_files.look([Mount(str(folder), "/certs")]).certificates
        if one.key in ("fits", "unreadable")
    ]
    if usable:
        return [Change("keep", one.path, "the certificate") for one in usable]
    if there := [one for one in pair if one.exists()]:
        return [
            Change(
                "keep",
                one,
                "its other half is missing or does not fit: put that beside it, or remove this one",
            )
            for one in there
        ]
    about = f"self-signed for {name}, {certificate_files.DAYS} days"
    return [
        Change("create", pair[0], "its private key; 0600", mode=PRIVATE),
        Change("create", pair[1], about),
    ]


def _mounted_folder(
    root: Path, files: Sequence[Path], tls_dir: str, *, bundled: bool
) -> Path | None:
    """TLS_DIR, else the bundled stack's own folder; None for other stacks, whose folder is named by `--certificate`."""
    if tls_dir and files:
        return Path(os.path.normpath(files[0].parent / tls_dir))
    return root / CERTIFICATES if bundled or (root / CERTIFICATES).is_dir() else None


def _values(change: Change) -> dict[str, str]:
    if change.action == "create":
        return env_files.values_in(change.text)
    try:
        return {name: one.value for name, one in env_files.read((change.path,)).items()}
    except UsageError:
        return {}


# --- .gitignore ---------------------------------------------------------------------------------------------------------------


def _gitignore(root: Path, private: Sequence[Path]) -> list[Change]:
    """The lines that keep secrets out of the repository; nothing for what no git would ever see."""
    path = root / ".gitignore"
    inside = [_from(root, one) for one in private if one.is_relative_to(root)]
    if not inside or not (
        path.exists() or any((folder / ".git").exists() for folder in (root, *root.parents))
    ):
        return []
    lines = tuple(f"/{one}" for one in _not_ignored(root, inside))
    if not lines:
        return [Change("keep", path, "")]
    return [
        Change(
            "append" if path.exists() else "create",
            path,
            ", ".join(lines),
            "".join(f"{line}\n" for line in lines),
        )
    ]


def _not_ignored(root: Path, paths: Sequence[str]) -> tuple[str, ...]:
    """Asks git; where it does not answer (none here, or not its own folder), the lines of .gitignore."""
    try:
        done = spawn.run(
            ["git", "-C", str(root), "check-ignore", "--", *paths], deadline=_GIT_ANSWERS_IN
        )
    except DartsctlError:
        done = None
    if done and done.code in (0, 1):
        ignored = set(done.stdout.splitlines())
        return tuple(path for path in paths if path not in ignored)
    return templates.not_ignored(paths, _text_of(root / ".gitignore"))


def _text_of(file: Path) -> str:
    """Return the text of a file, empty where there is none. Raises UsageError where it cannot be read."""
    try:
        return bounded_file.read_text(file)
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise UsageError(
            f"{file} cannot be read: {error.strerror}", hint=shell_command("ls", "-l", file)
        ) from error


def _from(root: Path, path: Path) -> str:
    """A path as the settings and .gitignore write it: from the root where it lies in it."""
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def tls_name(text: str) -> str:
    """A host name or address that a certificate can be for. Raises UsageError for anything else."""
    if not re.fullmatch(r"[A-Za-z0-9*:](?:[A-Za-z0-9.:-]{0,250}[A-Za-z0-9])?", text):
        raise UsageError(
            f"{text!r} is not a host name",
            hint="TLS_NAME=darts.example.org in the env file, or --tls-name",
        )
    return text
