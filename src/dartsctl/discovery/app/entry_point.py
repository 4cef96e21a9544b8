"""Which command starts the app on this host, on a port that dartsctl leases, and who says so."""

from __future__ import annotations

import posixpath
import re

from dartsctl.config.server_program import ENTRY_POINTS
from dartsctl.discovery.app.command_entry import (
    entry_of,
    in_folders,
    of_module,
    of_script,
    on_leased_port,
)
from dartsctl.discovery.app.command_words import Program, numbered_programs
from dartsctl.discovery.app.entry import CommandLine, EntryPoint
from dartsctl.discovery.app.imported_app import flask_entry, of_target
from dartsctl.discovery.app.server_calls import module_name, server_call
from dartsctl.discovery.app.sources import Function, Sources, dotted
from dartsctl.records import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

_SCRIPTS = (*ENTRY_POINTS, "wsgi.py", "main.py", "server.py", "manage.py", "asgi.py")
_MORE_SCRIPTS = ("application.py", "start.py", "serve.py", "web.py", "src/main.py", "src/app.py")
_APP_NAMES = ("app", "application", "create_app", "make_app", "server", "asgi_app", "api")
_HINTS = ("run.sh", "start.sh", "dev.sh", "entrypoint.sh", "docker-entrypoint.sh", "Makefile")


@record
class EntryChoice:
    """The entry point, or several that are equally good: then `chosen` is None."""

    chosen: EntryPoint | None = None
    candidates: tuple[EntryPoint, ...] = ()


def choose_entry(
    sources: Sources,
    commands: Sequence[CommandLine] = (),
    *,
    flask_app: tuple[str, str] | None = None,
) -> EntryChoice:
    """Return how the app is started, by the most certain source that says it.

    `commands` are those of the container that runs the app, the most certain one first;
    `flask_app` is FLASK_APP in an env file, and its place.
    """
    for command in commands:
        entry = entry_of(sources, command)
        if entry is not None:
            return EntryChoice(_for_development(sources, entry))
    levels = (
        _from_flask_app(sources, flask_app),
        _from_procfile(sources),
        _from_scripts(sources),
        _from_pyproject(sources),
        _from_objects(sources),
        _from_hints(sources),
    )
    for level in levels:
        entries = _importers(sources, level)
        default = [entry for entry in entries if entry.is_default]
        if default and len({entry.framework for entry in entries}) == 1:
            return EntryChoice(default[0])
        if len(entries) == 1:
            return EntryChoice(entries[0])
        if entries:
            return EntryChoice(None, tuple(entries))
    return EntryChoice()


def _for_development(sources: Sources, entry: EntryPoint) -> EntryPoint:
    """Return the script that `dev` starts anyway, if it serves the app that a server imports.

    Production's container often has gunicorn, where a developer starts `python app.py`.
    """
    if entry.command[1:2] != ("-m",) or entry.command[2] not in ("flask", "gunicorn"):
        return entry
    default = _serving_default(sources)
    if default is None or entry.file not in sources.reachable(default.file):
        return entry
    if default.problem or not default.sees_port:
        return entry
    return default


def _serving_default(sources: Sources) -> EntryPoint | None:
    """Return the script that `dev` starts without a setting, if it is seen to serve."""
    for name in ENTRY_POINTS:
        if name in sources.texts:
            call = server_call(sources, name)
            if call is None:
                return None
            return of_script(sources, name, (), f"{name}:1")
    return None


def _from_flask_app(sources: Sources, flask_app: tuple[str, str] | None) -> Iterator[EntryPoint]:
    if flask_app is None or _serving_default(sources) is not None:
        return
    if entry := flask_entry(sources, *flask_app):
        yield entry


def _from_procfile(sources: Sources) -> Iterator[EntryPoint]:
    for name in ("Procfile.dev", "Procfile"):
        for number, line in enumerate(sources.texts.get(name, "").splitlines(), 1):
            process, _, rest = line.partition(":")
            if process.strip() != "web":
                continue
            words = ("sh", "-c", rest.strip())
            entry = entry_of(sources, CommandLine(words, f"{name}:{number}"))
            if entry is not None:
                yield _for_development(sources, entry)
                return


