"""Which command starts the app on this host, on a port that dartsctl leases, and who says so."""

from __future__ import annotations

import ast
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from dartsctl.server.app.command_words import (
    Program,
    numbered_programs,
    program_of,
    value_of,
    without_address,
)
from dartsctl.server.app.server_calls import (
    ASGI,
    ServerCall,
    kind_of,
    module_name,
    server_call,
)
from dartsctl.server.app.sources import Function, Sources, dotted
from dartsctl.server.request import PORT_VARIABLES

DEFAULT_SCRIPTS = ("run.py", "app.py")
"""What `dev` starts without a setting: see config/server_program.py."""
_SCRIPTS = (*DEFAULT_SCRIPTS, "wsgi.py", "main.py", "server.py", "manage.py", "asgi.py")
_MORE_SCRIPTS = ("application.py", "start.py", "serve.py", "web.py", "src/main.py", "src/app.py")
_APP_NAMES = ("app", "application", "create_app", "make_app", "server", "asgi_app", "api")
_HINTS = ("run.sh", "start.sh", "dev.sh", "entrypoint.sh", "docker-entrypoint.sh", "Makefile")
_PYTHON = "{python}"
_FLASK_ADDRESS = ("--host", "-h", "--port", "-p")
_OLD_FLASK = re.compile(r"(?im)^flask[ \t]*(==|~=|<=)[ \t]*(0|1|2\.[01])(\.|\s|$)")
"""Versions without the option --app."""


@dataclass(frozen=True, slots=True)
class CommandLine:
    """A command line that somebody has written, and its place: `Dockerfile:7`."""

    words: tuple[str, ...]
    where: str
    variables: Mapping[str, str] = field(default_factory=dict)
    """The variables that it gets, such as FLASK_APP."""
    folders: tuple[str, ...] = ()
    """The folders whose content is the program's own folder there."""


@dataclass(frozen=True, slots=True)
class EntryPoint:
    """A command that starts the app; its placeholders are not replaced yet.

    `file`: the Python file with the app, or the script. `problem`: why the app cannot be started on
    a leased port; then `paste` are lines that change that.
    """

    command: tuple[str, ...]
    where: str
    framework: str = ""
    file: str = ""
    directory: str = ""
    handover: str = ""
    port_variables: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""
    paste: tuple[str, ...] = ()
    own_port: str = ""
    """The number that the app would take by itself, if it is seen."""
    sees_port: bool = True
    """Whether it is known that the app listens on the leased port."""

    @property
    def is_default(self) -> bool:
        """Whether `dev` starts this script without a setting, if no other one is before it."""
        return self.command[:1] == (_PYTHON,) and self.command[1:] in [
            (name,) for name in DEFAULT_SCRIPTS
        ]


@dataclass(frozen=True, slots=True)
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


def entry_of(sources: Sources, command: CommandLine) -> EntryPoint | None:
    """Return the entry point that a command line starts; None for what is no Python server."""
    program = program_of(command.words)
    if program is None:
        return _of_shell_script(sources, command)
    return _in_folders(sources, program, command)


def _of_shell_script(sources: Sources, command: CommandLine) -> EntryPoint | None:
    """Return what a shell script of the app starts in its end, such as an entrypoint.sh."""
    for word in command.words:
        name = posixpath.basename(word)
        for path in (word.lstrip("./"), name):
            text = sources.texts.get(path)
            if text is None or not name.endswith(".sh"):
                continue
            for line, program in reversed(list(numbered_programs(text))):
                inner = replace(command, where=f"{path}:{line}")
                if entry := _in_folders(sources, program, inner):
                    return entry
    return None


def _in_folders(sources: Sources, program: Program, command: CommandLine) -> EntryPoint | None:
    """Return the entry point of a program in the app's folder, or in one that is copied."""
    folders = [folder for folder in command.folders if folder != "."]
    if folders:
        entry = _of_program(Sources(sources.texts, roots=("",)), program, command)
        if entry is not None:
            return entry
    for folder in folders:
        entry = _of_program(sources.below(folder), program, command)
        if entry is not None:
            return replace(entry, directory=folder)
    return _of_program(sources, program, command)


