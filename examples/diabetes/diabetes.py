"""The workflow of this folder at level 4, as Python: ``python diabetes.py``."""

from pathlib import Path

from mercury_core import evaluate_model, fit_model, read_data_bunch, store_model, transform_data_bunch

HERE = Path(__file__).parent


def main() -> None:
    """Read, split, fit two models, evaluate both, store the better one."""
    bunch = read_data_bunch("diabetes", reader="sklearn.dataset", roles={"targets": ["target"]})
    bunch = transform_data_bunch(bunch, "split", into={"train": 0.8, "test": 0.2}, seed=3)
    models = {
        "ridge": fit_model(bunch, estimator=[{"use": "StandardScaler"}, {"use": "RidgeCV"}]),
        "forest": fit_model(
            bunch,
            estimator="RandomForestRegressor",
            params={"n_estimators": 100, "min_samples_leaf": 5, "random_state": 3},
        ),
    }
    errors = {}
    for name, model in models.items():
        metrics = evaluate_model(model, bunch, ["sklearn.r2_score", "sklearn.mean_absolute_error"])["test"]
        errors[name] = metrics["sklearn.mean_absolute_error"]
        print(f"{name:7} R² {metrics['sklearn.r2_score']:.3f}, mean absolute error {errors[name]:.1f}")
    best = min(errors, key=lambda name: errors[name])
    stored = store_model(models[best], HERE / "models" / "best", format="sklearn.skops", overwrite="replace")
    print(f"{best} is the better one: {stored.uri}")


if __name__ == "__main__":
    main()
