"""The page in a real browser: it shows what a model takes, fills in a row, and shows what is predicted."""

from __future__ import annotations

import base64
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from mercury_http.server import serve

from tests.http import models
from tests.http.conftest import ask

if TYPE_CHECKING:
    from pathlib import Path

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
OPTIONS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--virtual-time-budget=10000", "--dump-dom",
)  # fmt: skip
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")


def seen(url: str, home: Path) -> str:
    """What stands in the page after its scripts have run."""
    done = subprocess.run(
        [CHROMIUM or "", *OPTIONS, f"--user-data-dir={home}", url],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout


def test_the_page(url: str, tmp_path: Path) -> None:
    page = seen(f"{url}/", tmp_path)
    assert '<h1 id="title">paid</h1>' in page
    assert "version run-7, predicts paid" in page
    for name in "abc":
        assert f"<td>{name}</td><td>double</td><td>no</td>" in page
        assert f'name="{name}"' in page
    assert '<th>prediction</th><td class="number">no</td>' in page
    assert '<th>score_yes</th><td class="number">0.5 <progress' in page
    assert '<option value="mixed">mixed</option>' in page


def test_the_page_of_a_model_of_images(tmp_path: Path) -> None:
    with serve(models.pictures(), port=0) as service:
        page = seen(f"{service.url}/", tmp_path)
        example = ask(service.url, "/models.json").json["models"][0]["example"]["image"]
    assert "<td>files, or arrays of 2 × 3 × 1</td>" in page
    assert '<input type="file" aria-label="File for image">' in page
    # It was shown, and so it is a picture; and it was predicted.
    assert f'<img alt="" src="data:image/png;base64,{example}">' in page
    assert f'<th>prediction</th><td class="number">{len(base64.b64decode(example))}</td>' in page
    assert '<p id="problem" role="alert"></p>' in page


def test_the_page_of_images_without_an_example_waits_for_a_file(tmp_path: Path) -> None:
    with serve(models.images(), port=0) as service:
        page = seen(f"{service.url}/", tmp_path)
    assert '<input type="file"' in page
    assert "<img" in page
    assert "data:image/png" not in page
    assert '<p id="problem" role="alert"></p>' in page


def test_the_documentation(url: str, tmp_path: Path) -> None:
    page = seen(f"{url}/docs", tmp_path)
    assert "<code>POST /v2/models/paid/infer</code>" in page
    assert "<code>POST /predict/mixed</code>" in page
