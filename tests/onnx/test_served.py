"""Where models are only served: nothing of scikit-learn is imported, and a server predicts what the model predicts."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING

import pytest

from mercury_core import ModelSavers, serve_model, verify
from tests.onnx.parts import fitted

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle of a pipeline."""
    bundle = fitted([{"use": "StandardScaler"}, {"use": "LogisticRegression"}], "words")
    return bundle.save(tmp_path_factory.mktemp("stored") / "m", format="sklearn.onnx")


def test_it_is_listed_without_its_libraries() -> None:
    assert "sklearn.onnx" in ModelSavers
    code = """
        import sys
        from mercury_core import registry
        assert "sklearn.onnx" in registry.ModelSavers
        import mercury_onnx.hooks
        print(sorted({"onnx", "onnxruntime", "sklearn", "skl2onnx", "numpy"} & set(sys.modules)))
    """
    assert printed(code) == "[]"


def test_loading_and_predicting_import_no_scikit_learn(stored: Path) -> None:
    code = f"""
        import sys
        from mercury_core import load_model
        from mercury_core.data import DataSet
        rows = {{name: [0.5, 1.0] for name in "abcd"}}
        found = load_model({str(stored)!r}).predict(DataSet({{"features": rows}}))
        assert found.num_rows == 2 and found.classes == ("large", "middle", "small")
        never = {{"sklearn", "skl2onnx", "skops", "mercury_sklearn", "scipy", "keras", "torch"}}
        print(sorted(never & set(sys.modules)))
    """
    assert printed(code) == "[]"


def printed(code: str) -> str:
    """What a process of its own prints."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_server_predicts_the_golden_rows_alike(stored: Path) -> None:
    pytest.importorskip("mercury_http")
    service = serve_model(str(stored), port=0)
    try:
        report = verify(stored, against=service.url)
    finally:
        service.stop()
    assert (report.rows, report.holds) == (10, True)
    assert report.largest < 1e-14
