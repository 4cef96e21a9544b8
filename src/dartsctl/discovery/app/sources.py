"""The app's files as text, and its Python files as syntax trees. Nothing is imported or run."""

from __future__ import annotations

import ast
import posixpath
import warnings

from dartsctl.records import field, record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_MOST_LINKS = 12
"""How many names are followed from file to file: imports may lead in a circle."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


@record
class Imported:
    """Where a name of a Python file is from: a module, and the name there (empty: the module)."""

    module: str
    name: str
    path: str
    """The file of the module, empty if it is none of the app's."""


@record(frozen=False)
class Sources:
    """The files below the app's folder, by their path from there: `app.py`, `shop/__init__.py`.

    `roots` are the folders in which modules are searched for, as Python would.
    """

    texts: Mapping[str, str]
    roots: tuple[str, ...] = ("", "src")
    _trees: dict[str, ast.Module | None] = field(default_factory=dict)
    _imports: dict[str, dict[str, Imported]] = field(default_factory=dict)
    _definitions: dict[str, dict[str, ast.AST]] = field(default_factory=dict)

    def below(self, folder: str) -> Sources:
        """Return the files below a folder, as an app in that folder sees them."""
        texts: dict[str, str] = {}
        for path, text in self.texts.items():
            if path.startswith(f"{folder}/"):
                texts[path.removeprefix(f"{folder}/")] = text
        return Sources(texts)

    def tree(self, path: str) -> ast.Module | None:
        """Return the syntax tree of a Python file; None where it is missing or none."""
        if path not in self._trees:
            self._trees[path] = _parsed(self.texts.get(path))
        return self._trees[path]

    def module_file(self, module: str, *, beside: str = "") -> str:
        """Return the file of a module such as `shop.web`, empty if the app has none.

        `beside`: a file of the app whose folder is searched first, as that of a script is.
        """
        place = module.replace(".", "/")
        for root in (posixpath.dirname(beside), *self.roots):
            for file in (f"{place}.py", f"{place}/__init__.py"):
                path = posixpath.normpath(posixpath.join(root, file))
                if path in self.texts:
                    return path
        return ""

    def nodes(self, path: str) -> Iterator[ast.AST]:
        """Yield all nodes of a file's tree; none where it has none."""
        return _nodes(self.tree(path))

    def imports(self, path: str) -> Mapping[str, Imported]:
        """Return what each imported name of a file is, also those imported inside functions."""
        if path not in self._imports:
            names: dict[str, Imported] = {}
            for node in self.nodes(path):
                if isinstance(node, ast.Import):
                    self._add_import(node, path, names)
                elif isinstance(node, ast.ImportFrom):
                    self._add_from(node, path, names)
            self._imports[path] = names
        return self._imports[path]

    def reachable(self, path: str) -> tuple[str, ...]:
        """Return the file and all files of the app that it imports or has as configuration."""
        seen: dict[str, None] = {}
        waiting = [path]
        while waiting:
            current = waiting.pop(0)
            if current in seen or self.tree(current) is None:
                continue
            seen[current] = None
            waiting += self._imported_files(current)
        return tuple(seen)

    def definition(self, path: str, name: str) -> tuple[str, ast.AST] | None:
        """Return the file and the statement that defines a name; imports are followed."""
        for _ in range(_MOST_LINKS):
            node = self._definitions_in(path).get(name)
            if node is not None:
                return path, node
            imported = self.imports(path).get(name)
            if imported is None or not imported.path or not imported.name:
                return None
            path, name = imported.path, imported.name
        return None

    def _definitions_in(self, path: str) -> Mapping[str, ast.AST]:
        """Return what defines each name of a file; outside of functions goes before inside."""
        if path not in self._definitions:
            names: dict[str, ast.AST] = {}
            tree = self.tree(path)
            if tree is not None:
                for node in (*outer_nodes(tree.body), *ast.walk(tree)):
                    for name in _defined_by(node):
                        names.setdefault(name, node)
            self._definitions[path] = names
        return self._definitions[path]

    def _imported_files(self, path: str) -> Iterator[str]:
        for imported in self.imports(path).values():
            if imported.path:
                yield imported.path
            if imported.name:  # `from shop import views` may mean the module shop.views
                inner = self.module_file(f"{imported.module}.{imported.name}", beside=path)
                if inner:
                    yield inner
        for node in self.nodes(path):
            if isinstance(node, ast.ImportFrom) and node.names[0].name == "*":
                yield self._from_file(node, path)[1]
            elif isinstance(node, ast.Call):
                yield from self._configuration(node, path)

    def _configuration(self, call: ast.Call, path: str) -> Iterator[str]:
        """Yield the file of Flask's `from_object("shop.config.Dev")` or `from_pyfile("x.py")`.

        Where the text is not seen, it is the conventional one.
        """
        kind = dotted(call.func).rpartition(".")[2]
        if kind not in ("from_object", "from_pyfile") or not call.args:
            return
        text = text_of(call.args[0])
        if kind == "from_pyfile":
            yield posixpath.join(posixpath.dirname(path), text or "config.py")
            return
        names = ("config", "settings")
        if text is not None:
            names = (text, text.rpartition(".")[0])
        for name in filter(None, names):
            if file := self.module_file(name, beside=path):
                yield file

    def _add_import(self, node: ast.Import, path: str, names: dict[str, Imported]) -> None:
        for alias in node.names:
            file = self.module_file(alias.name, beside=path)
            bound = alias.asname or alias.name.partition(".")[0]
            names[bound] = Imported(alias.name, "", file)

    def _add_from(self, node: ast.ImportFrom, path: str, names: dict[str, Imported]) -> None:
        module, file = self._from_file(node, path)
        for alias in node.names:
            names[alias.asname or alias.name] = Imported(module, alias.name, file)

    def _from_file(self, node: ast.ImportFrom, path: str) -> tuple[str, str]:
        """Return the module of `from X import ...` and its file; `.` is the file's own package."""
        if not node.level:
            module = node.module or ""
            return module, self.module_file(module, beside=path)
        folder = posixpath.dirname(path)
        for _ in range(node.level - 1):
            folder = posixpath.dirname(folder)
        place = posixpath.join(folder, (node.module or "").replace(".", "/")).rstrip("/")
        for file in (f"{place}.py", posixpath.join(place, "__init__.py")):
            if file in self.texts:
                return place.replace("/", "."), file
        return place.replace("/", "."), ""


