"""Records behave as frozen data classes do; the difference is when their code is generated."""

from __future__ import annotations

import subprocess
import sys
import threading
from dataclasses import dataclass
from dataclasses import field as plain_field
from pathlib import Path
from typing import Any

import pytest

from dartsctl.records import as_dict, field, fields, is_record, record, replace


@record
class Point:
    x: int
    y: int = 0
    tags: tuple[str, ...] = ()
    names: dict[str, int] = field(default_factory=dict, hash=False)
    secret: str = field(default="", repr=False)
    seen: str = field(default="", compare=False)


@dataclass(frozen=True)
class PlainPoint:
    x: int
    y: int = 0
    tags: tuple[str, ...] = ()
    names: dict[str, int] = plain_field(default_factory=dict, hash=False)
    secret: str = plain_field(default="", repr=False)
    seen: str = plain_field(default="", compare=False)


@record
class Deep(Point):
    z: int = 3

    @property
    def all(self) -> tuple[int, int, int]:
        return (self.x, self.y, self.z)


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ((1,), {}),
        ((1, 2, ("a",)), {}),
        ((1,), {"names": {"a": 1}, "secret": "s", "seen": "here"}),
        ((), {"x": 5, "y": 6}),
    ],
)
def test_a_record_is_made_and_shown_as_a_data_class(values: Any, named: Any) -> None:
    ours, plain = Point(*values, **named), PlainPoint(*values, **named)
    assert repr(ours) == repr(plain).replace("PlainPoint", "Point")
    assert [getattr(ours, name) for name in fields(Point)] == [
        getattr(plain, name) for name in PlainPoint.__dataclass_fields__
    ]


@pytest.mark.parametrize(
    ("values", "named"), [((), {}), ((1,), {"x": 1}), ((1,), {"z": 1}), ((1, 2, 3, 4, 5, 6, 7), {})]
)
def test_wrong_arguments_raise_the_same_error(values: Any, named: Any) -> None:
    with pytest.raises(TypeError) as plain:
        PlainPoint(*values, **named)
    with pytest.raises(TypeError) as ours:
        Point(*values, **named)
    assert str(ours.value).rpartition(".")[2] == str(plain.value).rpartition(".")[2]


def test_records_are_compared_by_the_fields_that_say_so() -> None:
    assert Point(1, seen="here") == Point(1, seen="there")
    assert Point(1) != Point(1, names={"a": 1})
    other: object = PlainPoint(1)
    assert Point(1) != other
    assert Deep(1) != Point(1)
    assert hash(Point(1, names={"a": 1}, seen="here")) == hash(Point(1))
    assert len({Point(1), Point(1), Point(2)}) == 2


def test_each_instance_gets_an_own_value_of_a_factory() -> None:
    assert Point(1).names is not Point(1).names


def test_a_record_inherits_the_fields_of_its_base_first() -> None:
    assert list(fields(Deep)) == [*fields(Point), "z"]
    assert Deep(1, 2).all == (1, 2, 3)
    assert replace(Deep(1), y=5, z=7).all == (1, 5, 7)


def test_a_frozen_record_keeps_its_values() -> None:
    point = Point(1)
    with pytest.raises(AttributeError, match="Point is frozen: x stays as it is"):
        point.x = 2  # type: ignore[misc]  # what this tests
    with pytest.raises(AttributeError):
        del point.y
    assert point == Point(1)


def test_a_mutable_record_can_change_and_has_no_hash() -> None:
    @record(frozen=False)
    class Counter:
        count: int = 0

    counter = Counter()
    counter.count += 1
    assert counter == Counter(1)
    with pytest.raises(TypeError, match="unhashable"):
        hash(counter)


def test_records_with_an_order_are_sorted_by_their_fields() -> None:
    @record(order=True)
    class Version:
        major: int
        minor: int

    versions = [Version(2, 0), Version(1, 9), Version(1, 10)]
    assert sorted(versions) == [Version(1, 9), Version(1, 10), Version(2, 0)]
    assert Version(1, 0) <= Version(1, 0) < Version(1, 1)
    assert Version(2, 0) > Version(1, 1) >= Version(1, 1)
    with pytest.raises(TypeError):
        assert Version(1, 0) < (1, 1)  # type: ignore[operator]  # what this tests


