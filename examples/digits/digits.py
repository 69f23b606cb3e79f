"""The workflow of this folder at level 4, as Python: ``python make_images.py``, then ``python digits.py``."""

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


def main() -> None:
    """Read, split, augment, fit, evaluate, store, load again and predict."""
    images = read_data_bunch(
        HERE / "images", reader="keras.images", image_size=[8, 8], color_mode="grayscale", batch_size=64
    )
    bunch = transform_data_bunch(
        images, "split", into={"train": 0.7, "valid": 0.15, "test": 0.15}, stratify="label", seed=7
    )
    bunch = transform_data_bunch(
        bunch, "keras.augment", data=["train"], layers=[{"use": "RandomRotation", "factor": 0.03}]
    )
    model = fit_model(
        bunch,
        "keras.fit",
        model={"use": "keras.convnet", "filters": [32, 64], "dropout": 0.1},
        optimizer="Adam",
        learning_rate={"use": "CosineDecay", "initial_learning_rate": 0.003, "decay_steps": 240},
        epochs=12,
        return_best=True,
        seed=7,
    )
    metrics = evaluate_model(model, bunch, ["keras.evaluate"])
    for data_set, values in metrics.items():
        print(f"{data_set:6} accuracy {values['keras.evaluate']['accuracy']:.3f}")
    stored = store_model(
        model,
        HERE / "models" / "digits",
        format="keras.native",
        remote=f"{HERE / 'store' / 'by-python'}/",
        overwrite="replace",
        metrics=metrics,
    )
    predictions = load_model(stored.uri).predict(images["data"])
    print(f"{stored.uri} predicts {predictions.num_rows} digits")


if __name__ == "__main__":
    main()
