"""Records: classes of fields, like data classes, that cost next to nothing to define.

A command defines some hundred of them and uses a few. `dataclasses` compiles five functions for
each one when its module is imported, about a millisecond; here that is done at the first instance.
Type checkers see a data class.
"""

from __future__ import annotations

from _operator import attrgetter, eq, ge, gt, le, lt

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, TypeVar, dataclass_transform

    T = TypeVar("T")
else:  # `typing` takes longer to load than all that is here

    def dataclass_transform(**_options):
        return lambda function: function


_MISSING: Any = object()


class Field:
    """What a record says of one of its fields."""

    def __init__(self, **said: Any) -> None:
        self.default = said["default"]
        self.factory = said["factory"]
        self.is_shown = said["repr"]
        self.is_compared = said["compare"]
        self.is_hashed = said["compare"] and said["hash"]


def field(
    *,
    default: Any = _MISSING,
    default_factory: Callable[[], Any] | None = None,
    repr: bool = True,  # noqa: A002 - the words of `dataclasses.field`
    compare: bool = True,
    hash: bool = True,  # noqa: A002 - the same
) -> Any:
    """Say more of a field than its default, in the words of `dataclasses.field`."""
    return Field(default=default, factory=default_factory, repr=repr, compare=compare, hash=hash)


_PLAIN: Field = field()


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def record(
    cls: Any = None, /, *, frozen: bool = True, order: bool = False, kw_only: bool = False
) -> Any:
    """Make a class a record of its annotated names: compared by value and, if frozen, hashable.

    Methods that the class defines itself stay. The fields of bases that are records come first.
    """
    methods: dict[str, Any] = {"__init__": _first_init, "__repr__": _repr, "__eq__": _equal}
    methods["__hash__"] = None
    if frozen:
        methods |= {"__hash__": _hash, "__setattr__": _keep, "__delattr__": _keep}
    if order:
        methods |= _ORDERING

    def define(cls: type[T]) -> type[T]:
        own = cls.__dict__
        for name, method in methods.items():
            if name not in own:
                setattr(cls, name, method)
        cls._is_kw_only = kw_only  # type: ignore[attr-defined]  # of records alone
        return cls

    return define if cls is None else define(cls)


def replace(record: T, /, **changes: Any) -> T:
    """Return a copy of a record, with other values in the fields that are named.

    Raises TypeError for a name that is no field, and for what is no record.
    """
    own = record.__dict__
    return type(record)(**({name: own[name] for name in fields(type(record))} | changes))


def fields(cls: type, /) -> Mapping[str, Field]:
    """Return the fields of a record by name, in their order: those of its bases first.

    Raises TypeError for another class.
    """
    if not is_record(cls):
        raise TypeError(f"{cls.__name__} is no record")
    known = cls.__dict__.get("_fields")
    if known is None:
        known = _read_fields(cls)
        cls._fields = known  # type: ignore[attr-defined]  # of records alone
    return known


def _read_fields(cls: type) -> dict[str, Field]:
    described: dict[str, Field] = {}
    for base in reversed(cls.__mro__):
        if "_is_kw_only" not in base.__dict__:
            continue
        for name in base.__annotations__:
            default = base.__dict__.get(name, _MISSING)
            if isinstance(default, Field):
                described[name] = default
            elif default is _MISSING:
                described[name] = _PLAIN
            else:
                described[name] = field(default=default)
    return described


def is_record(value: object, /) -> bool:
    """Return whether a value is a record, or a class of records."""
    return hasattr(value, "_is_kw_only")


def as_dict(record: object, /) -> dict[str, Any]:
    """Return the values of a record by name, and those of the records in it likewise."""
    return {name: _plain(getattr(record, name)) for name in fields(type(record))}


def _plain(value: Any) -> Any:
    if is_record(value):
        return as_dict(value)
    if isinstance(value, tuple | list):
        return type(value)(map(_plain, value))
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value


def _first_init(self: Any, /, *values: Any, **named: Any) -> None:
    """Generate the `__init__` of a record that has no instance yet, then call it.

    Another thread may do the same at the same time, or have done it just now.
    """
    for cls in type(self).__mro__:
        if cls.__dict__.get("__init__") is _first_init:
            _complete(cls)
        if "_compared" in cls.__dict__:
            cls.__init__(self, *values, **named)  # type: ignore[misc]  # of this very class
            return


def _complete(cls: Any) -> None:
    """Give a record what its instances need: `__init__`, and what compares and hashes them."""
    described = fields(cls)
    parameters, lines, names = ["self"], ["_own_ = self.__dict__"], {"_MISSING_": _MISSING}
    if cls._is_kw_only:
        parameters.append("*")
    for name, own in described.items():
        value = name
        if own.factory:
            names[f"_make_{name}_"] = own.factory
            value = f"_make_{name}_() if {name} is _MISSING_ else {name}"
            parameters.append(f"{name}=_MISSING_")
        elif own.default is _MISSING:
            parameters.append(name)
        elif isinstance(own.default, list | dict | set):
            raise TypeError(f"{cls.__name__}.{name}: all instances would share this default")
        else:
            names[f"_default_{name}_"] = own.default
            parameters.append(f"{name}=_default_{name}_")
        lines.append(f"_own_[{name!r}] = {value}")
    exec(  # noqa: S102 - names of fields alone
        f"def __init__({', '.join(parameters)}):\n " + "\n ".join(lines), names
    )
    cls.__match_args__ = tuple(described)  # type: ignore[misc]  # of this class
    cls._compared = _values_of([name for name in described if described[name].is_compared])
    cls._hashed = _values_of([name for name in described if described[name].is_hashed])
    cls.__init__ = names["__init__"]


def _values_of(names: list[str]) -> Callable[[object], Any]:
    """Return a function that returns the values of fields, in a form that can be compared."""
    if not names:
        return staticmethod(lambda _record: ())
    return attrgetter(*names)


def _comparison(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], Any]:
    def method(self: Any, other: Any) -> Any:
        if other.__class__ is not self.__class__:
            return NotImplemented
        return compare(self._compared(self), self._compared(other))

    return method


_equal = _comparison(eq)
_ORDERING = {
    "__lt__": _comparison(lt),
    "__le__": _comparison(le),
    "__gt__": _comparison(gt),
    "__ge__": _comparison(ge),
}


def _hash(self: Any) -> int:
    return hash(self._hashed(self))


def _repr(self: Any) -> str:
    described = fields(type(self))
    shown = [f"{name}={getattr(self, name)!r}" for name in described if described[name].is_shown]
    return f"{type(self).__qualname__}({', '.join(shown)})"


def _keep(self: Any, name: str, _value: object = None) -> None:
    raise AttributeError(f"{type(self).__qualname__} is frozen: {name} stays as it is")
