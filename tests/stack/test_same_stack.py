"""When a stack already exists under another project's name, and when two only look alike."""

from __future__ import annotations

from pathlib import Path

import pytest

from dartsctl.records import replace
from dartsctl.stack.bindings import Endpoint
from dartsctl.stack.containers import Container
from dartsctl.stack.model import PortEntry, Service, Stack
from dartsctl.stack.same_stack import SameStack, find_same_stack
from fakes.kernel import container

FILES = ("/srv/second/compose.yml",)
FIRST = "/srv/first/compose.yml"


def stack(*services: Service) -> Stack:
    return Stack("second", {service.name: service for service in services}, {})


def theirs(service: str, *published: Endpoint, image: str = "", **more: object) -> Container:
    """Return a container of the project `first`, created from its own file."""
    made = container("first", service, *published, **{"files": FIRST, **more})  # type: ignore[arg-type]
    return replace(made, image=image) if image else made


def sign(same_stack: SameStack | None) -> str:
    return same_stack.sign if same_stack else ""


DB, WEB = Service("db", image="postgres:16"), Service("web", image="shop/web:1")
THEIR_DB, THEIR_WEB = theirs("db", image="postgres:16"), theirs("web", image="shop/web:1")


# --- the same files -----------------------------------------------------------------------------


@pytest.mark.parametrize("has_copies", [False, True])
def test_the_same_files_are_the_same_stack(has_copies: bool) -> None:
    same_stack = find_same_stack(stack(DB), [THEIR_DB], (FIRST,), has_copies=has_copies)
    assert same_stack == SameStack("first", (THEIR_DB,), "files", (FIRST,))


