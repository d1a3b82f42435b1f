# SPDX-License-Identifier: GPL-3.0-or-later
"""The benchmarks themselves work; what they measure is not looked at."""

import json

from harness import BUILD, TOP


def test_the_benchmark_runs(wnet):
    result = wnet.program(TOP / "tests" / "bench" / "run", "--quick", "--build", BUILD, "--json", timeout=180)
    assert result.code == 0, repr(result)
    measured = json.loads(result.out)
    assert {"read", "listing", "cancel"} <= set(measured), measured


def test_the_benchmark_of_scale_runs(wnet):
    result = wnet.program(TOP / "tests" / "bench" / "scale", "--quick", "--build", BUILD, "--json", timeout=180)
    assert result.code == 0, repr(result)
    measured = json.loads(result.out)
    assert measured["connections"]["deviceless"] == 5 and measured["handles"]["handles"] == 500, measured