def _of_program(sources: Sources, program: Program, command: CommandLine) -> EntryPoint | None:
    entry: EntryPoint | None = None
    if program.is_file:
        path = _existing(sources, program.name)
        entry = _of_script(sources, path, program.words, command.where)
    elif program.is_module:
        entry = _of_module(sources, program, command.where)
    elif program.name == "flask":
        named = command.variables.get("FLASK_APP", "")
        entry = _of_flask(sources, program.words, named, command.where)
    elif program.name == "fastapi":
        entry = _of_fastapi(sources, program.words, command.where)
    elif program.name in ("uvicorn", "hypercorn", "daphne"):
        entry = _of_asgi_server(sources, program, command.where)
    else:
        entry = _of_wsgi_server(sources, program, command.where)
    return entry


def _existing(sources: Sources, name: str) -> str:
    """Return the app's file for a path in the image: `/app/run.py` is `run.py`."""
    parts = posixpath.normpath(name).lstrip("/").split("/")
    if not name.startswith("/"):
        parts = ["/".join(parts)]
    for first in range(len(parts)):
        path = "/".join(parts[first:])
        if path in sources.texts:
            return path
    return ""


# --- Python files ------------------------------------------------------------------------------


def _of_script(
    sources: Sources, path: str, words: Sequence[str], where: str, *, start: Sequence[str] = ()
) -> EntryPoint | None:
    """Return the entry point of a script; `start` are the words that start it, if not its path."""
    if posixpath.basename(path) == "manage.py":
        return _of_manage(sources, path, words, where)
    if sources.tree(path) is None:
        return None
    call = server_call(sources, path)
    command = (_PYTHON, *(start or (path,)), *words)
    entry = EntryPoint(command, where, file=path)
    if call is None:
        return replace(entry, sees_port=False)
    entry = replace(entry, framework=call.program, own_port=call.port.number)
    return _on_leased_port(sources, entry, call)


def _on_leased_port(sources: Sources, entry: EntryPoint, call: ServerCall) -> EntryPoint:
    """Return the entry point, changed so that the app listens on the leased port."""
    port = call.port
    if port.kind == "variable":
        if set(port.names).isdisjoint(PORT_VARIABLES):
            return replace(entry, port_variables=port.names)
        return entry
    if port.kind == "argument" and port.names:
        words = without_address(entry.command[2:], port.names)
        return replace(entry, command=(*entry.command[:2], *words, port.names[0], "{port}"))
    takes_a_socket = call.program in ("Flask", "werkzeug") or (
        call.program == "Flask-SocketIO" and not _is_async(sources, entry.file)
    )
    if takes_a_socket:
        return replace(entry, handover="werkzeug")
    return _by_target(sources, entry, call) or _with_problem(entry, call)


def _by_target(sources: Sources, entry: EntryPoint, call: ServerCall) -> EntryPoint | None:
    """Return how the app of a script with a fixed port is started without the script."""
    if not call.target:
        return None
    if call.program == "uvicorn":
        reload = ["--reload"] * call.reloads
        command = (_PYTHON, "-m", "uvicorn", call.target, *reload, "--port", "{port}")
        return replace(entry, command=command)
    if call.program in ("waitress", "gevent", "cheroot", "wsgiref", "hypercorn"):
        return _of_target(sources, call.target, entry.where)
    return None


def _with_problem(entry: EntryPoint, call: ServerCall) -> EntryPoint:
    if call.port.kind == "unknown":
        return replace(entry, sees_port=False)
    number = call.port.number or "5000"
    what = "its own default port"
    if call.port.kind == "literal":
        what = f"the port {number}"
    return replace(
        entry,
        problem=f"{call.where} listens on {what} and reads no variable",
        paste=(f'port=int(os.environ.get("PORT", "{number}"))',),
    )


def _is_async(sources: Sources, path: str) -> bool:
    """Return whether Flask-SocketIO uses eventlet or gevent, which take no socket.

    It takes them by itself where they are installed.
    """
    for file in sources.reachable(path):
        if re.search(r"async_mode\s*=\s*[\"']threading", sources.texts[file]):
            return False
    for file, text in sources.texts.items():
        is_list = file.startswith("requirements") or file in ("pyproject.toml", "Pipfile")
        if is_list and re.search(r"(?im)^\W*(eventlet|gevent)\b", text):
            return True
    for file in sources.reachable(path):
        if {"eventlet", "gevent"} & sources.imports(file).keys():
            return True
    return False


