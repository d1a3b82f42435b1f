# SPDX-License-Identifier: GPL-3.0-or-later
"""The conformance test's cases of WNetCancelConnection2."""

import json
import mmap
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from conformance import ADD, BOTH, CANCEL, FLAGS, POINTERS, RESTORE, ThroughLibrary, ThroughTool, case
from harness import LONG, alive, error_name, error_of, opened, wait_until
from library import UPDATE_PROFILE
from proxy import Proxy
from test_profile_trouble import TROUBLE, Namespace

REVOKED = ("EIO", "ENOTCONN", "ECONNABORTED", "ENODEV", "EBADF", "ESTALE")


@case("the device is connected, nothing in use", {CANCEL: 0})
def only_that_redirection_is_broken(u):
    u.connect("Y:", "Z:")
    with open(u.folder("Y:") / "f", "wb", buffering=0) as f:
        assert u.cancel("Z:") == 0
        assert u.connected() == ["Y:"]
        f.write(b"lives on")
    u.works("Y:")


@case("connected device, flags 0, it has a row", {CANCEL: 0})
def unavailable_until_the_next_logon(u):
    u.remember("Z:")
    assert u.cancel("Z:") == 0
    assert u.rows() == ["Z:"] and u.connected() == [] and u.wnet.entry()["state"] == "unavailable"
    u.next_logon()
    u.wnet.wait_state("Z:", "ok")
    u.works()


@case("connected device, CONNECT_UPDATE_PROFILE, it has a row", {CANCEL: 0})
def no_later_logon_restores_it(u):
    u.remember("Z:")
    assert u.cancel("Z:", UPDATE_PROFILE) == 0
    assert u.rows() == [] and u.connected() == []
    u.next_logon()
    assert u.wnet.list() == []


@case("connected device, CONNECT_UPDATE_PROFILE, no row", {CANCEL: 0})
def the_flag_is_ignored_without_a_row(u):
    u.connect("Z:")
    assert u.cancel("Z:", UPDATE_PROFILE) == 0
    assert u.connected() == [] and not u.wnet.profile.exists()
    u.connect("Z:")
    u.remember("Y:")
    before = u.wnet.profile.read_bytes()
    assert u.cancel("Z:", UPDATE_PROFILE) == 0
    assert u.connected() == ["Y:"] and u.wnet.profile.read_bytes() == before


@case("row only (not connected), CONNECT_UPDATE_PROFILE", {CANCEL: 0})
def a_row_is_deleted_with_no_network_traffic(u):
    proxy = Proxy(u.server.port)
    u.remember("Z:", url=proxy.share())
    workers = u.wnet.workers()
    u.wnet.ok("cancel", "Z:")
    wait_until(lambda: not any(map(alive, workers)), "its workers end")
    proxy.heard = []
    with socket.create_connection(("127.0.0.1", proxy.port)) as own:  # when this is counted, all that they began has been
        own.sendall(b"own")
        wait_until(lambda: b"own" in proxy.heard, "the proxy is at our own connection")
    proxy.hold, before = True, proxy.count
    assert u.cancel("Z:", UPDATE_PROFILE) == 0
    assert u.rows() == [] and u.wnet.list() == [] and proxy.count == before
    proxy.hold = False


@case("row only, flags 0", {CANCEL: 2250})
def a_row_stays_without_the_flag(u):
    u.remember_only("Z:")
    with u.unchanged():
        assert u.cancel("Z:") == 2250
        assert u.cancel("Z:", 0, 1) == 2250
    assert u.rows() == ["Z:"]


@case("a remote name with live connections", {CANCEL: 0})
def all_connections_to_it_are_broken_and_rows_stay(u):
    for flags in BOTH:
        u.remember("Y:")
        u.connect("Z:")
        u.connect("W:", share="readonly")
        u.connect_share()
        row = u.wnet.rows()
        assert u.cancel(u.server.unc(), flags) == 0
        assert u.connected() == ["W:"] and u.wnet.rows() == row
        u.wnet.ok("cancel", "W:")
        u.wnet.ok("cancel", "Y:", "--forget")


@case("a remote name with rows only", {CANCEL: 2250})
def a_remote_name_does_not_mean_its_rows(u):
    u.remember_only("Z:")
    with u.unchanged():
        for flags in BOTH:
            assert u.cancel(u.server.unc(), flags) == 2250
            assert u.cancel(u.server.unc(), flags, 1) == 2250


