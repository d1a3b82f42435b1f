# SPDX-License-Identifier: GPL-3.0-or-later
"""Every row of the specification, through the library and through the tool: the code, what happened, and what must not have.

docs/conformance.md is written by: /usr/bin/python3 tests/integration/test_conformance.py --write-docs
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

import conformance
import conformance_cancel  # noqa: F401: each registers its cases, in the order of the specification
import conformance_add  # noqa: F401
import conformance_ask  # noqa: F401
from conformance import CASES, ROWS, ThroughLibrary, ThroughTool
from harness import make_server as start_server


@pytest.fixture(scope="module")
def shared_server():
    folder = Path(tempfile.mkdtemp(prefix="c-", dir=os.environ.get("WNET_TEST_TMP", "/tmp")))
    server = start_server(folder / "smb", more_shares={"printer": {"path": "spool", "printed": "printed"}})
    yield server
    server.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def clean_server(shared_server):
    for entry in [*shared_server.data.iterdir(), *Path(shared_server.path("printed")).iterdir()]:
        shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    return shared_server


def run(u, c):
    c.body(u)
    for function, codes in c.shows.items():
        for code in codes:
            assert (function, code) in u.seen, f"{function} never answered {code}"


def pytest_generate_tests(metafunc):
    """Each form of the library has half of the cases, with --long all of them. (test_libwnet*.py have both everywhere.)"""
    if "form" in metafunc.fixturenames:
        forms = ("narrow", "wide")
        pairs = [(form, c) for c in CASES for form in (forms if metafunc.config.getoption("--long") else [forms[c.number % 2]])]
        metafunc.parametrize("form, c", pairs, ids=[f"{c.name}, {form}" for form, c in pairs])


def test_through_the_library(wnet, clean_server, make_server, form, c):
    run(ThroughLibrary(wnet, clean_server, make_server, form), c)


@pytest.mark.parametrize("c", [c for c in CASES if not c.only_in_c], ids=lambda c: c.name)
def test_through_the_tool(wnet, clean_server, make_server, c):
    run(ThroughTool(wnet, clean_server, make_server), c)


# the table


def test_every_row_has_a_case(capfd):
    for chapter, rows in ROWS.items():
        for row in rows:
            assert any(c.row == row for c in CASES), f"{chapter}: no case shows {row!r}"
    names = [c.name for c in CASES]
    assert len(names) == len(set(names))
    with capfd.disabled():
        print(f"\nconformance: {conformance.summary()}")


def test_every_documented_code_is_shown():
    documented = conformance.documented()
    missing = [(function, code) for function, codes in documented.items() for code in codes
               if not conformance.shown(function, code) and (function, code) not in conformance.NOT_SHOWN]
    assert missing == [] and len(documented) >= 14
    for function, code in [*conformance.ELSEWHERE, *conformance.NOT_SHOWN]:
        assert code in documented[function], "it is not documented any more"
    for test in conformance.ELSEWHERE.values():
        file, _, name = test.partition(": ")
        path = conformance.TOP / "tests" / (file if "/" in file else f"integration/{file}")
        assert name in path.read_text(encoding="utf-8"), f"there is no {test}"


def test_the_page_is_up_to_date():
    assert conformance.DOCUMENT.read_text(encoding="utf-8") == conformance.page(), "run this file with --write-docs"


if __name__ == "__main__":
    if sys.argv[1:] != ["--write-docs"]:
        sys.exit(__doc__)
    conformance.DOCUMENT.write_text(conformance.page(), encoding="utf-8")
