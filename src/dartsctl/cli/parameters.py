"""What the command line of a verb may have, as data.

Nothing here reads a line: `plain_line` reads the simple ones, and `app` builds Typer's program for
all the others, for help and for completion. Typer takes longer to import than most verbs run.
"""

from __future__ import annotations

from dartsctl.system import interrupts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any, Literal, TypeAlias

    from dartsctl.cli.deps import Common

    Kind = Literal["flag", "text", "texts", "path", "paths", "number", "command"]
    Function = Callable[..., int | None]
    Values = Mapping[str, Any]
    Parameter: TypeAlias = "Option | Argument | Options"


class Option:
    """An option: its names and what it takes. The default is the function's.

    `--heal/--no-heal` is the name of a flag that can be given either way. `completion` is the
    function of `completion.py` that completes the value. An inherited one counts before the verb
    too, like the common ones.
    """

    def __init__(
        self,
        *names: str,
        text: str,
        kind: Kind = "flag",
        metavar: str | None = None,
        least: int | None = None,
        completion: str = "",
        is_common: bool = False,
        is_hidden: bool = False,
        is_inherited: bool = False,
    ) -> None:
        self.names = names
        self.text = text
        self.kind = kind
        self.metavar = metavar
        self.least = least
        self.completion = completion
        self.is_common = is_common
        self.is_hidden = is_hidden
        self.is_inherited = is_inherited

    def spellings(self) -> Iterator[tuple[str, bool]]:
        """Yield each name, and whether it switches a flag on."""
        for name in self.names:
            on, _, off = name.partition("/")
            yield on, True
            if off:
                yield off, False


class Argument:
    """The words of a line that belong to no option: as text, or the command that `run` starts."""

    def __init__(
        self, *, text: str, metavar: str, kind: Kind = "text", completion: str = ""
    ) -> None:
        self.text = text
        self.metavar = metavar
        self.kind = kind
        self.completion = completion


class Options:
    """Options that a function takes as one record: each is a field."""

    def __init__(self, record: Callable[..., Any], /, **fields: Option) -> None:
        self.record = record
        self.fields = fields

    def record_of(self, values: Values) -> Any:
        """Return the record. What `values` leaves out has its default."""
        return self.record(**{name: values[name] for name in self.fields if name in values})


class Verb:
    """A function that a command line calls, and the parameters that the line may have.

    The function takes `common` and a keyword for each parameter. A parameter without a default is
    required. `fixed` are arguments that no option gives.
    """

    def __init__(
        self, function: Function, parameters: Mapping[str, Parameter], **fixed: object
    ) -> None:
        self.function = function
        self.parameters = parameters
        self.fixed = fixed

    @property
    def name(self) -> str:
        """The function's name, by which the verb is called if it has no other one."""
        return self.function.__name__

    def with_fixed(self, **fixed: object) -> Verb:
        """Return this verb with arguments that no option gives."""
        return Verb(self.function, self.parameters, **fixed)

    def each(self) -> Iterator[tuple[str, Option | Argument]]:
        """Yield each parameter with its name, also those in records."""
        for name, parameter in self.parameters.items():
            if isinstance(parameter, Options):
                yield from parameter.fields.items()
            else:
                yield name, parameter

    @property
    def required(self) -> set[str]:
        """The names of the parameters that every line has."""
        optional = self.function.__kwdefaults__ or {}
        required: set[str] = set()
        for name, parameter in self.parameters.items():
            if name not in optional and not isinstance(parameter, Options):
                required.add(name)
        return required

    def call(self, common: Common, values: Values) -> int | None:
        """Call the function. What `values` leaves out has its default."""
        arguments = dict(self.fixed)
        for name, parameter in self.parameters.items():
            if isinstance(parameter, Options):
                arguments[name] = parameter.record_of(values)
            elif name in values:
                arguments[name] = values[name]
        with interrupts.RaiseInterrupted():
            return self.function(common=common, **arguments)


class Verbs:
    """A group of verbs: `prod`, `guard`.

    `alone` is the group itself: without a verb it is called, or shows its help if the group
    `needs_a_verb`. `before_a_verb` is called with the name of a verb and the values before it.
    """

    def __init__(
        self,
        *,
        text: str | None = None,
        metavar: str | None = None,
        needs_a_verb: bool = True,
        before_a_verb: Callable[[str, Values], None] | None = None,
    ) -> None:
        self.text = text
        self.metavar = metavar
        self.needs_a_verb = needs_a_verb
        self.before_a_verb = before_a_verb
        self.alone: Verb | None = None
        self.verbs: dict[str, Verb] = {}

    @property
    def takes_a_word(self) -> bool:
        """Whether the first word may be something else than a verb."""
        parameters = self.alone.each() if self.alone else ()
        return any(isinstance(parameter, Argument) for _, parameter in parameters)

    def itself(self, **parameters: Parameter) -> Callable[[Function], Function]:
        """Make a function the group itself."""

        def add(function: Function) -> Function:
            self.alone = Verb(function, parameters)
            return function

        return add

    def verb(self, name: str = "", /, **parameters: Parameter) -> Callable[[Function], Function]:
        """Make a function a verb of the group, with the function's name or another one."""

        def add(function: Function) -> Function:
            self.verbs[name or function.__name__] = Verb(function, parameters)
            return function

        return add


def verb(**parameters: Parameter) -> Callable[[Function], Verb]:
    """Make a function a verb."""

    def add(function: Function) -> Verb:
        return Verb(function, parameters)

    return add
