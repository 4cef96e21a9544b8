"""`${NAME:-default}` in Compose files: which variables a text uses, and what is wrong with it.

Only for messages: what counts is what Compose itself has resolved.
"""

from __future__ import annotations

from dartsctl.records import record
from dartsctl.text.patterns import regex
from dartsctl.text.secret_names import is_masked_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_NAME = regex(r"[A-Za-z_][A-Za-z0-9_]*")
_OPERATOR = regex(r":[-?+]|[-?+]")
_DEEPEST = 20
"""Defaults within defaults that are followed."""


@record
class Reference:
    """A use of a variable. `fallback` is the text after the operator (`:-`, `-`, `:?`, `:+`)."""

    name: str
    operator: str = ""
    fallback: str = ""

    @property
    def has_default(self) -> bool:
        """Whether something else is used where the variable is not set."""
        return self.operator in (":-", "-", ":+", "+")

    @property
    def shown(self) -> str:
        """The reference as it is written, without a default that may be a secret."""
        if not self.operator:
            return f"${{{self.name}}}"
        fallback = self.fallback
        if fallback and is_masked_name(self.name):
            fallback = "***"
        return f"${{{self.name}{self.operator}{fallback}}}"


def references(template: str) -> tuple[Reference, ...]:
    """Return the variables that a text uses, also those in defaults, in their order."""
    names: dict[Reference, None] = {}
    for part in parts_of(template):
        if isinstance(part, Reference):
            names[part] = None
            names |= dict.fromkeys(references(part.fallback))
    return tuple(names)


def expand(template: str, values: Mapping[str, str], *, depth: int = 0) -> str:
    """Return the text with the variables' values, as Compose reads it."""
    parts: list[str] = []
    for part in parts_of(template):
        if isinstance(part, str):
            parts.append(part)
        elif depth < _DEEPEST:
            parts.append(_value(part, values, depth + 1))
    return "".join(parts)


def shown(template: str) -> str:
    """Return the text without defaults that may be secrets."""
    return "".join(map(_shown_part, parts_of(template)))


def _shown_part(part: str | Reference) -> str:
    return part.replace("$", "$$") if isinstance(part, str) else part.shown


def _value(reference: Reference, values: Mapping[str, str], depth: int) -> str:
    value = values.get(reference.name)
    is_given = value is not None and (value != "" or not reference.operator.startswith(":"))
    match reference.operator[-1:]:
        case "-" if not is_given:
            return expand(reference.fallback, values, depth=depth)
        case "+":
            return expand(reference.fallback, values, depth=depth) if is_given else ""
    return value or ""


def parts_of(template: str) -> Iterator[str | Reference]:
    """Yield plain texts and references. What is no valid reference stays plain text."""
    position = 0
    while True:
        start = template.find("$", position)
        if start < 0:
            yield template[position:]
            return
        yield template[position:start]
        part, position = _reference(template, start)
        yield part


def _reference(template: str, start: int) -> tuple[str | Reference, int]:
    """Return the reference at a `$`, or that as a text; and the position after it."""
    after = start + 1
    if template[after : after + 1] == "$":
        return "$", after + 1
    if template[after : after + 1] != "{":
        name = _NAME.match(template, after)
        return (Reference(name[0]), name.end()) if name else ("$", after)
    name = _NAME.match(template, after + 1)
    end = closing_brace(template, after)
    if name is None or end is None:
        return "$", after
    rest = template[name.end() : end]
    operator = _OPERATOR.match(rest)
    if rest and not operator:
        return "$", after
    if operator is None:
        return Reference(name[0]), end + 1
    return Reference(name[0], operator[0], rest[operator.end() :]), end + 1


def closing_brace(template: str, start: int) -> int | None:
    """Return the position of the brace that closes the one at `start`, None without one."""
    depth = 0
    for position in range(start, len(template)):
        if template[position] == "{":
            depth += 1
        elif template[position] == "}":
            depth -= 1
            if depth == 0:
                return position
    return None


@record
class Fault:
    """Why a text is no valid template. `problem` shows no default; `advice` is what to write."""

    problem: str
    advice: str


def fault(template: str) -> Fault | None:
    """Return what is wrong with the first invalid reference; None where none is invalid."""
    position = template.find("$")
    while position >= 0:
        part, after = _reference(template, position)
        if part == "$" and template[position : position + 2] != "$$":
            return _fault_at(template, position)
        if isinstance(part, Reference) and "\n" in part.fallback:
            return Fault(f"`${{{part.name}` is closed in another line", "write it in one line")
        position = template.find("$", after)
    return None


def _fault_at(template: str, start: int) -> Fault:
    if template[start + 1 : start + 2] != "{":
        return Fault(f"`{template[start : start + 2]}` is no variable", "write a plain $ as $$")
    name = _NAME.match(template, start + 2)
    end = closing_brace(template, start + 1)
    if name is None:
        return _fault_of_name(template[start + 2 : end])
    word = name[0]
    if end is None:
        advice = f"close it: ${{{word}}} or ${{{word}:-DEFAULT}}"
        return Fault(f"`${{{word}` has no closing }}", advice)
    return _fault_of_operator(word, template[name.end()])


def _fault_of_name(inner: str) -> Fault:
    if not inner:
        return Fault("`${}` names no variable", "write ${NAME}")
    return Fault(
        f"`${{{inner.split(':', maxsplit=1)[0]}}}` does not begin with a variable's name",
        "use letters, digits and _ in the name, no digit first; write a plain $ as $$",
    )


def _fault_of_operator(name: str, operator: str) -> Fault:
    if operator == ":":
        advice = f"write :- before a default: ${{{name}:-DEFAULT}}"
        return Fault(f"`:` after {name} is no operator", advice)
    if operator.isspace():
        return Fault(f"the name after `${{{name}` has a blank", "write a name without blanks")
    advice = f"write ${{{name}}} or ${{{name}:-DEFAULT}}"
    return Fault(f"{operator!r} after {name} is no operator", advice)
