"""The checker of the protocol, on this server: all of it holds."""

from __future__ import annotations

import pytest

from mercury_core.testing.oip import check_server


@pytest.mark.parametrize("model", ["paid", "echo", "images", "refusing"])
def test_everything_holds(url: str, model: str) -> None:
    report = check_server(url, model)
    assert [(check.title, check.found) for check in report.checks if check.outcome != "holds"] == []
    assert report.holds
    assert len(report.checks) > 35


def test_with_a_request_of_ones_own(url: str) -> None:
    inputs = [
        {"name": "age", "shape": [1], "datatype": "INT64", "data": [31]},
        {"name": "city", "shape": [1], "datatype": "BYTES", "data": ["Köln"]},
        {"name": "day", "shape": [1], "datatype": "BYTES", "data": ["2026-11-24"]},
    ]
    report = check_server(f"{url}/v2/", "mixed", request={"inputs": inputs})
    assert [(check.title, check.found) for check in report.checks if check.outcome != "holds"] == []
