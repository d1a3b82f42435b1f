# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds and runs the tests; started by tests/run, which has installed what this needs."""

import argparse
import json
import os
import re
import subprocess
import sys
import textwrap
import time
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.dont_write_bytecode = True
TOP = Path(__file__).resolve().parent.parent
COMMON = ["-Dwerror=true", "-Dbuildtype=debugoptimized"]
BUILDS = {
    "normal": ["-Db_sanitize=none", "-Db_lundef=true"],
    "sanitized": ["-Db_sanitize=address,undefined", "-Db_lundef=false"],
    "threads": ["-Db_sanitize=thread", "-Db_lundef=false"],
}
PROCESSES = {"normal": 4, "sanitized": 3, "threads": 3}  # tests at a time: most of them wait, the less the slower the programs are
# ThreadSanitizer is for what runs in the threads of somebody else's program: the library.
LIBRARY_TESTS = ["control-client", "libwnet-arguments-narrow", "libwnet-arguments-wide", "libwnet-handles", "libwnet-text", "test_libwnet",
                 "test_libwnet_ask", "test_libwnet_calls"]
NOT_SANITIZED = ["at-length"]  # suites that the normal build runs alone
TSAN_OPTIONS = "die_after_fork=0:report_thread_leaks=0"  # a child of a fork has none of its parent's threads, and may go on
# It reserves fixed addresses, and where the kernel spreads a program's memory wider than this many bits, it finds them taken.
TSAN_RANDOM_BITS = 28
FUZZ_SECONDS = 30
# cmocka sums up each group of tests so
CMOCKA = re.compile(r"^\[  (PASSED|FAILED|SKIPPED) ?  ?\] (\d+) test\(s\)", re.MULTILINE)

# and tests/fuzz/run each target
FUZZED = re.compile(r"^(fuzz-\w+): (ok|failed)", re.MULTILINE)


class Tally:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.lines = []

    def add(self, outcome, name="", why=""):
        setattr(self, outcome, getattr(self, outcome) + 1)
        if outcome != "passed":
            self.lines.append(f"{outcome}: {name}{': ' + why if why else ''}")


def build(name, options, targets=(), environment=None):
    """Configures and compiles, behind whatever else the machine does; returns the build directory, or None when that failed."""
    directory = TOP / "build-tests" / name
    setup = ["meson", "setup", *COMMON, *options, str(directory), str(TOP)]
    if (directory / "build.ninja").exists():
        setup.insert(2, "--reconfigure")
    for command in (setup, ["nice", "-n", "19", "ninja", "-C", str(directory), *targets]):
        print("+", " ".join(command), flush=True)
        done = subprocess.run(command, env={**os.environ, **(environment or {})}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              check=False)
        if done.returncode:
            print(done.stdout, flush=True)  # at once: tests tell of themselves meanwhile
            return None
    return directory


def build_all(builder, args):
    """Begins to build everything, in the order in which it is needed. Returns {name: its future}."""
    names = [name for name in BUILDS if name == "normal" or not args.no_sanitize]
    builds = {name: builder.submit(build, name, BUILDS[name]) for name in names}
    if not (args.unit or args.pattern or args.no_sanitize) and args.fuzz_seconds > 0:
        builds["fuzz"] = builder.submit(build, "fuzz", ["-Dfuzz=true", "-Db_sanitize=address,undefined", "-Db_lundef=false"], ["fuzzers"],
                                        {"CC": "clang"})
    return builds


def run(directory, suites, pattern, processes, only=(), without=()):
    """Runs the suites with meson, or of them only the tests of these names; in any case without those of other suites."""
    logs = directory / "meson-logs"
    for old in [*logs.glob("pytest-*.xml"), logs / "testlog.json"]:
        old.unlink(missing_ok=True)
    environment = dict(os.environ)
    if pattern:
        environment["WNET_PYTEST_K"] = pattern
    environment["TSAN_OPTIONS"] = TSAN_OPTIONS
    command = ["meson", "test", "-C", str(directory), "--no-rebuild", "--print-errorlogs", "--num-processes",
               str(processes)]
    for suite in suites:
        command += ["--suite", suite]
    for suite in without:
        command += ["--no-suite", suite]
    if only:
        command += only
        if int(Path("/proc/sys/vm/mmap_rnd_bits").read_text(encoding="ascii")) > TSAN_RANDOM_BITS:
            command = ["setarch", "-R", *command]
    print("+", " ".join(command), flush=True)
    return subprocess.run(command, env=environment, check=False).returncode


