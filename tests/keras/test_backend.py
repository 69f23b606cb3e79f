"""Which backend Keras runs on, its random numbers, and how many threads train."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from mercury_keras import backend, threads
from mercury_keras.backend import BackendError, keras, lacks, require, seeded

if TYPE_CHECKING:
    from pathlib import Path

K = keras()
L = K.layers


# --- which one ---


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Says which backends are installed; nothing else says one."""
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))

    def say(*names: str) -> None:
        monkeypatch.setattr(backend, "find_spec", lambda name: name if name in names else None)

    return say


def test_torch_comes_first(installed: Any) -> None:
    installed("jax", "tensorflow", "torch")
    assert backend._choose() == "torch"
    installed("jax", "tensorflow")
    assert backend._choose() == "tensorflow"
    installed("jax")
    assert backend._choose() == "jax"


def test_the_environment_comes_before_the_file_and_the_file_before_the_order(
    installed: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    installed("jax", "tensorflow", "torch")
    (tmp_path / "keras.json").write_text(json.dumps({"backend": "jax"}))
    assert backend._choose() == "jax"
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    assert backend._choose() == "tensorflow"


@pytest.mark.parametrize("content", ['{"backend": "tensorflow"}', "{", "[]", '{"backend": 3}', "{}"])
def test_a_file_that_keras_wrote_itself_says_nothing(installed: Any, tmp_path: Path, content: str) -> None:
    installed("tensorflow", "torch")
    (tmp_path / "keras.json").write_text(content)
    assert backend._choose() == "torch"


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("", r"none of torch, tensorflow and jax is installed.*pip install 'mercury-keras\[torch\]'"),
        ("tensorflow", r"Keras is to run on TensorFlow.*not installed: do `pip install 'mercury-keras\[tensorflow\]'`"),
        ("torhc", r"backend 'torhc'.*expected torch, tensorflow, jax\. Did you mean 'torch'\?"),
        ("numpy", r"Keras cannot train on the backend 'numpy'"),
    ],
)
def test_no_backend(installed: Any, monkeypatch: pytest.MonkeyPatch, asked: str, said: str) -> None:
    installed()
    monkeypatch.setenv("KERAS_BACKEND", asked)
    with pytest.raises(BackendError, match=said):
        backend._choose()


def test_the_choice_holds_for_keras_and_is_made_before_it_is_imported() -> None:
    code = "import mercury_keras.backend as b, sys; assert 'keras' not in sys.modules; b.keras()"
    environment = {**os.environ, "KERAS_BACKEND": "nothing"}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert "Keras cannot train on the backend 'nothing'" in run.stderr
    assert backend.name() == K.config.backend() == os.environ["KERAS_BACKEND"]


def test_what_another_backend_is_needed_for() -> None:
    running = backend.name()
    assert lacks(running) is None
    require(running, "This")
    other = "jax" if running != "jax" else "torch"
    why, todo = lacks(other)  # type: ignore[misc]
    assert why.startswith(f"it needs the {backend.BACKENDS[other]} backend, and Keras runs on ")
    assert todo.endswith(f"et KERAS_BACKEND={other} before Python starts.")
    with pytest.raises(BackendError, match=r"The format keras\.x cannot be used: it needs the"):
        require(other, "The format keras.x")


# --- random numbers ---


def drawn() -> list[float]:
    values = [
        random.random(),
        float(np.random.random()),
        float(np.asarray(K.ops.convert_to_numpy(K.random.uniform(())))),
    ]
    layer = L.Dense(2)
    layer.build((None, 2))
    return [*values, *np.asarray(layer.get_weights()[0]).ravel().tolist()]


def test_a_seed_tells_all_random_numbers() -> None:
    found = []
    for seed in (3, 3, 4):
        with seeded(seed):
            found.append(drawn())
    assert found[0] == found[1]
    assert all(one != other for one, other in zip(found[0], found[2], strict=True))


def test_what_is_drawn_elsewhere_goes_on_as_if_nothing_had_been_drawn() -> None:
    random.seed(1)
    np.random.seed(1)
    expected = [random.random(), random.random(), np.random.random(), np.random.random()]
    random.seed(1)
    np.random.seed(1)
    found = [random.random()]
    with seeded(9):
        drawn()
    found += [random.random(), np.random.random()]
    with pytest.raises(RuntimeError, match="as it was"), seeded(9):
        raise RuntimeError("as it was")
    assert [*found, np.random.random()] == expected
    with seeded(None):
        random.seed(5)
        known = random.random()
    random.seed(5)
    assert known == random.random()


# --- threads ---


def mlp(units: int, features: int = 20) -> Any:
    return K.Sequential([L.Input((features,)), L.Dense(units, activation="relu"), L.Dense(3)])


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (lambda: mlp(10), 20 * 10 + 10 + 10 * 3 + 3),
        (lambda: K.Sequential([L.Input((8, 8, 3)), L.Conv2D(4, 3, padding="same")]), (27 * 4 + 4) * 64),
        (lambda: K.Sequential([L.Input((8, 8, 3)), L.Conv2D(4, 3, strides=2, padding="same")]), (27 * 4 + 4) * 16),
        (lambda: K.Sequential([L.Input((5, 3)), L.Dense(4)]), 16 * 5),
        (lambda: K.Sequential([L.Input((5, 3)), K.Sequential([L.Dense(4)])]), 16 * 5),
    ],
)
def test_multiplications_of_a_row(model: Any, expected: int) -> None:
    assert threads.multiplications(model()) == expected


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if backend.name() != "torch":
        pytest.skip("threads are set under torch")


def test_a_tiny_model_gets_one_thread_and_a_large_one_those_of_torch(free: None) -> None:
    assert threads.threads_for(mlp(32), 32) == 1
    assert threads.threads_for(mlp(32), 100_000) is None  # batches that are large
    assert threads.threads_for(mlp(20_000), 1) is None  # weights that are many


def test_whoever_says_a_number_gets_it(free: None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert threads.threads_for(mlp(32), 32, 2) == 2
    assert threads.threads_for(mlp(20_000), 4096, 1) == 1
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert threads.threads_for(mlp(32), 32) is None


def test_the_number_holds_within_the_context_only(free: None) -> None:
    import torch

    before = torch.get_num_threads()
    other = 1 if before > 1 else 2
    with threads.limited(other):
        assert torch.get_num_threads() == other
        with threads.limited(None):
            assert torch.get_num_threads() == other
    assert torch.get_num_threads() == before
    with pytest.raises(RuntimeError, match="within"), threads.limited(other):
        raise RuntimeError("within")
    assert torch.get_num_threads() == before


def test_threads_of_another_backend_are_set_before_it_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "name", lambda: "tensorflow")
    assert threads.threads_for(mlp(32), 32) is None
    with (
        pytest.raises(BackendError, match=r"threads can be set under torch only: under TensorFlow set TF_NUM_"),
        threads.limited(2),
    ):
        pass
    with threads.limited(None):
        pass