def _of_manage(sources: Sources, path: str, words: Sequence[str], where: str) -> EntryPoint | None:
    call = server_call(sources, path)
    if call is None:
        return None
    if call.program == "Django":
        words = ("runserver", "{host}:{port}")
    elif call.program == "Flask-Script":
        words = ("runserver", "-h", "{host}", "-p", "{port}")
    elif call.program == "FlaskGroup":
        kept = without_address([word for word in words if word != "run"], _FLASK_ADDRESS)
        words = ("run", *kept)
    else:
        entry = EntryPoint((_PYTHON, path, *words), where, call.program, path)
        return _on_leased_port(sources, entry, call)
    return EntryPoint((_PYTHON, path, *words), where, call.program, path)


def _of_module(sources: Sources, program: Program, where: str) -> EntryPoint | None:
    for module in (f"{program.name}.__main__", program.name):
        path = sources.module_file(module)
        if path:
            start = ("-m", program.name)
            return _of_script(sources, path, program.words, where, start=start)
    return None


# --- servers that import the app -----------------------------------------------------------------


def _of_flask(sources: Sources, words: Sequence[str], named: str, where: str) -> EntryPoint | None:
    if "run" not in words:
        return None
    target = value_of(words, ("--app", "-A")) or named or _flasks_default(sources)
    if not target:
        return None
    kept = without_address(words, (*_FLASK_ADDRESS, "--app", "-A"))
    index = kept.index("run")
    return _flask(sources, target, where, before=kept[:index], after=kept[index + 1 :])


def _flasks_default(sources: Sources) -> str:
    """Return the app that `flask run` finds by itself."""
    for file in ("wsgi.py", "app.py"):
        if file in sources.texts:
            return file.removesuffix(".py")
    return ""


def _flask(
    sources: Sources,
    target: str,
    where: str,
    *,
    before: Sequence[str] = (),
    after: Sequence[str] = (),
) -> EntryPoint | None:
    """Return `flask --app TARGET run`; it reads the leased port from FLASK_RUN_PORT."""
    file = _file_of_target(sources, target)
    if not file:
        return None
    module, colon, name = target.partition(":")
    if _is_in_src(file, module):
        target = f"src/{module.replace('.', '/')}{colon}{name}"
    command = (_PYTHON, "-m", "flask", "--app", target, *before, "run", *after)
    entry = EntryPoint(command, where, "Flask", file)
    for name, text in sources.texts.items():
        if name.startswith("requirements") and _OLD_FLASK.search(text):
            command = (_PYTHON, "-m", "flask", *before, "run", *after)
            return replace(entry, command=command, variables={"FLASK_APP": target})
    return entry


def _is_in_src(file: str, module: str) -> bool:
    """Return whether a module lies in src/: Python finds it there only if that is said."""
    return file.startswith("src/") and not module.startswith("src")


def _file_of_target(sources: Sources, target: str) -> str:
    """Return the file of `module:name`, `folder/module.py` or `src/shop:create_app()`."""
    place = re.split(r":(?![\\/])", target, maxsplit=1)[0].removeprefix("./")
    for path in (place, f"{place}.py", f"{place}/__init__.py"):
        if path in sources.texts and path.endswith(".py"):
            return path
    return sources.module_file(place)


def _of_wsgi_server(sources: Sources, program: Program, where: str) -> EntryPoint | None:
    target = _wsgi_target(sources, program)
    if target is None:
        return None
    entry = _of_target(sources, target, where)
    is_async = re.search(
        r"eventlet|gevent|tornado", value_of(program.words, ("-k", "--worker-class"))
    )
    if entry is not None and not is_async:
        return entry
    file = _file_of_target(sources, target)
    if program.name != "gunicorn" or not file:
        return entry
    words = without_address(program.words, ("-b", "--bind"))
    command = (_PYTHON, "-m", "gunicorn", *words, "-b", "{host}:{port}")
    return EntryPoint(command, where, "gunicorn", file)


def _wsgi_target(sources: Sources, program: Program) -> str | None:
    words = program.words
    if program.name == "uwsgi":
        file = value_of(words, ("--wsgi-file", "--file"))
        name = value_of(words, ("--callable",)) or "app"
        if file:
            return f"{file.removesuffix('.py').replace('/', '.')}:{name}"
        module = value_of(words, ("--module", "-w", "--wsgi"))
        if module and ":" not in module:
            return f"{module}:{value_of(words, ('--callable',)) or 'application'}"
        return module or None
    called = value_of(words, ("--call",))
    if called:
        return f"{called}()"
    for word in reversed(words):
        if re.fullmatch(r"[A-Za-z_][\w.]*(:[\w.]+(\(.*\))?)?", word) and _file_of_target(
            sources, word
        ):
            return word
    return None


