"""Whole jobs on real servers: a workflow that reads from S3 and stores there, a model that comes back from it through
the cache, predictions, and a copy from S3 to Google Cloud Storage.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mercury_core import copy, load_model, read_data_bunch
from mercury_core.cli import main
from mercury_core.errors import CorruptBundleError, StoreAccessError, WorkflowFileError
from mercury_core.workflow import check_workflow, run_workflow

pytest.importorskip("mercury_s3")
pytest.importorskip("mercury_sklearn")
pa = pytest.importorskip("pyarrow")
from pyarrow import csv, parquet  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.servers.gcs import GcsServer
    from tests.servers.proxy import FaultProxy
    from tests.servers.s3 import S3Server

ROOT = Path(__file__).parents[2]
WORKFLOW = """\
name: penguins
stores:
  s3: {{endpoint_url: "{endpoint}"}}
read:
  penguins:
    source: "s3://{bucket}/data/penguins.parquet"
    roles: {{index: [id], features: [island, body_mass_g, sex], targets: [species]}}
transform:
  - {{use: split, from: penguins, into: {{train: 0.7, test: 0.3}}, stratify: species, seed: 7}}
  - {{use: sklearn.preprocess}}
fit: {{use: sklearn.fit, estimator: HistGradientBoostingClassifier, params: {{max_iter: 20}}}}
evaluate: {{metrics: [sklearn.accuracy_score]}}
save: {{use: sklearn.skops, path: models/penguins}}
copy: {{to: "s3://{bucket}/models/${{run.id}}/"}}
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MERCURY_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path


@pytest.fixture
def bucket(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty bucket, and the credentials for it in the environment."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    return s3_server.bucket()


def keys(server: S3Server, bucket: str) -> list[str]:
    listed = server.client().list_objects_v2(Bucket=bucket).get("Contents", [])
    return sorted(one["Key"] for one in listed)


def penguins(server: S3Server, bucket: str) -> None:
    parquet.write_table(csv.read_csv(ROOT / "examples/penguins/data/penguins.csv"), "penguins.parquet")
    server.client().upload_file("penguins.parquet", bucket, "data/penguins.parquet")


def test_a_job_from_s3_to_s3_and_predictions_from_there(
    s3_server: S3Server, bucket: str, capsys: pytest.CaptureFixture[str]
) -> None:
    penguins(s3_server, bucket)
    Path("w.yaml").write_text(WORKFLOW.format(endpoint=s3_server.endpoint, bucket=bucket))
    assert main(["check", "w.yaml"]) == 0
    assert main(["run", "w.yaml", "--json"]) == 0
    told = json.loads(capsys.readouterr().out.partition("\n")[2])
    assert told["metrics"]["test"]["sklearn.accuracy_score"] > 0.7
    uri = told["artifacts"][-1]["uri"]
    assert uri == f"s3://{bucket}/models/{told['run']}/penguins"
    record = json.loads((Path(told["directory"]) / "run.json").read_text())
    copied = record["steps"][-1]["result"]
    assert set(copied["checksums"][uri]) == set(record["artifacts"][0]["files"])
    assert keys(s3_server, bucket)[1:] == sorted(
        f"models/{told['run']}/penguins/{name}" for name in copied["checksums"][uri]
    )
    secret = s3_server.secret_key
    assert secret not in json.dumps(record)
    shutil.rmtree("models")
    settings = ["--store", "s3", f"endpoint_url={s3_server.endpoint}"]
    source = f"s3://{bucket}/data/penguins.parquet"
    assert main(["predict", uri, source, "--to", "out.csv", *settings]) == 0
    assert capsys.readouterr().out.startswith("344 predictions in out.csv (id, prediction")
    assert len(Path("out.csv").read_text().splitlines()) == 345
    assert main(["ls", f"s3://{bucket}", *settings]) == 0
    assert [line.split()[-1] for line in capsys.readouterr().out.splitlines()] == ["data/", "models/"]
    assert main(["copy", uri, "back", *settings, "--quiet"]) == 0
    assert load_model("back").signature.target_names == ["species"]


def test_a_model_from_s3_is_fetched_once_and_noticed_when_it_is_another(
    s3_server: S3Server, bucket: str, proxy_to: Callable[[str], FaultProxy]
) -> None:
    from mercury_core import fit_model, store_model

    roles = {"features": "body_mass_g", "targets": "species"}
    bunch = read_data_bunch({"train": ROOT / "examples/penguins/data/penguins.csv"}, roles=roles)
    proxy = proxy_to(s3_server.endpoint)
    stores = {"s3": {"endpoint_url": proxy.url}}
    uri = f"s3://{bucket}/m"

    def stored(path: str, seed: int) -> None:
        params = {"strategy": "most_frequent", "random_state": seed}
        bundle = fit_model(bunch, estimator="sklearn.dummy.DummyClassifier", params=params)
        store_model(bundle, path, format="sklearn.skops", remote=uri, overwrite="replace", stores=stores)

    stored("one", 1)
    loaded = load_model(uri, stores=stores)
    before = len(proxy.seen())
    assert load_model(uri, stores=stores).underlying.get_params() == loaded.underlying.get_params()
    asked = proxy.seen()[before:]
    assert len(asked) == 1
    assert "mercury.json" in asked[0].path
    stored("two", 2)
    assert load_model(uri, stores=stores).underlying.random_state == 2
    s3_server.client().put_object(Bucket=bucket, Key="m/model/model.json", Body=b"{}")
    assert load_model(uri, stores=stores).underlying.random_state == 2  # what is kept here is what the manifest says
    shutil.rmtree(os.environ["MERCURY_CACHE_DIR"])
    with pytest.raises(CorruptBundleError, match=f"The bundle {uri} was altered"):
        load_model(uri, stores=stores)


def test_many_processes_fetch_one_model_at_a_time_each_and_all_have_it(s3_server: S3Server, bucket: str) -> None:
    from mercury_core import fit_model, store_model

    stores = {"s3": {"endpoint_url": s3_server.endpoint}}
    train = read_data_bunch({"train": "iris"}, reader="sklearn.dataset", roles={"targets": "target"})
    model = fit_model(train, estimator="GaussianNB")
    store_model(model, "m", format="sklearn.skops", remote=f"s3://{bucket}/m", stores=stores)
    code = f"import mercury_core as m; print(m.load_model('s3://{bucket}/m', stores={stores!r}).signature.target_names)"
    children = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(4)]
    assert [child.communicate(timeout=120)[0] for child in children] == ["['target']\n"] * 4
    assert [child.returncode for child in children] == [0] * 4
    (entry,) = Path(os.environ["MERCURY_CACHE_DIR"], "models").iterdir()
    assert load_model(entry).signature.target_names == ["target"]


