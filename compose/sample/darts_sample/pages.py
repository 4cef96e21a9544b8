"""The login page, and the score board that follows the stream."""

import flask

pages = flask.Blueprint("pages", __name__)

_LOGIN = """<!doctype html>
<html lang="en"><title>Darts: log in</title>
<h1>Darts</h1>
<p>This is the sample server: nobody has to log in. <a href="/board">The score board</a></p>
"""

_BOARD = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Darts: 501</title>
<h1>501</h1>
<table><thead><tr><th>player<th>left<th>last</thead><tbody></tbody></table>
<p id="state"></p>
<script>
const rows = new Map()
function show(name, left, last) {
  if (!rows.has(name)) {
    rows.set(name, document.querySelector("tbody").insertRow())
    for (let i = 0; i < 3; i++) rows.get(name).insertCell()
  }
  const [player, remaining, points] = rows.get(name).cells
  player.textContent = name; remaining.textContent = left
  if (last !== undefined) points.textContent = last
}
const state = document.getElementById("state"), stream = new EventSource("/stream")
stream.addEventListener("board", event =>
  JSON.parse(event.data).players.forEach(player => show(player.name, player.remaining)))
stream.addEventListener("visit", event => {
  const visit = JSON.parse(event.data)
  show(visit.player, visit.remaining, visit.bust ? visit.points + " (bust)" : visit.points)
})
stream.onopen = () => state.textContent = "live"
stream.onerror = () => state.textContent = "the server does not answer; trying again"
</script>
"""


@pages.get("/")
def home() -> flask.typing.ResponseReturnValue:
    return flask.redirect("/login")


@pages.get("/login")
def login() -> str:
    return _LOGIN


@pages.get("/board")
def board() -> str:
    return _BOARD