def _from_scripts(sources: Sources) -> Iterator[EntryPoint]:
    """Yield the scripts with a usual name that serve."""
    for path in (*_SCRIPTS, *_MORE_SCRIPTS):
        if path not in sources.texts:
            continue
        call = server_call(sources, path)
        if call is not None:
            entry = of_script(sources, path, (), call.where)
            if entry is not None:
                yield entry
    for path in sources.texts:
        if path.endswith("/__main__.py") and path.count("/") <= 2 and server_call(sources, path):
            package = posixpath.dirname(path).removeprefix("src/").replace("/", ".")
            program = Program(package, is_module=True)
            if entry := of_module(sources, program, f"{path}:1"):
                yield entry


def _from_pyproject(sources: Sources) -> Iterator[EntryPoint]:
    """Yield the project's own commands whose function serves."""
    import tomllib

    text = sources.texts.get("pyproject.toml", "")
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError):
        return
    scripts = dict(_table(document, "project", "scripts"))
    scripts |= _table(document, "tool", "poetry", "scripts")
    for name, target in scripts.items():
        module, _, function = str(target).partition(":")
        path = sources.module_file(module)
        definition = sources.definition(path, function)
        if definition is None or not isinstance(definition[1], Function):
            continue
        # as if the file called it
        text = f"{sources.texts[path]}\n\n{function}()\n"
        inside = Sources({**sources.texts, path: text}, sources.roots)
        call = server_call(inside, path)
        if call is None:
            continue
        line = _line_with(sources.texts["pyproject.toml"], str(target))
        entry = EntryPoint((name,), f"pyproject.toml:{line}", call.program, path)
        yield on_leased_port(inside, entry, call)


def _table(document: Mapping[str, object], *keys: str) -> Mapping[str, object]:
    table: object = document
    for key in keys:
        if not isinstance(table, dict):
            return {}
        table = table.get(key)
    if not isinstance(table, dict):
        return {}
    return table


def _line_with(text: str, words: str) -> int:
    for number, line in enumerate(text.splitlines(), 1):
        if words in line:
            return number
    return 1


def _from_objects(sources: Sources) -> Iterator[EntryPoint]:
    """Yield the files with a usual name that define an app, or a function that makes one."""
    for path in _object_files(sources):
        for name in _APP_NAMES:
            definition = sources.definition(path, name)
            if definition is None or not _is_at_module_level(sources, *definition, name):
                continue
            module = module_name(path.removeprefix("src/"))
            line = getattr(definition[1], "lineno", 1)
            entry = of_target(sources, f"{module}:{name}", f"{definition[0]}:{line}")
            if entry is None:
                continue
            yield entry
            break


def _object_files(sources: Sources) -> Iterator[str]:
    names = ("wsgi.py", "asgi.py", "main.py", "app.py", "application.py", "server.py", "run.py")
    for folder in ("", "src/"):
        for name in names:
            if f"{folder}{name}" in sources.texts:
                yield f"{folder}{name}"
    for path in sorted(sources.texts):
        inner = path.removeprefix("src/")
        if re.fullmatch(r"\w+/(__init__|main|app|wsgi|asgi|server|api)\.py", inner):
            yield path


def _is_at_module_level(sources: Sources, path: str, node: object, name: str) -> bool:
    tree = sources.tree(path)
    if tree is None:
        return False
    if isinstance(node, Function):
        return node in tree.body
    for statement in tree.body:
        places = getattr(statement, "targets", [getattr(statement, "target", None)])
        for place in places:
            if place is not None and dotted(place) == getattr(node, "name", name):
                return True
    return node in tree.body


def _from_hints(sources: Sources) -> Iterator[EntryPoint]:
    for path in _HINTS:
        for line, program in numbered_programs(sources.texts.get(path, "")):
            command = CommandLine((), f"{path}:{line}")
            if entry := in_folders(sources, program, command):
                yield entry


def _importers(sources: Sources, entries: Iterable[EntryPoint]) -> list[EntryPoint]:
    """Return the entry points, each command once, without those whose file another one imports."""
    unique: dict[tuple[str, ...], EntryPoint] = {}
    for entry in entries:
        unique.setdefault(entry.command, entry)
    kept: list[EntryPoint] = []
    for entry in unique.values():
        others = [other for other in unique.values() if other.file != entry.file]
        is_imported = any(_imports(sources, other, entry) for other in others)
        is_in_circle = any(_imports(sources, entry, other) for other in others)
        if not is_imported or is_in_circle:
            kept.append(entry)
    return kept


def _imports(sources: Sources, importer: EntryPoint, imported: EntryPoint) -> bool:
    return imported.file in sources.reachable(importer.file)
