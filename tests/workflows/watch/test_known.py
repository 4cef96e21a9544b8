"""What a watch knows: which URLs have ever answered."""

from __future__ import annotations

from dartsctl.alerts.state import Episode, State
from dartsctl.records import replace
from dartsctl.workflows.watch.known import Known
from fakes.alerting import a_problem
from fakes.examinations import examination
from fakes.stack_facts import answer


def test_what_has_answered_a_look_or_a_check_stays_known() -> None:
    known = Known()
    http = answer(502)
    known.learn(examination(http=(http,)))
    known.answers("http://127.0.0.1:80/api")
    known.learn(examination(http=()))
    assert known.answered == {http.url, "http://127.0.0.1:80/api"}


def test_what_an_episode_of_an_earlier_watch_is_about_has_answered_before() -> None:
    known = Known()
    problem = replace(a_problem(), data={"requests": ["http://127.0.0.1:80/"]})
    known.state = State(episodes={problem.subject: Episode("service:app@1", problem, 1.0)})
    assert known.answered == {"http://127.0.0.1:80/"}
