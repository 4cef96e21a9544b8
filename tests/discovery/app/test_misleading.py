"""What is said about variables that lead a dev server to production, or to nothing."""

from __future__ import annotations

from dartsctl.discovery.app.misleading import callback_tasks, misleading_notes, misleading_tasks
from dartsctl.discovery.app.server_env import Misleading, ServerVariable
from dartsctl.ports.allocation import Allocation

PRODUCTION = Allocation({3306: "mysql", 8080: ""}, {3306: "published by compose.prod.yaml"})
TO_PRODUCTION = Misleading("MYSQL_URL", "app.py:4", "", 3306)
TO_THE_DEFAULT_LIST = Misleading("API_URL", "app.py:5", "", 8080)
TO_NOTHING = Misleading("SEARCH_URL", "compose.yaml:5", "search", 9200)
WITHOUT_PORT = Misleading("BROKER", "app.py:3", "redis", 6379, lacks_port="BROKER_PORT")
ALL = (TO_PRODUCTION, TO_THE_DEFAULT_LIST, TO_NOTHING, WITHOUT_PORT)


def test_what_leads_to_production_is_left_to_a_person() -> None:
    tasks = list(misleading_tasks(ALL, PRODUCTION))
    to_production, to_the_default_list, without_port = [task.text for task in tasks]
    assert to_production == (
        "MYSQL_URL (app.py:4) leads to port 3306 of this host, which belongs to production's "
        "mysql (published by compose.prod.yaml); the dev stack has no service for it: set it below "
        "[server.env] if a server of `dartsctl dev` must not use that"
    )
    assert to_the_default_list.startswith(
        "API_URL (app.py:5) leads to port 8080 of this host, which is reserved for production by "
        "dartsctl's default list; the dev stack has no service for it"
    )
    assert without_port == (
        "BROKER (app.py:3) names redis without a port: on this host port 6379 may be another's, "
        "production's too; let the app read BROKER_PORT, which has the dev service's"
    )
    assert not any(task.is_required for task in tasks)


def test_what_leads_to_nothing_is_only_told() -> None:
    assert list(misleading_notes(ALL)) == [
        (
            "SEARCH_URL names search, which `dartsctl dev` does not start: left to the app's own "
            "default (compose.yaml:5)"
        )
    ]


def test_an_identity_provider_must_know_the_callbacks_alone() -> None:
    other = ServerVariable("SELF", "{url}", "compose.yaml:4")
    back = ServerVariable("REDIRECT_URI", "{url}/cb", "compose.yaml:5", is_callback=True)
    assert list(callback_tasks([other])) == []
    [task] = callback_tasks([other, back])
    assert task.text.startswith("REDIRECT_URI is a URL of the dev server")
    [task] = callback_tasks([back, ServerVariable("BASE_URL", "{url}", "a:1", is_callback=True)])
    assert task.text.startswith("REDIRECT_URI, BASE_URL are URLs of the dev server")
