"""Which file a `ports` entry comes from, told from what Compose resolves of the first files."""

from __future__ import annotations

from pathlib import Path

from dartsctl.stack.model import PortEntry, Service, Stack
from dartsctl.stack.port_origins import PortOrigins, trace

BASE, DEV, LOCAL = Path("/src/compose.yml"), Path("/src/dev.yml"), Path("/src/local.yml")
EIGHT, NINE = PortEntry(80, "tcp", "8080"), PortEntry(80, "tcp", "9090")


def web(*ports: PortEntry) -> Stack:
    return Stack("demo", {"web": Service("web", ports=ports)}, {})


def test_an_entry_comes_from_the_file_with_which_it_appears() -> None:
    origins = trace(web(EIGHT, NINE), (BASE, DEV, LOCAL), (web(EIGHT), web(EIGHT)))
    assert (origins.of("web", EIGHT), origins.of("web", NINE)) == (BASE, LOCAL)
    assert origins.is_later(LOCAL, BASE)
    assert not origins.is_later(BASE, LOCAL)


def test_an_entry_that_one_file_replaced_and_a_later_one_brought_back_is_the_later_ones() -> None:
    origins = trace(web(EIGHT), (BASE, DEV, LOCAL), (web(EIGHT), web(NINE)))
    assert origins.of("web", EIGHT) == LOCAL


def test_a_service_that_a_later_file_adds_has_all_its_entries_from_there() -> None:
    origins = trace(web(EIGHT), (BASE, DEV), (Stack("demo", {}, {}),))
    assert origins.of("web", EIGHT) == DEV


def test_with_a_single_file_nothing_has_to_be_asked() -> None:
    assert trace(web(EIGHT), (BASE,), ()).of("web", EIGHT) == BASE


def test_where_compose_cannot_read_a_part_the_origin_is_unknown_unless_a_later_part_says_it() -> (
    None
):
    origins = trace(web(EIGHT, NINE), (BASE, DEV, LOCAL), (None, web(EIGHT)))
    assert (origins.of("web", EIGHT), origins.of("web", NINE)) == (None, LOCAL)


def test_an_unknown_file_is_not_called_later() -> None:
    assert not PortOrigins((BASE,)).is_later(None, BASE)