@case("unknown bits in dwFlags", {CANCEL: 87}, only_in_c=FLAGS)
def nothing_happens_with_unknown_bits(u):
    u.remember("Z:")
    with u.unchanged():
        for name in ("Z:", u.server.unc(), "Q:", None):
            for flags in (2, 4, 0x40, 0x80000000, 0x80000001, 0xFFFFFFFF):
                assert u.cancel(name, flags) == 87
                assert u.cancel(name, flags, 1) == 87
    u.works()


@case("the device is still connecting", {CANCEL: 0, ADD: 1223})
def the_attempt_ends(u):
    for flags, force in ((0, 0), (UPDATE_PROFILE, 0), (0, 1)):
        u.wnet.list()
        u.server.freeze()
        try:
            answer = u.start_add("Z:", u.server.unc(), UPDATE_PROFILE)
            u.wnet.wait_state("Z:", "connecting")
            assert u.cancel("Z:", flags, force) == 0
            assert answer() == 1223
        finally:
            u.server.thaw()
        assert u.wnet.list() == [] and u.connected() == [] and u.rows() == []


def not_connected(u, *names):
    u.remember("Z:")
    with u.unchanged():
        for name in names:
            for flags in BOTH:
                for force in (0, 1):
                    assert u.cancel(name, flags, force) == 2250, (name, flags, force)
    u.works()


NEITHER = "neither redirected nor remembered; unknown, empty, NULL or malformed name; a plain local directory"


@case(NEITHER, {CANCEL: 2250})
def an_unknown_name(u):
    not_connected(u, "Q:", "LPT3", "lpt3:", u.server.unc("readonly"), "\\\\nowhere\\share", u.server.unc() + "\\dir")


@case(NEITHER, {CANCEL: 2250})
def an_empty_name(u):
    not_connected(u, "")


@case(NEITHER, {CANCEL: 2250}, only_in_c=POINTERS)
def null_for_a_name(u):
    not_connected(u, None)


@case(NEITHER, {CANCEL: 2250})
def a_malformed_name(u):
    not_connected(u, "Z", "ZZ:", "1:", ":", "LPT0", "LPT10", "Z:\\", "Z: ", " Z:", "*", "\\\\", "\\\\server", "//server/../x", "smb:", "Z:" * 30_000)


@case(NEITHER, {CANCEL: 2250}, only_in_c="the tool gets no half characters from a terminal")
def a_name_that_is_no_text(u):
    not_connected(u, u.lib.bad_text + ":", u.server.unc() + u.lib.bad_text)


@case(NEITHER, {CANCEL: 2250})
def a_plain_local_directory(u):
    u.wnet.list()
    not_connected(u, str(u.wnet.home), "/tmp", str(u.folder("Z:")), ".")
    assert u.wnet.home.is_dir()


IN_USE = "open files, open directory handles, live memory maps"


def refused(u, code, *names):
    """Nothing changes: mount, handles, row all as before, and new opens still work."""
    with u.unchanged():
        for name in names or ("Z:",):
            for flags in BOTH:
                assert u.cancel(name, flags) == code, (name, flags)
    u.works()


@case(IN_USE, {CANCEL: 2401})
def an_open_file(u):
    u.remember("Z:")
    with open(u.folder() / "f", "w+b", buffering=0) as f:
        f.write(b"before ")
        refused(u, 2401)
        f.write(b"after")
        f.seek(0)
        assert f.read() == b"before after"
    assert (u.server.data / "f").read_bytes() == b"before after"


@case(IN_USE, {CANCEL: 2401})
def an_open_directory(u):
    u.remember("Z:")
    (u.folder() / "d").mkdir()
    fd = os.open(u.folder() / "d", os.O_RDONLY | os.O_DIRECTORY)
    try:
        refused(u, 2401)
        assert os.listdir(fd) == []
    finally:
        os.close(fd)


@case(IN_USE, {CANCEL: 2401})
def a_memory_map_whose_file_is_closed(u):
    u.remember("Z:")
    (u.server.data / "m").write_bytes(b"m" * 10_000)
    with open(u.folder() / "m", "rb") as f:
        mapped = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ)
    try:
        refused(u, 2401)
        assert mapped[5000] == ord("m")
    finally:
        mapped.close()


@case(IN_USE, {CANCEL: 2401})
def a_running_program(u):
    u.remember("Z:")
    shutil.copy(shutil.which("sleep"), u.server.data / "sleeper")
    program = u.wnet.popen([u.folder() / "sleeper", "1000"])
    wait_until(lambda: os.path.basename(os.readlink(f"/proc/{program.pid}/exe")) == "sleeper", "it runs")
    refused(u, 2401)
    assert alive(program.pid)
    program.kill()
    program.wait(LONG)


