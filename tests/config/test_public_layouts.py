"""The files picked in public projects' layouts are those that their README tells people to use."""

from __future__ import annotations

from pathlib import Path

import pytest

from dartsctl.config.conventional_names import may_be_meant
from dartsctl.config.environment import Environment, resolve
from dartsctl.config.listing import names_in
from dartsctl.config.load_settings import load
from dartsctl.edges.engine.compose import Compose
from dartsctl.errors import UsageError
from dartsctl.workflows import deps
from fakes.public_layouts import SkeletonReader, Told, everything_told, reasons

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dartsctl.config.environment import FilesReader

TOLD = everything_told()

ASKED_OF_COMPOSE = (
    "hagopj13/node-express-boilerplate prod",  # an overlay
    "testdrivenio/django-on-docker prod",  # beside a plain file, and whole
    "dunglas/symfony-docker prod",  # a base without an image
    "Nachoferra1894/snippets-vm prod",  # services that depend on those of the base
    "uisautomation/media-webapp dev",  # compose/base.yml
    "vincentrohde/harvest-dashboard dev",  # docker/
    "documenso/documenso dev",  # docker/development/
    "Alexander-D-Karpov/akarpov dev",  # local.yml
    "internetarchive/openlibrary prod",  # an overlay whose services have profiles
    "staff0rd/spacetraders-again prod",  # the profile of a plain file
    "openfoodfacts/search-a-licious dev",  # COMPOSE_FILE
)


def picked(told: Told, folder: Path, reader: FilesReader | None = None) -> tuple[str, ...]:
    """Return the files picked in a folder with the layout; empty where a person has to choose.

    Without a reader, the skeleton says what Compose would.
    """
    told.layout.write(folder)
    reader = reader or SkeletonReader(told.layout, folder)
    try:
        environment = resolve(load(folder, {}), told.environment, reader=reader)
    except UsageError:
        return ()
    return tuple(str(file.relative_to(folder)) for file in environment.files)


@pytest.mark.parametrize("told", TOLD, ids=str)
def test_the_files_are_those_that_the_readme_tells_people_to_use(
    told: Told, tmp_path: Path
) -> None:
    assert picked(told, tmp_path) == told.picked, f"{told.says} means {told.files}"


def test_there_are_enough_projects_and_few_exceptions_each_with_a_known_reason() -> None:
    exceptions = [told for told in TOLD if told.why]
    assert len({told.layout.name for told in TOLD}) >= 60
    assert {told.why for told in exceptions} == set(reasons())
    assert [told for told in exceptions if told.picked == told.files] == []
    assert len(exceptions) < len(TOLD) / 4


@pytest.mark.parametrize("told", [told for told in TOLD if told.why == "plain"], ids=str)
def test_a_plain_file_is_offered_first_where_the_readme_means_production_by_it(
    told: Told, tmp_path: Path
) -> None:
    told.layout.write(tmp_path)
    offered = may_be_meant(told.environment, names_in(tmp_path))
    assert offered[0] == told.files[:1]


@pytest.mark.compose
@pytest.mark.parametrize("label", ASKED_OF_COMPOSE)
def test_compose_itself_picks_what_the_skeleton_says(label: str, tmp_path: Path) -> None:
    def compose_on(environment: Environment, *, deadline: float | None = None) -> Compose:
        del deadline
        return Compose(environment)

    told = next(told for told in TOLD if str(told) == label)
    assert picked(told, tmp_path, deps.FilesReader(compose_on)) == told.picked
