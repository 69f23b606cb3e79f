"""What the ending of a file's name says of its format."""

from __future__ import annotations

from mercury_core.errors import ReadError, did_you_mean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

_ENDINGS = {
    ".csv": "csv",
    ".tsv": "csv",
    ".tab": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
    ".arrow": "arrow",
    ".arrows": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
}
PACKED = (".gz", ".bz2", ".zst", ".lz4", ".br")


def reader_for(source: str | Path) -> str:
    """The key of the reader that the ending of a name stands for.

    Args:
        source: A path or a URI. Compressed text, as ``data.csv.gz``, is told by the ending before.

    Raises:
        ReadError: No reader is known for that ending.

    Examples:
        >>> reader_for("data/penguins.csv"), reader_for("s3://bucket/rows.jsonl.gz")
        ('csv', 'json')
    """
    name = str(source).rstrip("/").rpartition("/")[2].lower()
    plain = name
    for packed in PACKED:
        plain = plain.removesuffix(packed)
    ending = "." + plain.rpartition(".")[2] if "." in plain else ""
    if ending in _ENDINGS:
        return _ENDINGS[ending]
    why = (
        f"no reader is known for names that end in {ending!r}"
        if ending
        else "its name has no ending to tell the format"
    )
    todo = (
        f"{did_you_mean(ending, _ENDINGS)} Say which reader to use: csv, parquet, json, arrow, or one "
        "of a plugin (`mercury-ml providers read` lists them)."
    )
    raise ReadError(str(source), why, todo.lstrip())
