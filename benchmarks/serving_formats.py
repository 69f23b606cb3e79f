"""Requests a second of our own server by what carries the rows: JSON, binary tensors, Arrow IPC.

    python benchmarks/serving_formats.py [--connections N ...] [--rounds N] [--seconds S]

1,000 rows of 20 FP64 a request, by turns, one worker on one core and `wrk` on the other. Binary tensors are compared
with the JSON of `infer`, Arrow with that of `/predict`. Ends with 1 where a limit is missed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path

import pyarrow as pa
from peers.load import Running, missing, rows_of
from peers.servers import COLUMNS, SERVERS

ROWS = 1_000
LIMIT = 3.0
INFER, PREDICT = "/v2/models/model/infer", "/predict"
ARROW = "application/vnd.apache.arrow.stream"


def requests() -> dict[str, tuple[bytes, dict[str, str], str]]:
    """By name a body, its headers, and where it goes."""
    rows = rows_of(ROWS)
    flat = [value for row in rows for value in row]
    tensor = {"name": "features", "shape": [ROWS, COLUMNS], "datatype": "FP64"}
    outputs = [{"name": "prediction"}]
    plain = json.dumps({"inputs": [{**tensor, "data": flat}], "outputs": outputs}).encode()
    content = b"".join(pa.array(flat).buffers()[1:])
    size = {"parameters": {"binary_data_size": len(content)}}
    binary_out = [{"name": "prediction", "parameters": {"binary_data": True}}]
    head = json.dumps({"inputs": [{**tensor, **size}], "outputs": binary_out}).encode()
    columns = list(zip(*rows, strict=True))
    table = pa.table({f"x{place}": pa.array(column) for place, column in enumerate(columns)})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    is_json = {"Content-Type": "application/json"}
    return {
        "infer, JSON": (plain, is_json, INFER),
        "infer, binary": (head + content[: 8 * len(flat)], {"Inference-Header-Content-Length": str(len(head))}, INFER),
        "/predict, JSON": (json.dumps(rows).encode(), is_json, PREDICT),
        "/predict, Arrow": (sink.getvalue().to_pybytes(), {"Content-Type": ARROW}, PREDICT),
    }


def main() -> int:
    """Measure, print, and say whether the limits hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connections", nargs="+", type=int, default=(1, 64))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=2, help="of each measurement")
    args = parser.parse_args()
    if lacking := missing():
        print(f"Left out: {lacking}.")
        return 0
    kept = True
    with tempfile.TemporaryDirectory() as name:
        server = Running(SERVERS["mercury"], Path(name, "server"))
        try:
            for connections in args.connections:
                rates: dict[str, list[float]] = {}
                for _ in range(args.rounds):
                    for what, (body, headers, path) in requests().items():
                        answer = server.measured_with(body, headers, path, connections, args.seconds)
                        rates.setdefault(what, []).append(answer.rate)
                found = {what: statistics.median(taken) for what, taken in rates.items()}
                print(f"\n{ROWS:,} rows a request, {connections} connection{'s' * (connections > 1)}")
                for what, rate in found.items():
                    kind, _, form = what.partition(", ")
                    line = f"  {what:16} {rate:8.1f} requests/s"
                    if form != "JSON":
                        ratio = rate / found[f"{kind}, JSON"]
                        kept &= ratio >= LIMIT
                        line += f"; {ratio:5.2f} × JSON (>= {LIMIT:g}: {'kept' if ratio >= LIMIT else 'MISSED'})"
                    print(line)
        finally:
            server.stop()
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
