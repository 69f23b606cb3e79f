"""Columns that the options of a transformer name are looked for in the check, before any work."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mercury_core import check_workflow
from mercury_core.errors import WorkflowFileError

if TYPE_CHECKING:
    from pathlib import Path

WORKFLOW = """\
read: {use: csv, source: data.csv, roles: {targets: y}}
transform:
  - {use: split, into: {train: 0.5, test: 0.5}}
  - use: sklearn.preprocess
    columns:
      COLUMN: {scale: none}
"""
SECOND = """\
  - {use: sklearn.transform, transformer: PCA, columns: [mass, height]}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "data.csv").write_text("mass,town,y\n" + "1.5,Oslo,0\n2.5,Rome,1\n" * 4)
    return tmp_path / "workflow.yaml"


def test_a_misspelt_column_of_preprocess_is_found_with_its_place(file: Path) -> None:
    file.write_text(WORKFLOW.replace("COLUMN", "mas"))
    with pytest.raises(WorkflowFileError) as caught:
        check_workflow(file)
    (fault,) = caught.value.faults
    assert fault.endswith(
        "workflow.yaml:6:7: 'sklearn.preprocess' is fitted on data that has no column 'mas'. Did you mean 'mass'?"
    )


def test_a_column_that_is_there_is_fine_and_later_ones_are_not_known(file: Path) -> None:
    file.write_text(WORKFLOW.replace("COLUMN", "mass") + SECOND)
    check_workflow(file)


def test_a_misspelt_column_of_a_transformer_is_found_with_its_place(file: Path) -> None:
    head = "".join(WORKFLOW.splitlines(keepends=True)[:3])
    file.write_text(head + SECOND)
    with pytest.raises(WorkflowFileError) as caught:
        check_workflow(file)
    (fault,) = caught.value.faults
    assert "workflow.yaml:4:64: 'sklearn.transform' is fitted on data that has no column 'height'." in fault