def count(directory, build_name, tally):
    """Adds up what ran: single tests where a program tells of them, else the program."""
    log = directory / "meson-logs" / "testlog.json"
    ran = 0
    for line in log.read_text(encoding="utf-8").splitlines() if log.exists() else []:
        test = json.loads(line)
        ran += 1
        name = test["name"].rpartition(" / ")[2]
        label = f"{build_name}: {name}"
        good = test["result"] in ("OK", "EXPECTEDFAIL")
        results = directory / "meson-logs" / f"pytest-{name}.xml"
        failed_before = tally.failed
        if results.exists():
            for case in ET.parse(results).getroot().iter("testcase"):
                kinds = {child.tag: child for child in case}
                case_name = f"{label}::{case.get('name')}"
                trouble = kinds.get("failure", kinds.get("error"))
                if trouble is not None:
                    tally.add("failed", case_name, "\n" + textwrap.indent((trouble.text or "").strip(), "  "))
                elif "skipped" in kinds:
                    tally.add("skipped", case_name, kinds["skipped"].get("message", ""))
                else:
                    tally.add("passed")
        elif cases := CMOCKA.findall(test.get("stdout", "") + "\n" + test.get("stderr", "")):
            for outcome, number in cases:
                for _ in range(int(number)):
                    tally.add(outcome.lower(), label)
        elif test["result"] == "SKIP":
            tally.add("skipped", label)
        elif good:
            tally.add("passed")
        # a crash, a time-out, or a failure that no single test tells of
        if not good and test["result"] != "SKIP" and tally.failed == failed_before:
            tally.add("failed", label, f"{test['result']} (exit {test.get('returncode')})")
    return ran


def fuzz(directory, seconds, tally):
    """Feeds the parsers with what nobody would write."""
    command = [str(TOP / "tests" / "fuzz" / "run"), str(directory), "--seconds", str(seconds)]
    print("+", " ".join(command), flush=True)
    ran = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    print(ran.stdout, flush=True)
    results = dict(FUZZED.findall(ran.stdout))
    for name, result in results.items():
        tally.add("passed" if result == "ok" else "failed", f"fuzz: {name}")
    if not results or (ran.returncode and "failed" not in results.values()):
        tally.add("failed", "fuzz: tests/fuzz/run", f"exit {ran.returncode}")


def test(name, directory, suites, args, tally):
    """Runs what is there for one of the builds."""
    if name == "fuzz":
        fuzz(directory, args.fuzz_seconds, tally)
        return
    status = run(directory, suites, args.pattern, PROCESSES[name], LIBRARY_TESTS if name == "threads" else (),
                 NOT_SANITIZED if name == "sanitized" else ())
    failed_before = tally.failed
    if not count(directory, name, tally):
        tally.add("failed", f"{name}: no test ran")
    elif status and tally.failed == failed_before:
        tally.add("failed", f"{name}: meson test", f"exit {status}")


def fuse_problem():
    """Why users cannot mount drives on this machine, or None."""
    try:
        mode = os.stat("/dev/fuse").st_mode
    except FileNotFoundError:
        return "there is no /dev/fuse: load the kernel module fuse, or give the container the device and the right to mount"
    if os.geteuid() == 0 and mode & 0o006 != 0o006:
        return "/dev/fuse is only for root, and the tests run as an ordinary user: chmod 0666 /dev/fuse"
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        return "/dev/fuse is not for you: have root run chmod 0666 /dev/fuse"
    return None


def main():
    parser = argparse.ArgumentParser(prog="tests/run")
    parser.add_argument("pattern", nargs="?", help="only integration tests whose name matches, as pytest's -k")
    parser.add_argument("--unit", action="store_true", help="no integration tests")
    parser.add_argument("--no-sanitize", action="store_true", help="only the normal build, and nothing is fuzzed")
    parser.add_argument("--fuzz-seconds", type=float, metavar="N", default=float(os.environ.get("WNET_FUZZ_SECONDS", FUZZ_SECONDS)),
                        help=f"how long each parser is fuzzed where everything is run ({FUZZ_SECONDS}; 0: not at all)")
    args = parser.parse_args()

    problem = None if args.unit else fuse_problem()
    if problem:
        print(f"tests/run: {problem}", file=sys.stderr)
        print("0 passed, 1 failed, 0 skipped")
        return 1
    os.umask(0o022)  # another user reads the build
    began = time.monotonic()
    suites = ["unit", "checks"] if args.unit else ["integration"] if args.pattern else []
    tally = Tally()
    with ThreadPoolExecutor(1) as builder:
        builds = build_all(builder, args)
        for name, built in builds.items():
            directory = built.result()
            if directory:
                test(name, directory, suites, args, tally)
            else:
                tally.add("failed", f"{name}: the build")

    print()
    for line in tally.lines:
        print(line)
    print(f"took {(time.monotonic() - began) / 60:.1f} minutes")
    print(f"{tally.passed} passed, {tally.failed} failed, {tally.skipped} skipped")
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main())
