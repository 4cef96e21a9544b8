"""The health path of an app, from its routes."""

from __future__ import annotations

import pytest

from dartsctl.discovery.app.routes import health_route
from dartsctl.discovery.app.sources import Sources

FLASK = "from flask import Flask, Blueprint\napp = Flask(__name__)\n"
FASTAPI = "from fastapi import FastAPI, APIRouter, Depends\napp = FastAPI()\n"
VIEW = "def view():\n    return ''\n"


def path_of(files: dict[str, str] | str) -> str:
    """Return the health path of the app in main.py."""
    if isinstance(files, str):
        files = {"main.py": files}
    sources = Sources(files)
    route = health_route(sources, sources.reachable("main.py"))
    return route.path if route else ""


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (FLASK + "@app.route('/health')\n" + VIEW, "/health"),
        (FLASK + "@app.get('/status')\n@app.get('/healthz')\n" + VIEW, "/healthz"),
        (FLASK + "@app.route('/health', methods=['POST'])\n" + VIEW, ""),
        (FLASK + "@app.route('/health', methods=['GET', 'HEAD'])\n" + VIEW, "/health"),
        (FLASK + "@app.route('/health')\n@login_required\n" + VIEW, ""),
        (FLASK + "@app.route('/health/<name>')\n" + VIEW, ""),
        (FLASK + "@app.route('/')\n" + VIEW, ""),
        (FLASK + "@app.get('/ready')\n" + VIEW, ""),
        (
            FLASK + "bp = Blueprint('b', __name__, url_prefix='/api')\n@bp.route('/health')\n"
            + VIEW + "app.register_blueprint(bp)",
            "/api/health",
        ),
        (
            FLASK + "bp = Blueprint('b', __name__, url_prefix='/no')\n@bp.route('/health')\n"
            + VIEW + "app.register_blueprint(bp, url_prefix='/api')",
            "/api/health",
        ),
        (FLASK + "bp = Blueprint('b', __name__)\n@bp.route('/health')\n" + VIEW, ""),
        (
            FLASK + "bp = Blueprint('b', __name__, url_prefix=PREFIX)\n@bp.route('/health')\n"
            + VIEW + "app.register_blueprint(bp)",
            "",
        ),
        (
            FLASK + "bp = Blueprint('b', __name__)\n@bp.route('/health')\n" + VIEW
            + "app.register_blueprint(bp, url_prefix=PREFIX)",
            "",
        ),
        (
            FLASK + "bp = Blueprint('b', __name__)\n@bp.before_request\n@login_required\n"
            "def check():\n    pass\n@bp.route('/health')\n" + VIEW
            + "app.register_blueprint(bp)",
            "",
        ),
        (FASTAPI + "@app.get('/healthz')\nasync def view():\n    return {}", "/healthz"),
        (
            FASTAPI + "router = APIRouter(prefix='/v1')\n@router.get('/health')\n" + VIEW
            + "app.include_router(router, prefix='/api')",
            "/api/v1/health",
        ),
        (FASTAPI + "@app.get('/health')\ndef view(user=Depends(get_current_user)):\n    pass", ""),
        (FASTAPI + "@app.get('/health', dependencies=[Depends(check)])\n" + VIEW, ""),
    ],
)  # fmt: skip
def test_a_route_that_answers_without_a_login(text: str, path: str) -> None:
    assert path_of(text) == path


def test_a_blueprint_of_another_file_has_the_prefix_of_its_registration() -> None:
    files = {
        "main.py": FLASK
        + "def create():\n    from shop.views.status import bp as status\n"
        + "    app.register_blueprint(status, url_prefix='/api')",
        "shop/__init__.py": "",
        "shop/views/__init__.py": "",
        "shop/views/status.py": "from flask import Blueprint\nbp = Blueprint('s', __name__)\n"
        "@bp.get('/health')\n" + VIEW,
    }
    assert path_of(files) == "/api/health"
    files["main.py"] = (
        FLASK
        + "from shop.views import status\napp.register_blueprint(status.bp, url_prefix='/api')"
    )
    assert path_of(files) == "/api/health"


def test_another_program_of_the_same_folder_is_not_read() -> None:
    files = {"main.py": FLASK, "gateway.py": FLASK + "@app.get('/health')\n" + VIEW}
    assert path_of(files) == ""
