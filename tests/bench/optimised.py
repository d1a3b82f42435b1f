# SPDX-License-Identifier: GPL-3.0-or-later
"""The build that is measured."""

import subprocess
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]


def build(directory):
    setup = ["meson", "setup", "--buildtype=release", "-Db_ndebug=false", str(directory), str(TOP)]
    if (directory / "build.ninja").exists():
        setup.insert(2, "--reconfigure")
    for command in (setup, ["ninja", "-C", str(directory)]):
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