def test_a_symbolic_link_leads_to_the_same_file(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    running = theirs("db", files=str(tmp_path / "real/compose.yml"))
    assert (
        sign(find_same_stack(stack(DB), [running], (str(tmp_path / "link/compose.yml"),)))
        == "files"
    )


def test_overrides_of_moved_ports_make_no_difference() -> None:
    running = theirs("db", files=f"{FIRST},/home/dev/state/overrides/first.yml")
    assert (
        sign(
            find_same_stack(
                stack(DB), [running], (FIRST, "/home/dev/state/overrides/second.db.yml")
            )
        )
        == "files"
    )


def test_an_override_of_another_stack_is_not_ignored() -> None:
    running = theirs("db", files=f"{FIRST},/state/overrides/first.yml")
    assert find_same_stack(stack(DB), [running], (*FILES, "/state/overrides/second.yml")) is None


def test_a_comma_in_a_path_does_not_end_it() -> None:
    assert (
        sign(
            find_same_stack(
                stack(DB),
                [theirs("db", files="/srv/a,b/compose.yml,/srv/o.yml")],
                ("/srv/a,b/compose.yml", "/srv/o.yml"),
            )
        )
        == "files"
    )


@pytest.mark.parametrize(
    "files",
    [f"{FIRST},/srv/first/prod.yml", "/srv/first/base.yml"],
    ids=["an overlay", "another file"],
)
def test_a_common_base_file_is_not_enough(files: str) -> None:  # dev and prod over one base
    assert (
        find_same_stack(stack(DB), [theirs("db", files=files)], (FIRST, "/srv/first/dev.yml"))
        is None
    )


def test_two_projects_may_run_different_services_of_one_file() -> None:
    assert find_same_stack(stack(WEB), [theirs("db")], (FIRST,)) is None


# --- fixed container names ----------------------------------------------------------------------

NAMED_DB, NAMED_WEB = replace(DB, container_name="shop-db"), replace(WEB, container_name="shop-web")


@pytest.mark.parametrize("state", ["running", "exited", "created", "paused"])
@pytest.mark.parametrize("has_copies", [False, True])
def test_the_same_container_names_are_the_same_stack_stopped_or_not(
    state: str, has_copies: bool
) -> None:
    running = [
        theirs("db", name="shop-db", state=state),
        theirs("web", name="shop-web", state=state),
    ]
    same_stack = find_same_stack(stack(NAMED_DB, NAMED_WEB), running, FILES, has_copies=has_copies)
    assert same_stack == SameStack("first", tuple(running), "names", ("shop-db", "shop-web"))
    assert same_stack.is_running == (state in ("running", "paused"))


def test_a_stack_of_one_service_is_recognized_by_its_name() -> None:
    assert sign(find_same_stack(stack(NAMED_DB), [theirs("db", name="shop-db")], FILES)) == "names"


def test_a_part_of_the_stack_is_recognized_by_two_names() -> None:
    assert (
        sign(
            find_same_stack(
                stack(NAMED_DB, NAMED_WEB, Service("api")),
                [theirs("db", name="shop-db"), theirs("web", name="shop-web")],
                FILES,
            )
        )
        == "names"
    )


def test_one_common_name_is_only_a_taken_name() -> None:
    assert (
        find_same_stack(
            stack(NAMED_DB, WEB), [theirs("db", name="shop-db"), theirs("other")], FILES
        )
        is None
    )
    assert (
        find_same_stack(stack(NAMED_DB, WEB, Service("api")), [theirs("db", name="shop-db")], FILES)
        is None
    )


def test_the_name_of_another_service_is_not_enough() -> None:
    assert find_same_stack(stack(NAMED_DB), [theirs("other", name="shop-db")], FILES) is None


# --- services and images ------------------------------------------------------------------------


def test_the_same_services_from_the_same_images_are_the_same_stack() -> None:
    same_stack = find_same_stack(stack(DB, WEB), [THEIR_DB, THEIR_WEB], FILES)
    assert same_stack == SameStack("first", (THEIR_DB, THEIR_WEB), "services", ("db", "web"))


def test_another_tag_and_an_image_without_a_name_are_no_difference() -> None:
    newer = [
        theirs("db", image="postgres:17@sha256:00ff"),
        theirs("web", image="shop/web:2"),
        theirs("api", image="sha256:00ff"),
    ]
    assert (
        sign(find_same_stack(stack(DB, WEB, Service("api", image="shop/api:1")), newer, FILES))
        == "services"
    )


def test_a_running_part_and_a_requested_part_are_recognized() -> None:
    assert (
        sign(
            find_same_stack(
                stack(DB, WEB, Service("job", image="shop/job")), [THEIR_DB, THEIR_WEB], FILES
            )
        )
        == "services"
    )
    assert (
        sign(find_same_stack(stack(DB, WEB), [THEIR_DB, THEIR_WEB, theirs("debug")], FILES))
        == "services"
    )


def test_a_stopped_project_is_recognized_and_a_running_one_preferred() -> None:
    stopped = [replace(THEIR_DB, state="exited"), replace(THEIR_WEB, state="exited")]
    same_stack = find_same_stack(stack(DB, WEB), stopped, FILES)
    assert same_stack is not None
    assert not same_stack.is_running
    running = [_in("later", THEIR_DB), _in("later", THEIR_WEB)]
    both = find_same_stack(stack(DB, WEB), [*stopped, *running], FILES)
    assert both is not None
    assert both.project == "later"


def _in(project: str, one: Container) -> Container:
    labels = {**one.labels, "com.docker.compose.project": project}
    return replace(
        one, id=f"{project}-{one.service}", name=f"{project}-{one.service}-1", labels=labels
    )


@pytest.mark.parametrize(
    ("ours", "running"),
    [
        ((DB,), (THEIR_DB,)),
        ((DB, Service("app", image="one/app")), (THEIR_DB, theirs("shop", image="two/shop"))),
        (
            (DB, Service("cache", image="redis:7"), Service("a")),
            (THEIR_DB, theirs("cache", image="redis:7"), theirs("b")),
        ),
        ((DB, Service("web")), (THEIR_DB, theirs("web", image="first-web"))),
        ((DB, WEB), (THEIR_DB, theirs("web", image="other/web:1"))),
        ((DB, WEB, *(Service(name) for name in "abc")), (THEIR_DB, THEIR_WEB)),
    ],
    ids=[
        "a db alone",
        "a db in each",
        "a db and a cache in each",
        "an image that Compose builds",
        "another image",
        "a small part",
    ],
)
def test_independent_projects_are_not_the_same_stack(
    ours: tuple[Service, ...], running: tuple[Container, ...]
) -> None:
    assert find_same_stack(stack(*ours), running, FILES) is None


def test_other_file_names_are_another_environment_of_one_repository() -> None:
    assert find_same_stack(stack(DB, WEB), [THEIR_DB, THEIR_WEB], ("/srv/first/dev.yml",)) is None


@pytest.mark.parametrize(
    "ours",
    [
        replace(DB, ports=(PortEntry(5432, "tcp", "15432"),)),
        replace(DB, ports=()),
        replace(DB, container_name="second-db"),
    ],
    ids=["another port", "no port", "a name of its own"],
)
def test_another_port_or_name_is_another_stack(ours: Service) -> None:
    published = theirs("db", Endpoint(5432, "127.0.0.1"), image="postgres:16")
    same = replace(DB, ports=(PortEntry(5432, "tcp", "5432"),))
    assert sign(find_same_stack(stack(same, WEB), [published, THEIR_WEB], FILES)) == "services"
    assert find_same_stack(stack(ours, WEB), [published, THEIR_WEB], FILES) is None


def test_a_stopped_project_is_compared_by_the_ports_it_would_publish() -> None:
    stopped = [replace(THEIR_DB, state="exited"), replace(THEIR_WEB, state="exited")]
    ours = stack(replace(DB, ports=(PortEntry(5432, "tcp", "5432"),)), WEB)
    wishes = {"db": (5432,), "web": ()}
    assert (
        sign(
            find_same_stack(
                ours, stopped, FILES, wanted_ports=lambda container: wishes[container.service]
            )
        )
        == "services"
    )
    for others in ((15432,), ()):  # the last one: removed since it was listed
        wishes["db"] = others
        assert (
            find_same_stack(
                ours, stopped, FILES, wanted_ports=lambda container: wishes[container.service]
            )
            is None
        )


def test_a_fixed_name_that_only_they_have_is_another_stack() -> None:
    assert (
        find_same_stack(
            stack(DB, WEB),
            [theirs("db", image="postgres:16", name="first-database"), THEIR_WEB],
            FILES,
        )
        is None
    )


def test_any_port_of_a_range_is_the_same() -> None:
    ranged = replace(DB, ports=(PortEntry(5432, "tcp", "5430-5440"), PortEntry(9000, "tcp")))
    assert (
        sign(
            find_same_stack(
                stack(ranged, WEB),
                [theirs("db", Endpoint(5433, "127.0.0.1"), image="postgres:16"), THEIR_WEB],
                FILES,
            )
        )
        == "services"
    )


def test_copies_of_a_dev_stack_are_allowed() -> None:
    assert find_same_stack(stack(DB, WEB), [THEIR_DB, THEIR_WEB], FILES, has_copies=True) is None


# --- projects that are never compared -----------------------------------------------------------


def test_projects_of_other_environments_are_ignored() -> None:
    assert find_same_stack(stack(DB), [THEIR_DB], (FIRST,), siblings=("first",)) is None


def test_there_is_no_question_if_our_project_runs() -> None:
    own = container("second", "db")
    assert find_same_stack(stack(DB), [THEIR_DB, own], (FIRST,)) is None
    assert (
        sign(find_same_stack(stack(DB), [THEIR_DB, replace(own, state="exited")], (FIRST,)))
        == "files"
    )


@pytest.mark.parametrize(
    "stranger",
    [
        theirs("db", one_off=True),
        Container("1", "shop-db", "postgres:16", "running"),
        container("second", "db", files="/srv/x.yml", state="exited"),
    ],
    ids=["of `compose run`", "without labels", "of this project"],
)
def test_these_containers_are_not_a_stack(stranger: Container) -> None:
    assert find_same_stack(stack(NAMED_DB), [stranger], (FIRST,)) is None


def test_a_service_that_is_not_started_is_not_compared() -> None:
    assert find_same_stack(stack(replace(DB, replicas=0)), [THEIR_DB], (FIRST,)) is None
