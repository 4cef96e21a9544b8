"""A stack from its containers alone, by labels and the engine (edge-cases.md#87)."""

from __future__ import annotations

from dartsctl.stack.bindings import Endpoint
from dartsctl.stack.containers import Container
from dartsctl.stack.from_containers import ContainerSettings, stack_of
from dartsctl.stack.health_check import HealthCheck
from dartsctl.stack.model import Network, PortEntry


def container(service: str, number: int = 1, **labels: str) -> Container:
    """Return a container of the project `darts`."""
    prefix = "com.docker.compose."
    return Container(
        id=f"{service}{number}",
        name=f"darts-{service}-{number}",
        image=f"{service}:1",
        state="running",
        targets=((Endpoint(8080, "127.0.0.1"), 80),) if service == "web" else (),
        labels={
            f"{prefix}project": "darts",
            f"{prefix}service": service,
            f"{prefix}container-number": str(number),
            **{prefix + name: value for name, value in labels.items()},
        },
    )


def test_each_service_is_what_its_first_container_says() -> None:
    settings = {
        "web1": ContainerSettings(
            ports=(PortEntry(80, "tcp", "8080", "127.0.0.1"),),
            networks=("darts_default",),
            health_check=HealthCheck(("CMD", "true")),
        )
    }
    containers = [container("web", 2), container("web", 1, depends_on="db:service_healthy:false")]
    stack = stack_of("darts", [*containers, container("db")], settings, [Network("darts_default")])
    assert (stack.project, set(stack.services)) == ("darts", {"web", "db"})
    web = stack.services["web"]
    assert (web.replicas, web.image, web.depends_on) == (2, "web:1", ("db",))
    assert web.has_health_check
    assert web.conditions == {"db": "service_healthy"}
    assert stack.published_ports == {8080: "web"}
    assert stack.networks["darts_default"].publishes


def test_a_service_that_another_one_depends_on_is_known_without_a_container() -> None:
    label = "db:service_healthy:false,queue:service_started:true"
    stack = stack_of("darts", [container("web", depends_on=label)], {}, [])
    assert set(stack.services) == {"web", "db", "queue"}
    assert stack.services["db"].ports == ()


def test_without_the_engines_description_the_list_says_which_ports_are_published() -> None:
    stack = stack_of("darts", [container("web")], {}, [])
    assert stack.services["web"].ports == (PortEntry(80, "tcp", "8080", "127.0.0.1"),)


def test_containers_of_other_projects_and_of_run_are_left_out() -> None:
    others = [container("web", project="other"), container("db", oneoff="True")]
    assert stack_of("darts", others, {}, []).services == {}


def test_a_label_in_another_form_names_no_service() -> None:
    for label in ("", ",", ":x:y", ",,:"):
        assert container("web", depends_on=label).dependencies == {}