def test_no_name_of_a_field_is_in_the_way_of_the_generated_code() -> None:
    @record
    class Table:
        values: int
        named: int = 2
        cls: int = 3
        fields: tuple[int, ...] = field(default_factory=tuple)

    assert as_dict(Table(1)) == {"values": 1, "named": 2, "cls": 3, "fields": ()}
    assert as_dict(Table(values=5, cls=6)) == {"values": 5, "named": 2, "cls": 6, "fields": ()}


def test_keyword_only_fields_are_given_by_name() -> None:
    @record(kw_only=True)
    class Named:
        second: int = 2
        first: int

    assert (Named(first=1).first, Named(first=1).second) == (1, 2)
    with pytest.raises(TypeError):
        Named(1)  # type: ignore[call-arg]  # what this tests


def test_methods_that_a_class_defines_stay() -> None:
    @record
    class Loud:
        word: str

        def __repr__(self) -> str:
            return self.word.upper()

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Loud) and self.word.lower() == other.word.lower()

        def __hash__(self) -> int:
            return hash(self.word.lower())

    assert (repr(Loud("a")), Loud("a") == Loud("A"), len({Loud("a"), Loud("A")})) == ("A", True, 1)


def test_a_default_that_instances_would_share_is_refused() -> None:
    @record
    class Shared:
        rows: list[int] = []  # noqa: RUF012 - what this tests

    with pytest.raises(TypeError, match="all instances would share this default"):
        Shared()


def test_a_record_matches_by_position_and_by_name() -> None:
    match Point(1, 2):
        case Point(x, y=2):
            assert x == 1
        case _:
            pytest.fail("it did not match")


def test_values_are_returned_by_name_those_of_records_in_it_too() -> None:
    @record
    class Line:
        ends: tuple[Point, ...]
        by_name: dict[str, Point]

    point = {"x": 1, "y": 0, "tags": (), "names": {}, "secret": "", "seen": ""}
    assert as_dict(Line((Point(1),), {"a": Point(1)})) == {
        "ends": (point,),
        "by_name": {"a": point},
    }


def test_only_records_are_records() -> None:
    assert (is_record(Point), is_record(Point(1)), is_record(PlainPoint)) == (True, True, False)
    with pytest.raises(TypeError, match="PlainPoint is no record"):
        replace(PlainPoint(1), x=2)


def test_the_first_instances_may_be_made_by_many_threads_at_once() -> None:
    for _ in range(50):

        @record
        class Fresh:
            number: int

        made: list[Fresh] = []
        barrier = threading.Barrier(4)

        def make(fresh: type[Fresh] = Fresh, start: threading.Barrier = barrier) -> None:
            start.wait()
            made.append(fresh(1))  # noqa: B023 - each round joins its threads

        threads = [threading.Thread(target=make) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert made == [Fresh(1)] * 4


def test_a_derived_record_that_another_thread_has_completed_is_not_made_by_its_base() -> None:
    @record
    class Base:
        x: int

    @record
    class Derived(Base):
        y: int

    too_late = Derived.__init__  # read by a thread that is interrupted before it calls it
    assert Derived(1, 2) == Derived(1, y=2)
    instance = Derived.__new__(Derived)
    too_late(instance, 3, 4)
    assert instance == Derived(3, 4)


def test_every_record_and_every_pattern_of_the_program_is_valid() -> None:
    """The code of each is generated here, as its first use would do it."""
    program = """
import importlib, pkgutil, dartsctl
from dartsctl import records
from dartsctl.text import patterns
made = compiled = 0
for module in pkgutil.walk_packages(dartsctl.__path__, "dartsctl."):
    if "guard_path" in module.name or module.name.endswith("__main__"):
        continue
    for value in vars(importlib.import_module(module.name)).values():
        if isinstance(value, type) and records.is_record(value) and value.__module__ == module.name:
            records._complete(value)
            made += 1
        if isinstance(value, patterns._Pattern):
            value.search
            compiled += 1
print(made, compiled)
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(Path(__file__).parents[1] / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    made, compiled = map(int, done.stdout.split())
    assert made > 300
    assert compiled > 100
