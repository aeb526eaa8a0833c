# SPDX-FileCopyrightText: dsv4c authors
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""check_prediction.py JSON: the totals of `compile-model predict --json` are the
sums of its phases and dependencies, and the floor follows from the bytes."""
import json
import sys

with open(sys.argv[1], encoding="utf-8") as file:
    root = json.load(file)
assert root["is_prediction"] and not root["run_on_hardware"], root.keys()
[prediction] = root["predictions"]
[step] = prediction["steps"]
assert step["gpu"] == "b200" and step["position"] == 100, step["gpu"]
work = sum(phase["predicted_seconds"] for phase in step["phases"])
for i in range(2):
    edges = step["launches_waited_for"] * step["assumed_edge_seconds"][i]
    want = prediction["predicted_seconds"][i]
    assert abs(work + edges - want) < 1e-9, (work, edges, want)
stored = sum(phase["stored_bytes"] for phase in step["phases"])
floor = stored / (step["published_bytes_per_second"] * 4.3 / 4.8)
assert floor <= prediction["floor_seconds"] < 1.001 * floor, floor
assert root["published_decode"] and root["published_prefill"]