def _of_target(sources: Sources, target: str, where: str) -> EntryPoint | None:
    """Return how the app `module:name` is started for development, by its framework."""
    file = _file_of_target(sources, target)
    if not file:
        return None
    module, _, name = target.partition(":")
    if not name:  # gunicorn's default
        name = "application"
        if sources.definition(file, name) is None:
            name = "app"
    definition = sources.definition(file, name.partition("(")[0])
    kind = ""
    if definition is not None:
        kind = kind_of(sources, file, _as_expression(name))
    if kind in ("Flask", "Dash"):
        return _flask(sources, f"{module}:{name}", where)
    if kind == "Django":
        return _of_manage(sources, "manage.py", (), where)
    if kind in ASGI:
        is_factory = definition is not None and isinstance(definition[1], Function)
        factory = ["--factory"] * is_factory
        words = (f"{module}:{name.removesuffix('()')}", *factory)
        if _is_in_src(file, module):
            words = ("--app-dir", "src", *words)
        return EntryPoint((_PYTHON, "-m", "uvicorn", *words, "--port", "{port}"), where, kind, file)
    return None


def _as_expression(name: str) -> ast.expr:
    try:
        return ast.parse(name, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ast.Constant(None)


def _of_asgi_server(sources: Sources, program: Program, where: str) -> EntryPoint | None:
    target = ""
    for word in program.words:
        if re.fullmatch(r"[A-Za-z_][\w.]*:[\w.]+(\(\))?", word):
            target = word
    app_dir = value_of(program.words, ("--app-dir",)).removeprefix("./")
    inside = sources
    if app_dir not in ("", "."):
        inside = sources.below(app_dir)
    file = _file_of_target(inside, target)
    if not file:
        return None
    name = target.partition(":")[2]
    kind = kind_of(inside, file, _as_expression(name)) or program.name
    if app_dir not in ("", "."):
        file = f"{app_dir}/{file}"
    if program.name == "hypercorn":
        words = without_address(program.words, ("-b", "--bind"))
        command = (_PYTHON, "-m", "hypercorn", *words, "-b", "{host}:{port}")
    elif program.name == "daphne":
        words = without_address(program.words, ("-b", "--bind", "-p", "--port"))
        command = (_PYTHON, "-m", "daphne", "-b", "{host}", "-p", "{port}", *words)
    else:
        words = without_address(program.words, ("--host", "--port"))
        if inside is sources and _is_in_src(file, target):
            words = ("--app-dir", "src", *words)
        command = (_PYTHON, "-m", "uvicorn", *words, "--port", "{port}")
    return EntryPoint(command, where, kind, file)


def _of_fastapi(sources: Sources, words: Sequence[str], where: str) -> EntryPoint | None:
    if words[:1] not in (("run",), ("dev",)):
        return None
    kept = without_address(words, ("--host", "--port"))
    for word in kept[1:]:
        if word.endswith(".py") and word in sources.texts:
            command = (_PYTHON, "-m", "fastapi", *kept, "--port", "{port}")
            return EntryPoint(command, where, "FastAPI", word)
    return None


# --- conventions ---------------------------------------------------------------------------------


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
    for name in DEFAULT_SCRIPTS:
        if name in sources.texts:
            call = server_call(sources, name)
            if call is None:
                return None
            return _of_script(sources, name, (), f"{name}:1")
    return None


def _from_flask_app(sources: Sources, flask_app: tuple[str, str] | None) -> Iterator[EntryPoint]:
    if flask_app is None or _serving_default(sources) is not None:
        return
    if entry := _flask(sources, *flask_app):
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
            entry = _of_script(sources, path, (), call.where)
            if entry is not None:
                yield entry
    for path in sources.texts:
        if path.endswith("/__main__.py") and path.count("/") <= 2 and server_call(sources, path):
            package = posixpath.dirname(path).removeprefix("src/").replace("/", ".")
            program = Program(package, is_module=True)
            if entry := _of_module(sources, program, f"{path}:1"):
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
        yield _on_leased_port(inside, entry, call)


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
            folder, _, _ = path.rpartition("/")
            module = module_name(path.removeprefix("src/"))
            if not folder and path == "__init__.py":
                continue
            line = getattr(definition[1], "lineno", 1)
            entry = _of_target(sources, f"{module}:{name}", f"{definition[0]}:{line}")
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
            if entry := _in_folders(sources, program, command):
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