def test_only_the_columns_that_are_needed_are_fetched(
    s3_server: S3Server, bucket: str, proxy_to: Callable[[str], FaultProxy]
) -> None:
    np = pytest.importorskip("numpy")
    rows, columns = 100_000, 20
    values = np.random.default_rng(7).normal(size=(columns, rows))
    table = pa.table({f"c{place}": values[place] for place in range(columns)})
    parquet.write_table(table, "wide.parquet", compression="none", use_dictionary=False, row_group_size=25_000)
    size = Path("wide.parquet").stat().st_size
    s3_server.client().upload_file("wide.parquet", bucket, "wide.parquet")
    proxy = proxy_to(s3_server.endpoint)
    uri, stores = f"s3://{bucket}/wide.parquet", {"s3": {"endpoint_url": proxy.url}}
    bunch = read_data_bunch(uri, roles={"features": ["c3"], "targets": "c11"}, stores=stores)
    assert bunch["data"].features.to("arrow").underlying.column("c3").to_numpy().tolist() == values[3].tolist()
    needed = 2 * rows * 8
    assert needed < proxy.received() < needed + 200_000 < size / 8
    gets = [request for request in proxy.seen("GET") if "wide.parquet" in request.path]
    assert len(gets) <= 1 + 2 * 4
    whole = proxy.received()
    read_data_bunch(uri, stores=stores)
    assert proxy.received() - whole > size


def test_what_fails_for_a_moment_changes_nothing_of_what_is_read(
    s3_server: S3Server, bucket: str, proxy_to: Callable[[str], FaultProxy]
) -> None:
    from mercury_core import fit_model, store_model
    from tests.servers.faults import Answer, Cut, FlipAnswer, Reset

    penguins(s3_server, bucket)
    proxy = proxy_to(s3_server.endpoint)
    stores = {"s3": {"endpoint_url": proxy.url}}
    uri = f"s3://{bucket}/data/penguins.parquet"
    faults = [
        proxy.fail(Answer(503), method="HEAD", path="penguins"),
        proxy.fail(Reset(), method="GET", path="penguins", on=(0,)),
        proxy.fail(Cut(after=1_000), method="GET", path="penguins", on=(0, 1)),
    ]
    bunch = read_data_bunch(uri, roles={"features": "body_mass_g", "targets": "species"}, stores=stores)
    assert bunch["data"].num_rows == 344
    assert [fault.injected for fault in faults] == [1, 1, 2]
    train = read_data_bunch({"train": "iris"}, reader="sklearn.dataset", roles={"targets": "target"})
    model = fit_model(train, estimator="GaussianNB")
    store_model(model, "m", format="sklearn.skops", remote=f"s3://{bucket}/m", stores=stores)
    proxy.heal()
    flipped = proxy.fail(FlipAnswer(offset=100), method="GET", path=r"model\.skops")
    cut = proxy.fail(Cut(after=10), method="GET", path=r"mercury\.json")
    loaded = load_model(f"s3://{bucket}/m", stores=stores)
    assert (flipped.injected, cut.injected) == (1, 1)
    assert loaded.signature.target_names == ["target"]


