"""Requests made from the OpenAPI document: nothing that a client does wrong is a fault of the server."""

from __future__ import annotations

import schemathesis
from hypothesis import HealthCheck, given, settings
from mercury_http.server import serve
from schemathesis.checks import not_a_server_error

from tests.http import models


def test_nothing_is_a_fault_of_the_server() -> None:
    with serve({"paid": models.classifier(), "mixed": models.mixed()}, port=0) as service:
        schema = schemathesis.openapi.from_url(f"{service.url}/openapi.json")
        operations = [found.ok() for found in schema.get_all_operations()]
        assert len(operations) > 10
        for operation in operations:

            @settings(max_examples=20, deadline=None, database=None, suppress_health_check=list(HealthCheck))
            @given(operation.as_strategy())
            def keeps(case: schemathesis.Case) -> None:
                case.validate_response(case.call(), checks=[not_a_server_error])

            keeps()
