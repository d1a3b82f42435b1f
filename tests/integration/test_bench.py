# SPDX-License-Identifier: GPL-3.0-or-later
"""The benchmark itself works; what it measures is not looked at."""

import json

from harness import BUILD, TOP


def test_the_benchmark_runs(wnet):
    result = wnet.program(TOP / "tests" / "bench" / "run", "--quick", "--build", BUILD, "--json", timeout=180)
    assert result.code == 0, repr(result)
    measured = json.loads(result.out)
    assert {"read", "listing", "cancel"} <= set(measured), measured
