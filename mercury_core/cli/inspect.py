"""Show what a saved model says of itself: what it takes and gives, what it was measured at, what it was made with.

Of a model in a store only this is fetched. Nothing is loaded, and no file is proven: `mercury-ml verify` does that.
"""

from __future__ import annotations

from mercury_core.cli import output
from mercury_core.cli.options import add_stores, stores_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterator

    from mercury_core.bundle import Field, Manifest


def arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("model", metavar="MODEL", help="a saved model: a path or a URI")
    add_stores(parser)
    parser.add_argument("--json", action="store_true", help="print the manifest as it is, mercury.json")


def execute(args: Namespace) -> int:
    """Show the manifest."""
    from mercury_core.bundle import Bundle

    found = Bundle.inspect(args.model, stores=stores_of(args.store))
    if args.json:
        import msgspec

        output.write_json(msgspec.to_builtins(found))
    else:
        _show(found)
    return 0


def _show(found: Manifest) -> None:
    from mercury_core.cli.summary import metric_rows
    from mercury_core.cli.tables import show_table

    lines = list(_lines(found))
    width = max(len(name) for name, _ in lines)
    for name, value in lines:
        output.write(f"{name:{width}}  {value}")
    rows = [*_columns("input", found.signature.inputs), *_columns("target", found.signature.targets)]
    if rows:
        output.write("")
        show_table(("column", "role", "type", "nulls", ""), rows)
    # What was measured is by data set and metric; whoever stored a model by hand may have given it otherwise.
    if found.metrics and all(isinstance(each, dict) for each in found.metrics.values()):
        columns, cells = metric_rows(found.metrics)
        output.write("")
        show_table(("metric", *columns), cells, numbers=True)


def _lines(found: Manifest) -> Iterator[tuple[str, str]]:
    from mercury_core.cli.plain import human

    if found.description:
        yield "description", found.description
    yield "model", found.model.format
    if found.transforms:
        yield "transforms", ", ".join(step.use for step in found.transforms)
    if found.run:
        yield "run", found.run
    if found.license:
        yield "license", found.license
    if found.signature.classes is not None:
        labels = found.signature.classes
        yield "classes", ", ".join(map(str, labels[:12])) + (f", … {len(labels) - 12} more" if len(labels) > 12 else "")
    if found.signature.index:
        yield "index", ", ".join(found.signature.index)
    yield "golden rows", _golden(found)
    yield "packages", ", ".join(f"{name} {version}" for name, version in found.packages.items())
    size = sum(proof.size for proof in found.files.values())
    yield "files", f"{len(found.files)}, {human(size)}"
    yield "format", f"version {found.format_version}"


def _golden(found: Manifest) -> str:
    if found.golden is None:
        return "none"
    tolerance = found.golden.tolerance
    return f"{found.golden.rows}, {f'within {tolerance:g}' if tolerance else 'to the last bit'}"


def _columns(role: str, fields: tuple[Field, ...]) -> list[tuple[str, ...]]:
    return [(one.name, role, one.type, "yes" if one.nullable else "no", _more(one)) for one in fields]


def _more(field: Field) -> str:
    if field.shape is not None:
        return f"arrays of {' × '.join(map(str, field.shape))}"
    labels = field.categories or ()
    return ", ".join(map(str, labels[:8])) + (f", … {len(labels) - 8} more" if len(labels) > 8 else "")