def test_the_check_says_what_stands_against_it(s3_server: S3Server, bucket: str) -> None:
    text = WORKFLOW.format(endpoint=s3_server.endpoint, bucket=bucket)
    Path("w.yaml").write_text(text)
    with pytest.raises(WorkflowFileError) as caught:
        check_workflow("w.yaml")
    assert len(caught.value.faults) == 1
    assert caught.value.faults[0].startswith(f"w.yaml:6:13: Nothing is stored at s3://{bucket}/data/penguins.parquet")
    penguins(s3_server, bucket)
    Path("w.yaml").write_text(text.replace("[island,", "[isle,").replace(f"{bucket}/models", f"{bucket}-not/models"))
    with pytest.raises(WorkflowFileError) as caught:
        check_workflow("w.yaml")
    assert [fault.partition(": ")[0] for fault in caught.value.faults] == ["w.yaml:7:37", "w.yaml:14:12"]
    assert "has no column 'isle'. Did you mean 'island'?" in caught.value.faults[0]
    assert f"{bucket}-not" in caught.value.faults[1]
    assert check_workflow("w.yaml", offline=True)


def test_a_run_whose_store_goes_away_says_so(s3_server: S3Server, bucket: str) -> None:
    with pytest.raises(StoreAccessError, match=r"s3://nowhere-at-all"):
        read_data_bunch("s3://nowhere-at-all/x.csv", stores={"s3": {"endpoint_url": s3_server.endpoint}})


def test_a_tree_goes_from_s3_to_google(
    s3_server: S3Server, bucket: str, gcs_server: GcsServer, monkeypatch: pytest.MonkeyPatch, here: Path
) -> None:
    pytest.importorskip("mercury_gcs.store")
    for name, value in gcs_server.environment.items():
        monkeypatch.setenv(name, value)
    there = gcs_server.bucket()
    content = {"a.bin": b"a" * 3_000_000, "d/empty": b"", "d/ä %20#?.bin": os.urandom(70_000)}
    for name, data in content.items():
        s3_server.client().put_object(Bucket=bucket, Key=f"m/{name}", Body=data)
    monkeypatch.setenv("TMPDIR", str(here / "nowhere"))  # nothing touches the disk on the way
    stores = {"s3": {"endpoint_url": s3_server.endpoint}}
    report = copy(f"s3://{bucket}/m", f"gs://{there}/m", stores=stores)
    assert (report.files, report.bytes) == (3, sum(map(len, content.values())))
    client = gcs_server.client()
    assert {blob.name: blob.download_as_bytes() for blob in client.list_blobs(there)} == {
        f"m/{name}": data for name, data in content.items()
    }
    back = copy(f"gs://{there}/m", f"s3://{bucket}/back", move=True, stores=stores)
    assert back.checksums == report.checksums
    assert not list(client.list_blobs(there))
    client.close()
    assert [key for key in keys(s3_server, bucket) if key.startswith("back/")] == sorted(
        f"back/{name}" for name in content
    )


def test_the_same_job_stores_in_google(
    gcs_server: GcsServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("mercury_gcs.store")
    for name, value in gcs_server.environment.items():
        monkeypatch.setenv(name, value)
    there = gcs_server.bucket()
    text = (
        WORKFLOW.format(endpoint="", bucket=there)
        .replace("s3://", "gs://")
        .replace('  s3: {endpoint_url: ""}', "  gs: {}")
    )
    parquet.write_table(csv.read_csv(ROOT / "examples/penguins/data/penguins.csv"), "penguins.parquet")
    copy("penguins.parquet", f"gs://{there}/data/")
    Path("w.yaml").write_text(text)
    record = run_workflow("w.yaml")
    assert record.metrics["test"]["sklearn.accuracy_score"] > 0.7
    uri = record.artifacts[-1]["uri"]
    assert main(["predict", uri, f"gs://{there}/data/penguins.parquet", "--to", "out.parquet"]) == 0
    assert "344 predictions" in capsys.readouterr().out