def outer_nodes(statements: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """Yield the nodes of these statements, without what functions and classes in them contain."""
    waiting = list(statements)[::-1]
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, Function | ast.ClassDef | ast.Lambda):
            waiting += list(ast.iter_child_nodes(node))[::-1]


def value_in(statements: Iterable[ast.AST], name: str) -> ast.AST | None:
    """Return what these statements assign to a name; None where they do not."""
    for node in outer_nodes(statements):
        if isinstance(node, ast.Assign | ast.AnnAssign) and name in _defined_by(node):
            return node.value
    return None


def dotted(node: ast.AST | None) -> str:
    """Return `a.b.c` for names and attributes, empty for anything else."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return ""
    return ".".join([node.id, *reversed(parts)])


def argument(call: ast.Call, name: str, position: int | None = None) -> ast.expr | None:
    """Return the argument of a call with that keyword, or at that position."""
    for keyword in call.keywords:
        if keyword.arg == name:
            return keyword.value
    if position is not None and position < len(call.args):
        return call.args[position]
    return None


def text_of(node: ast.AST | None) -> str | None:
    """Return the text of a literal string or number, None for anything else."""
    if not isinstance(node, ast.Constant) or isinstance(node.value, bool):
        return None
    if isinstance(node.value, str | int):
        return str(node.value)
    return None


def _parsed(text: str | None) -> ast.Module | None:
    if text is None:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the app's text, which is not ours
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _nodes(tree: ast.Module | None) -> Iterator[ast.AST]:
    if tree is not None:
        yield from ast.walk(tree)


def _defined_by(node: ast.AST) -> Iterator[str]:
    """Yield the names that a statement defines."""
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            yield node.name
        case ast.Assign():
            for place in node.targets:
                if isinstance(place, ast.Name):
                    yield place.id
        case ast.AnnAssign() if isinstance(node.target, ast.Name):
            yield node.target.id
