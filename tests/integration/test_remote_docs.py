"""What the pages show of stores, run as it is printed, against a real server."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from mercury_core import fit_model, load_model, read_data_bunch, store_model
from mercury_core.cli import main
from mercury_core.workflow import check_workflow, run_workflow

pytest.importorskip("mercury_s3")
pytest.importorskip("mercury_sklearn")
pytest.importorskip("boto3")
from pyarrow import csv, parquet

if TYPE_CHECKING:
    from tests.servers.s3 import S3Server

ROOT = Path(__file__).parents[2]
WHOLE = ("golden.parquet", "mercury.json", "model/model.json", "model/model.skops")


def blocks(page: str, language: str) -> list[str]:
    """The code blocks of a page, up to what it shows of Keras, which is not installed here."""
    text = (ROOT / page).read_text(encoding="utf-8").partition("## The same with Keras")[0]
    found = re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    assert found, f"{page} has no block of {language}"
    return found


@pytest.fixture
def bucket(s3_server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The bucket of the pages; the environment leads to it."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in {**s3_server.environment, "AWS_ENDPOINT_URL": s3_server.endpoint}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MERCURY_CACHE_DIR", str(tmp_path / "cache"))
    return s3_server.bucket()


def emptied(server: S3Server, bucket: str) -> list[str]:
    """The keys in a bucket, from which they are removed."""
    client = server.client()
    keys = sorted(one["Key"] for one in client.list_objects_v2(Bucket=bucket).get("Contents", []))
    for key in keys:
        client.delete_object(Bucket=bucket, Key=key)
    return keys


def test_every_level_runs_and_stores_the_same(s3_server: S3Server, bucket: str) -> None:
    train = read_data_bunch({"train": "iris"}, reader="sklearn.dataset", roles={"targets": "target"})
    bundle = fit_model(train, estimator="GaussianNB")
    names = {"bundle": bundle, "model": bundle.model, "estimator": bundle.underlying}
    stored = []
    for code in blocks("docs/levels.md", "python"):
        exec(compile(code.replace("my-bucket", bucket), "levels.md", "exec"), dict(names))
        stored.append(emptied(s3_server, bucket))
        shutil.rmtree("models")
    alone = ["models/penguins/model.json", "models/penguins/model.skops"]
    whole = [f"models/penguins/{name}" for name in WHOLE]
    assert stored == [["models/penguins.skops"], alone, alone, whole]
    (level5,) = [yaml.safe_load(block.replace("my-bucket", bucket)) for block in blocks("docs/levels.md", "yaml")]
    read = {"train": {"use": "sklearn.dataset", "source": "iris", "roles": {"targets": "target"}}}
    fit = {"use": "sklearn.fit", "estimator": "GaussianNB"}
    Path("w.yaml").write_text(yaml.safe_dump({"read": read, "fit": fit, **level5}, sort_keys=False))
    run_workflow("w.yaml")
    assert emptied(s3_server, bucket) == whole


def test_the_page_of_storage_does_what_it_says(
    s3_server: S3Server, bucket: str, capsys: pytest.CaptureFixture[str]
) -> None:
    parquet.write_table(csv.read_csv(ROOT / "examples/penguins/data/penguins.csv"), "penguins.parquet")
    s3_server.client().upload_file("penguins.parquet", bucket, "data/penguins.parquet")
    train = read_data_bunch({"train": "iris"}, reader="sklearn.dataset", roles={"targets": "target"})
    store_model(fit_model(train, estimator="GaussianNB"), "models/penguins", format="sklearn.skops")
    page: dict[str, object] = {}
    for code in blocks("docs/storage.md", "python"):
        exec(compile(code.replace("my-bucket", bucket), "storage.md", "exec"), page)
    assert re.match(r"4 \d+ crc32c:[0-9a-f]{8}\n", capsys.readouterr().out)
    assert load_model("backup/penguins").signature.target_names == ["target"]
    prompts = [line for block in blocks("docs/storage.md", "console") for line in block.splitlines()]
    copied, listed, minio = [line.removeprefix("$ mercury-ml ").replace("my-bucket", bucket) for line in prompts]
    emptied(s3_server, bucket)
    assert main(copied.split()) == 0
    assert main(listed.split()) == 0
    assert capsys.readouterr().out.splitlines()[-1].split()[-1] == "penguins/"
    assert main(minio.replace("https://minio.example:9000", s3_server.endpoint).split()) == 0
    assert "models/" in capsys.readouterr().out.split()


@pytest.mark.parametrize(
    "page", ["docs/storage.md", "docs/workflow.md", "plugins/mercury-s3/README.md", "plugins/mercury-gcs/README.md"]
)
def test_workflows_with_settings_of_stores_are_right_as_they_stand(page: str, bucket: str) -> None:
    if "gcs" in page:
        pytest.importorskip("mercury_gcs")
    found = [block for block in blocks(page, "yaml") if block.startswith("stores:")]
    assert found
    for block in found:
        Path("w.yaml").write_text(
            block if "read:" in block else f"{block}read: {{iris: {{use: sklearn.dataset, source: iris}}}}\n"
        )
        assert check_workflow("w.yaml", offline=True).workflow.stores == yaml.safe_load(block)["stores"]
