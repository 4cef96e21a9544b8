"""Variables for a host server in place of those of its container: `[server.env]`.

Inside a container a service is found by its name, on this host by the port that it publishes. A
variable of the container, of an env file, or the app's own default that leads to a service of the
stack gets a placeholder instead: on this host, `localhost:5432` may be production's database.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from dartsctl.discovery.app.address_text import (
    CALLBACK,
    HOST_NAME,
    LOCAL,
    SCHEME,
    Replacer,
    StackAddresses,
    escaped,
)
from dartsctl.records import field, record, replace
from dartsctl.server.request import HOST_VARIABLES, PORT_VARIABLES
from dartsctl.stack.config_errors.interpolation import Reference, parts_of
from dartsctl.text.secret_names import is_secret_name, password_in

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dartsctl.discovery.app.env_reads import EnvRead

Origin = Literal["container", "env file", "default"]

_OWN_ADDRESS = frozenset({*PORT_VARIABLES, *HOST_VARIABLES, "HOST", "BIND", "LISTEN"})
"""Variables for what the server itself binds."""


@record
class Source:
    """A text of a variable, and its place: `compose.yaml:12`, `.env:3`, `app.py:35`."""

    text: str = field(repr=False)
    where: str
    origin: Origin = "container"
    """A text of a container is as the Compose files have it, and may use other variables."""


@record
class AppVariables:
    """What is known about an app's variables.

    `container`: as the Compose files have them, before interpolation. `env_files`: what the env
    files of dev set. `reads`: what the app reads. `loaded`: what it loads from its own files.
    """

    container: Mapping[str, Source] = field(default_factory=dict)
    env_files: Mapping[str, Source] = field(default_factory=dict)
    reads: Sequence[EnvRead] = ()
    loaded: frozenset[str] = frozenset()


@record
class ServerVariable:
    """A line of `[server.env]`. `is_callback`: an identity provider must know its URL."""

    name: str
    template: str = field(repr=False)
    where: str
    is_callback: bool = False


@record
class Misleading:
    """A variable that leads to production or to nothing, and that no line can change.

    `service`: the one that it names; empty for a port of production's.
    """

    name: str
    where: str
    service: str = ""
    port: int = 0
    lacks_port: str = ""
    """The variable for the port of `service`, which the app is not seen to read."""


def server_variables(
    variables: AppVariables, stack: StackAddresses
) -> tuple[tuple[ServerVariable, ...], tuple[Misleading, ...]]:
    """Return the lines of `[server.env]`, and the variables that lead astray in spite of them."""
    finder = _Finder(variables, stack)
    finder.run()
    return tuple(finder.lines.values()), tuple(finder.misleading.values())


class _Finder:
    """Goes through the variables, the most certain source of each first."""

    def __init__(self, variables: AppVariables, stack: StackAddresses) -> None:
        self._variables = variables
        self._stack = stack
        self._reads = {read.name: read for read in variables.reads}
        self.lines: dict[str, ServerVariable] = {}
        self.misleading: dict[str, Misleading] = {}
        self._services: dict[str, str] = {}
        """`RABBITMQ` -> the service that RABBITMQ_HOST names."""

    def run(self) -> None:
        texts = self._texts()
        for name, source in texts.items():
            self._place(name, source)
        for prefix, service in self._services.items():
            self._place_port(prefix, service, texts)
            self._add_companions(prefix)
        self._add_required()

    def _texts(self) -> dict[str, Source]:
        """Return the text of each variable that the server would have, and its source."""
        variables = self._variables
        texts: dict[str, Source] = {}
        for read in variables.reads:
            if read.default:
                texts[read.name] = Source(read.default, read.where, "default")
        texts |= variables.env_files
        for name, source in variables.container.items():
            if source.text:
                texts[name] = source
        for name in _OWN_ADDRESS:
            texts.pop(name, None)
        return texts

    def _place(self, name: str, source: Source) -> None:
        """Add the line of a variable that leads to a service, or to the server's own URL."""
        text = source.text
        if source.origin == "container":
            text = self._flat(text)
        replacer = Replacer(self._stack, name, self._port_beside(name))
        template = replacer.replaced(text)
        if replacer.service and (match := HOST_NAME.fullmatch(name)):
            self._services[match[1] or ""] = replacer.service
        if replacer.misleading is not None:
            self.misleading[name] = Misleading(name, source.where, *replacer.misleading)
        if template is None:
            self._place_whole(name, source)
            return
        if source.origin == "env file" and password_in(text):
            template = self._moved(name, replacer)
        is_callback = replacer.is_own_url and bool(CALLBACK.search(name))
        self.lines[name] = ServerVariable(name, template, source.where, is_callback)

    def _place_whole(self, name: str, source: Source) -> None:
        """Add the line of a variable that is nothing but one of an env file, with a password."""
        parts = [part for part in parts_of(source.text) if part]
        is_whole = source.origin == "container" and len(parts) == 1
        if not is_whole or not isinstance(parts[0], Reference):
            return
        given = self._variables.env_files.get(parts[0].name)
        if given is None:
            return
        replacer = Replacer(self._stack, name, "")
        if replacer.replaced(given.text) is not None and replacer.service:
            template = self._moved(parts[0].name, replacer)
            self.lines[name] = ServerVariable(name, template, source.where)

    def _moved(self, variable: str, replacer: Replacer) -> str:
        """Return the placeholder for a variable's value at another address: it holds a secret."""
        return f"{{env.{variable}@{replacer.service}:{replacer.target}}}"

    def _flat(self, text: str) -> str:
        """Return a text of a Compose file with those variables replaced that hold an address.

        The others stay: they are filled in when the server starts, and may be secrets.
        """
        parts: list[str] = []
        for part in parts_of(text):
            if isinstance(part, str):
                parts.append(part)
                continue
            parts.append(self._flat_part(part))
        return "".join(parts)

    def _flat_part(self, part: Reference) -> str:
        given = self._variables.env_files.get(part.name)
        if given is not None and given.text:
            if self._is_address(given.text) and not password_in(given.text):
                return given.text
            return f"${{{part.name}}}"
        if part.operator not in (":-", "-"):
            return f"${{{part.name}}}"
        fallback = self._flat(part.fallback)
        is_shown = self._is_address(fallback) and not is_secret_name(part.name)
        if is_shown or "${" in part.fallback:
            return fallback
        return _as_dotenv(part)

    def _is_address(self, text: str) -> bool:
        stack = self._stack
        known = {*LOCAL, *stack.targets, *stack.own, *stack.names, *stack.left_out}
        return text.isdecimal() or text in known or bool(SCHEME.match(text))

    def _port_beside(self, name: str) -> str:
        """Return the port that belongs to a host variable: RABBITMQ_PORT to RABBITMQ_HOST."""
        match = HOST_NAME.fullmatch(name)
        if match is None:
            return ""
        port_name = _port_name(match[1] or "")
        if port_name in self._variables.container:
            return self._flat(self._variables.container[port_name].text)
        if port_name in self._variables.env_files:
            return self._variables.env_files[port_name].text
        if port_name in self._reads:
            return self._reads[port_name].default or ""
        return ""

    def _place_port(self, prefix: str, service: str, texts: Mapping[str, Source]) -> None:
        """Add the line of a port variable: the service publishes another number on this host."""
        name = _port_name(prefix)
        source = texts.get(name)
        if name in _OWN_ADDRESS:
            return
        if source is None and name not in self._reads:
            self._place_unseen_port(prefix, service)
            return
        digits, where = "", ""
        if source is not None:
            digits, where = source.text, source.where
            if source.origin == "container":
                digits = self._flat(digits)
        elif read := self._reads.get(name):
            where = read.where
        target = self._target(service, digits)
        if target:
            self.lines[name] = ServerVariable(name, f"{{{service}.port:{target}}}", where)

    def _place_unseen_port(self, prefix: str, service: str) -> None:
        """Add the port to a host of which no port is named, unless dev publishes the same one."""
        target = self._target(service, "")
        if not target or target in self._stack.same_ports.get(service, ()):
            return
        for host in [line for line in self.lines.values() if _is_host_of(line, prefix, service)]:
            read = self._reads.get(host.name)
            if read is not None and read.is_in_url:
                template = f"{host.template}:{{{service}.port:{target}}}"
                self.lines[host.name] = replace(host, template=template)
                continue
            name = _port_name(prefix)
            self.lines[name] = ServerVariable(name, f"{{{service}.port:{target}}}", host.where)
            self.misleading[host.name] = Misleading(
                host.name, host.where, service, target, lacks_port=name
            )

    def _target(self, service: str, digits: str) -> int:
        """Return the container port that a number means; 0 if it is none of the service's."""
        targets = self._stack.targets.get(service, frozenset())
        if digits.isdecimal():
            port = int(digits)
            published = self._stack.published.get(port, ("", 0))
            if port not in targets and published[0] == service:
                return published[1]
            return port
        if len(targets) == 1:
            return next(iter(targets))
        return 0

    def _add_companions(self, prefix: str) -> None:
        """Add what the container gets for the same service: DB_USER beside DB_HOST."""
        if not prefix:
            return
        for name, source in self._variables.container.items():
            if name.startswith(f"{prefix}_"):
                self._add_as_written(name, source)

    def _add_required(self) -> None:
        """Add what the app does not start without, or has no default for: the container gets it.

        Without a default, a path of the container is left out: this host may not have it.
        """
        for read in self._variables.reads:
            source = self._variables.container.get(read.name)
            if source is None or not source.text:
                continue
            is_path = source.text.startswith(("/", "sqlite:////"))
            is_set = read.has_default or is_path or read.name in self._variables.loaded
            if read.is_required or not is_set:
                self._add_as_written(read.name, source)

    def _add_as_written(self, name: str, source: Source) -> None:
        if name in self.lines or name in self.misleading or name in _OWN_ADDRESS:
            return
        parts = [part for part in parts_of(source.text) if part]
        references = [part for part in parts if isinstance(part, Reference)]
        if any(part.operator in (":+", "+") or "${" in part.fallback for part in references):
            return
        is_given = len(parts) == 1 and references and references[0].name == name
        default = self._reads.get(name)
        if is_given and (name in self._variables.env_files or not references[0].fallback):
            return
        if is_given and references[0].operator in (":?", "?"):
            return
        fallback = self._flat(source.text)
        if default is not None and default.default == fallback:
            return
        template = "".join(_as_template(part) for part in parts)
        self.lines[name] = ServerVariable(name, template, source.where)


def _is_host_of(line: ServerVariable, prefix: str, service: str) -> bool:
    match = HOST_NAME.fullmatch(line.name)
    is_host = line.template == f"{{{service}.host}}"
    return is_host and match is not None and (match[1] or "") == prefix


def _port_name(prefix: str) -> str:
    return f"{prefix}_PORT".lstrip("_")


def _as_dotenv(reference: Reference) -> str:
    """Return a reference as `[server.env]` reads it."""
    if reference.operator in (":-", "-") and reference.fallback:
        return f"${{{reference.name}:-{reference.fallback}}}"
    return f"${{{reference.name}}}"


def _as_template(part: str | Reference) -> str:
    if isinstance(part, Reference):
        return _as_dotenv(part)
    return escaped(part)
