"""The workflow of this folder at level 4, as Python: ``python penguins.py``."""

from pathlib import Path

from mercury_core import (
    evaluate_model,
    fit_model,
    load_model,
    read_data_bunch,
    store_model,
    transform_data_bunch,
)

HERE = Path(__file__).parent
ROLES = {
    "index": ["id"],
    "features": ["island", "bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g", "sex"],
    "targets": ["species"],
}


def main() -> None:
    """Read, split, preprocess, fit, evaluate, store, load again and predict."""
    source = HERE / "data" / "penguins.csv"
    raw = read_data_bunch(source, roles=ROLES)
    bunch = transform_data_bunch(
        raw, "split", into={"train": 0.7, "valid": 0.15, "test": 0.15}, stratify="species", seed=7
    )
    bunch = transform_data_bunch(bunch, "sklearn.preprocess")
    model = fit_model(
        bunch, "sklearn.fit", estimator="HistGradientBoostingClassifier", params={"max_iter": 100, "random_state": 7}
    )
    metrics = evaluate_model(model, bunch, ["sklearn.accuracy_score", "sklearn.roc_auc_score"])
    for data_set, values in metrics.items():
        for name, value in values.items():
            print(f"{data_set:6} {name:24} {value:.3f}")
    stored = store_model(
        model,
        HERE / "models" / "penguins",
        format="sklearn.skops",
        remote=f"{HERE / 'store' / 'by-python'}/",
        overwrite="replace",
        metrics=metrics,
    )
    predictions = load_model(stored.uri).predict(raw["data"])
    print(f"{stored.uri} predicts {predictions.values.num_rows} penguins")


if __name__ == "__main__":
    main()
