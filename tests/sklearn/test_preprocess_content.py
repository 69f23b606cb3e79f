"""Columns that stand for something else, as for images, go through `sklearn.preprocess` untouched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from mercury_sklearn.preprocess import Preprocess

from mercury_core.data import DataBunch, DataSet, DataWrapper
from mercury_core.data.content import CONTENT, holds_content
from mercury_core.errors import MissingColumnsError

if TYPE_CHECKING:
    from pathlib import Path

IMAGE = pa.field("image", pa.string(), metadata={CONTENT: b"images", b"more": b"of it"})
SCHEMA = pa.schema([pa.field("width", pa.float64()), IMAGE, pa.field("colour", pa.string())])
ROWS = [[1.0, 3.0, None], ["a.png", "b.png", "c.png"], ["red", "blue", "red"]]


def features(schema: pa.Schema = SCHEMA, rows: Any = ROWS) -> DataSet:
    return DataSet({"features": DataWrapper(pa.table(rows, schema=schema))})


def through(tmp_path: Path, fitted: Any, data_set: DataSet) -> pa.Table:
    """What comes of a data set, and of it by what was saved and loaded as well."""
    fitted.save(tmp_path)
    found = [each.apply(data_set).features.to("arrow").underlying for each in (fitted, Preprocess.load(tmp_path))]
    assert found[0].equals(found[1], check_metadata=True)
    return found[0]


def test_they_stand_before_the_numbers_as_they_were(tmp_path: Path) -> None:
    fitted = Preprocess(numeric={"scale": "none"}).fit(DataBunch({"train": features()}))
    table = through(tmp_path, fitted, features())
    assert fitted.output_names == table.column_names == ["image", "width", "colour_blue", "colour_red"]
    assert table.schema.field("image").equals(IMAGE, check_metadata=True)
    assert table.to_pydict() == {
        "image": ROWS[1],
        "width": [1.0, 3.0, 2.0],
        "colour_blue": [0.0, 1.0, 0.0],
        "colour_red": [1.0, 0.0, 1.0],
    }


def test_rows_to_predict_need_no_note(tmp_path: Path) -> None:
    fitted = Preprocess().fit(DataBunch({"train": features()}))
    plain = features(pa.schema([field.remove_metadata() for field in SCHEMA]))
    table = through(tmp_path, fitted, plain)
    assert table["image"].to_pylist() == ROWS[1]
    assert not holds_content(table.schema.field("image"))
    with pytest.raises(MissingColumnsError, match="lacks the column 'image'"):
        fitted.apply(DataSet({"features": plain.features.select(["width", "colour"])}))


def test_alone_or_told_otherwise(tmp_path: Path) -> None:
    alone = features(pa.schema([IMAGE]), ROWS[1:2])
    fitted = Preprocess(columns={"image": "passthrough"}).fit(DataBunch({"train": alone}))
    assert through(tmp_path, fitted, alone).equals(alone.features.underlying, check_metadata=True)
    for told, names in (("drop", ["width"]), ({"encode": "ordinal"}, ["width", "image"])):
        params: dict[str, Any] = {"image": told, "colour": "drop"}
        assert Preprocess(columns=params).fit(DataBunch({"train": features()})).output_names == names