@case(IN_USE, {CANCEL: (0, 2401)})
def an_unfinished_print_job(u):
    u.remember("LPT1:", share="printer")
    with open(u.folder("LPT1"), "wb", buffering=0) as job:
        job.write(b"first ")
        with u.unchanged():
            for name in ("LPT1", "lpt1:", u.server.unc("printer")):
                for flags in BOTH:
                    assert u.cancel(name, flags) == 2401
        job.write(b"second")
    wait_until(lambda: u.wnet.files() == [], "the job is sent")
    assert u.cancel("LPT1", UPDATE_PROFILE) == 0
    assert u.connected() == [] and u.rows() == []
    assert [path.read_bytes() for path in Path(u.server.path("printed")).iterdir()] == [b"first second"]


BUSY = "busy though no handle is open"


def helper(u, code, *args, command=()):
    process = u.wnet.popen([*command, sys.executable, "-c", code + "\nprint('ready', flush=True)\nsys.stdin.read()", *args],
                           stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    line = process.stdout.readline()
    return process if line == "ready\n" else pytest.fail(process.stderr.read())


def cancel_inside(u, namespace, flags):
    if isinstance(u, ThroughTool):
        return u.cancel("Z:", flags, run=namespace.tool)
    result = json.loads(namespace.ok(u.lib.program, "cancel2", "Z:", flags, 0))
    assert result["last"] == result["code"]
    return u.saw(CANCEL, result["code"])


@case(BUSY, {CANCEL: 2404})
def a_working_directory(u):
    u.remember("Z:")
    process = helper(u, "import os, sys; os.chdir(sys.argv[1])", u.folder())
    refused(u, 2404)
    process.communicate("", timeout=LONG)


@case(BUSY, {CANCEL: 2404})
def a_root(u):
    u.remember("Z:")
    process = helper(u, "import os, sys; os.chroot(sys.argv[1]); os.stat('/')", u.folder(), command=["unshare", "--user", "--map-root-user"])
    refused(u, 2404)
    process.communicate("", timeout=LONG)


@case(BUSY, {CANCEL: 2404})
def another_file_system_mounted_on_it(u):
    """In a namespace where the user may mount."""
    inside = Namespace(u.wnet, 256)
    inside.ok(u.wnet.build / "wnet", "add", "Z:", u.server.url(), "--credentials", u.wnet.credentials(), "--persistent")
    inside.ok("mkdir", u.folder() / "d")
    inside.ok("mount", "-t", "tmpfs", "none", u.folder() / "d")
    before = inside.ok("sha256sum", u.wnet.profile)
    for flags in BOTH:
        assert cancel_inside(u, inside, flags) == 2404
    assert inside.ok("sha256sum", u.wnet.profile) == before
    assert f" {u.folder()} " in inside.ok("cat", "/proc/self/mountinfo")
    inside.ok("sh", "-c", f"echo works > {u.folder()}/probe && umount {u.folder()}/d")
    assert cancel_inside(u, inside, 0) == 0
    assert f" {u.folder()} " not in inside.ok("cat", "/proc/self/mountinfo")
    inside.ok(u.wnet.build / "wnet", "shutdown")


SEVERAL = "a remote name, several connections, one of them in use, fForce FALSE"


@case(SEVERAL, {CANCEL: 2401})
def all_or_nothing_with_an_open_file(u):
    u.connect("X:", "Y:")
    u.connect_share()
    u.remember("Z:")
    with open(u.folder("Y:") / "f", "wb", buffering=0) as f:
        refused(u, 2401, u.server.unc())
        f.write(b"works")
    assert u.connected() == ["", "X:", "Y:", "Z:"]


@case(SEVERAL, {CANCEL: 2404})
def all_or_nothing_with_a_working_directory(u):
    u.connect("X:")
    u.remember("Z:")
    process = helper(u, "import os, sys; os.chdir(sys.argv[1])", u.folder("X:"))
    with u.unchanged():
        assert u.cancel(u.server.unc()) == 2404
    process.communicate("", timeout=LONG)
    u.works("X:")


@case("fForce TRUE", {CANCEL: 0})
def open_handles_are_revoked(u):
    u.remember("Z:")
    (u.server.data / "f").write_bytes(b"x" * 1_000_000)
    process = helper(u, "import os, sys; os.chdir(sys.argv[1])", u.folder())
    with opened(u.folder() / "f", "rb") as f, opened(u.folder() / "w", "wb") as w:
        f.read(100_000)
        w.write(b"sent")
        assert u.cancel("Z:", UPDATE_PROFILE, 1) == 0
        assert u.connected() == [] and u.rows() == []
        for _ in range(2):
            assert error_name(error_of(lambda: os.pread(f.fileno(), 10, 0))) in REVOKED
            assert error_name(error_of(lambda: w.write(b"more"))) in REVOKED
            u.connect("Z:") if u.connected() == [] else None  # they stay dead when the letter is connected again
    assert (u.server.data / "w").read_bytes() == b"sent"
    process.communicate("", timeout=LONG)


@case("fForce TRUE", {CANCEL: 0})
def it_is_gone_though_the_server_does_not_answer(u):
    u.wnet.expect_log("smb|worker|server|connection|time")
    u.connect("Z:")
    (u.server.data / "f").write_bytes(b"x" * 1_000_000)
    u.server.freeze()
    try:
        reader = u.wnet.popen(["cat", u.folder() / "f"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        assert u.cancel("Z:", 0, 1) == 0
        assert u.connected() == []
        assert reader.wait(LONG) != 0
    finally:
        u.server.thaw()


@case("fForce TRUE", {CANCEL: 0}, only_in_c="the tool has one --force")
def every_value_but_zero_is_true(u):
    for force in (1, 2, 256, -1, -2147483648):
        u.connect("Z:")
        with opened(u.folder() / "f", "wb"):
            assert u.cancel("Z:", 0, force) == 0
            assert u.connected() == []


UNOPENABLE = "CONNECT_UPDATE_PROFILE on a persistent device, profile cannot be opened"
NO_PROFILE = "the same, but the file is not a profile"


def with_trouble(u, name, check):
    u.wnet.expect_log("profile")
    u.remember("Z:")
    before = u.rows()
    put_right = TROUBLE[name][0](u.wnet)
    try:
        with open(u.folder() / "held", "wb", buffering=0) as held, u.unchanged():
            check(TROUBLE[name][1])
            held.write(b"x")
        u.works()
    finally:
        put_right()
    assert u.rows() == before


def trouble(row, name, code):
    def body(u):
        def check(expected):
            assert expected == code
            for force in (0, 1):
                assert u.cancel("Z:", UPDATE_PROFILE, force) == code  # before the open file is

        with_trouble(u, name, check)

    body.__name__ = f"profile_{name}".replace(" ", "_").replace("-", "_")
    case(row, {CANCEL: code})(body)


for what in ("no rights", "locked by a writer", "a directory", "read-only"):
    trouble(UNOPENABLE, what, 1205)
for what in ("garbage", "zero bytes", "another schema", "a newer version"):
    trouble(NO_PROFILE, what, 1206)


@case(UNOPENABLE, {CANCEL: 1205})
def profile_on_a_full_disk(u):
    u.wnet.expect_log("profile|disk|full|SQL")
    inside = Namespace(u.wnet, 256)
    inside.ok(u.wnet.build / "wnet", "add", "Z:", u.server.url(), "--credentials", u.wnet.credentials(), "--persistent")
    inside.fill(0)
    assert cancel_inside(u, inside, UPDATE_PROFILE) == 1205
    assert f" {u.folder()} " in inside.ok("cat", "/proc/self/mountinfo")
    inside.ok("sh", "-c", f"echo works > {u.folder()}/probe")
    assert inside.ok("sqlite3", "-readonly", u.wnet.profile, "SELECT device FROM device") == "Z:\n"
    inside.ok("rm", u.wnet.profile.with_name("filler"))
    inside.ok(u.wnet.build / "wnet", "shutdown")


def never_read(u, name):
    """The file is no profile, or cannot be opened, and nobody minds."""
    u.wnet.expect_log("profile")
    u.remember("Y:", "Z:")
    u.connect("X:")
    put_right = TROUBLE[name][0](u.wnet)
    try:
        assert u.cancel("X:", UPDATE_PROFILE) == 0  # not persistent, which the daemon knows
        assert u.cancel("Z:") == 0
        assert u.cancel(u.server.unc(), UPDATE_PROFILE) == 0
        assert u.connected() == []
    finally:
        put_right()
    assert u.rows() == ["Y:", "Z:"]


@case("the same two, but flags 0, a remote name", {CANCEL: 0})
def a_profile_that_cannot_be_opened_is_not_read(u):
    never_read(u, "a directory")


@case("the same two, but flags 0, a remote name", {CANCEL: 0})
def a_file_that_is_no_profile_is_not_read(u):
    never_read(u, "garbage")


@case("an internal failure on the way", {CANCEL: 1208})
def the_unmounting_program_fails(u):
    u.wnet.expect_log("fusermount3|unmount")
    tools = u.wnet.home / "tools"
    tools.mkdir()
    broken, real = tools / "fusermount3", shutil.which("fusermount3")
    broken.symlink_to(real)
    u.wnet.env["PATH"] = f"{tools}:{u.wnet.env['PATH']}"
    u.remember("Z:")
    broken.unlink()
    broken.write_text("#!/bin/sh\necho it does not want to >&2\nexit 3\n")
    broken.chmod(0o755)
    assert u.cancel("Z:") == 1208
    assert "it does not want to" in u.text
    if isinstance(u, ThroughLibrary):
        error = u.lib.calls(["cancel2", "Z:", 0, 0], ["error", 600, 16])[1]
        assert error["error"] == 1208 and error["provider"] == "wnet" and error["text"].endswith("(unmount)")
    assert u.wnet.mount("Z:") and u.rows() == ["Z:"]
    u.works()
    broken.unlink()
    broken.symlink_to(real)
    assert u.cancel("Z:") == 0 and u.connected() == []


@case("A refusal is never spurious", {CANCEL: 0})
def a_file_closed_before_the_call_does_not_count(u):
    (u.server.data / "f").write_bytes(os.urandom(1 << 20))
    for _ in range(10):
        u.connect("Z:")
        assert len((u.folder() / "f").read_bytes()) == 1 << 20
        os.listdir(u.folder())
        assert u.cancel("Z:") == 0


@case("An answer 0 is never early", {CANCEL: 0})
def with_the_answer_the_mount_is_gone(u):
    for force in (0, 1, 0, 1):
        u.connect("Z:")
        workers = u.wnet.workers()
        assert u.cancel("Z:", 0, force) == 0
        assert u.wnet.mount("Z:") is None
        wait_until(lambda: not any(map(alive, workers)), "its workers end")  # noqa: B023


@case("A race with an open ends one way or the other", {CANCEL: (0,)})
def a_race_with_an_open(u):
    (u.server.data / "f").write_text("x")
    answers = set()
    for _ in range(8):
        u.connect("Z:")
        path, results, begun = u.folder() / "f", [], threading.Event()

        def opens(path=path, results=results, begun=begun):
            begun.set()
            while not results:
                try:
                    with open(path, "rb", buffering=0) as f:
                        results.append(f.read() == b"x") if results == ["stop"] else f.read()
                except OSError as e:
                    results.append(error_name(e.errno))

        opener = threading.Thread(target=opens)
        opener.start()
        begun.wait(LONG)
        code = u.cancel("Z:")
        answers.add(code)
        if code != 0:
            assert code == 2401 and results == []  # every open so far worked
            results.append("stop")
        opener.join(LONG)
        assert code or results[0] in (*REVOKED, "ENOENT", "EACCES"), results
        if code:
            assert u.cancel("Z:") == 0
    assert answers <= {0, 2401}


@case("A device cancelled with flags 0 stays unavailable", {CANCEL: 0, RESTORE: 0})
def nothing_reconnects_it(u):
    u.remember("Z:")
    assert u.cancel("Z:") == 0
    for _ in range(8):
        error_of(lambda: os.listdir(u.folder()))
        error_of(lambda: os.stat(u.folder() / "f"))
        time.sleep(0.25)
    u.connect("Y:")
    u.wnet.ok("cancel", "Y:")
    assert u.connected() == [] and u.wnet.entry()["state"] == "unavailable" and u.wnet.entry()["next_retry"] in (0, None)
    assert u.restore("Z:") == 0
    u.works()


@case("WNetCancelConnection(lpName, fForce) is", {"WNetCancelConnection": (0, 2250, 2401)}, only_in_c="the tool has no older call")
def the_old_call_forgets(u):
    def old(name, force):
        return u.call("WNetCancelConnection", "cancel", name, force)["code"]

    u.remember("Z:")
    with open(u.folder() / "f", "wb"):
        assert old("Z:", 0) == 2401 and u.rows() == ["Z:"]
    assert old("Z:", 0) == 0
    assert u.rows() == [] and u.connected() == []
    u.remember_only("Z:")
    assert old("Z:", 0) == 0 and u.rows() == []
    assert old("Z:", 0) == 2250 and old(None, 1) == 2250 and old("", 0) == 2250
    u.remember("Z:")
    with opened(u.folder() / "f", "wb"):
        assert old("Z:", 1) == 0
    assert u.rows() == [] and u.connected() == []
