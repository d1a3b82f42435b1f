# SPDX-License-Identifier: GPL-3.0-or-later
"""A printer port: what is written to its file is printed, once and whole, or somebody is told that it is not."""

import errno
import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from harness import ALICE, LONG, PASSWORD, alive, error_name, error_of, opened, wait_until
from proxy import Proxy

PRINTERS = {
    "printer": {"path": "spool", "printed": "printed", "comment": "the one upstairs"},
    "hidden": {"path": "spool2", "printed": "printed2", "browseable": "no"},
}


@pytest.fixture
def server(make_server):
    server = make_server(more_shares=PRINTERS)
    server.printed = Path(server.path("printed"))
    return server


@pytest.fixture
def port(wnet, server):
    """The file of a port LPT1 that is connected to the server's printer."""
    wnet.add("LPT1:", server.url("printer"))
    return wnet.folder("LPT1:")


def jobs(server):
    """What was printed, oldest first."""
    files = sorted(server.printed.iterdir(), key=lambda path: path.stat().st_mtime_ns)
    return [path.read_bytes() for path in files]


def wait_jobs(server, *expected):
    wait_until(lambda: len(jobs(server)) >= len(expected), f"{len(expected)} jobs are printed")
    assert jobs(server) == list(expected)


def cancel(wnet, device="LPT1:"):
    """When what was printed is on its way no more."""
    wait_until(lambda: wnet.files() == [], "all jobs are sent")
    wnet.ok("cancel", device)


def spooled(wnet):
    return sorted(path.name for path in (wnet.state_home / "wnet" / "spool").rglob("*.*") if path.is_file())


def shell(wnet, command, **kwargs):
    result = wnet.program("sh", "-c", command, **kwargs)
    assert result.code == 0, repr(result)
    return result


HOLD_JOB = """
import os, sys
fd = os.open(sys.argv[1], os.O_WRONLY)
os.write(fd, sys.argv[2].encode())
print('ready', flush=True)
sys.stdin.readline()
os.close(fd)
"""


def holding(wnet, port, text):
    """A program that has written text to the port and keeps it open until it reads a line."""
    process = wnet.popen([sys.executable, "-c", HOLD_JOB, str(port), text], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout.readline() == "ready\n"
    return process


def end(process):
    process.stdin.close()
    return process.wait(LONG)


# printing


def test_a_port_is_a_file_that_can_only_be_written(port, wnet, server):
    assert wnet.mount("LPT1") == (str(port), "fuse.wnet", server.url("printer"))
    (entry,) = wnet.list()
    assert entry["device"] == "LPT1" and entry["remote"] == server.unc("printer") and entry["state"] == "ok"
    assert entry["folder"] == str(port)
    st = port.stat()
    assert stat.S_ISREG(st.st_mode) and stat.S_IMODE(st.st_mode) == 0o200 and st.st_size == 0
    assert error_of(lambda: open(port, "rb")) == errno.EACCES
    assert error_of(lambda: open(port, "r+b")) == errno.EACCES
    assert server.unc("printer") in wnet.ok("get", "lpt1").out
    cancel(wnet)
    assert wnet.list() == [] and not port.exists() and wnet.mount("LPT1") is None
    assert jobs(server) == [] and list(server.data.iterdir()) == []


@pytest.mark.parametrize("name", ["LPT1", "lpt1", "LPT1:", "lpt1:"])
def test_a_ports_name_has_no_case_and_may_have_a_colon(wnet, server, name):
    wnet.add(name, server.url("printer"))
    assert wnet.entry("LPT1") and wnet.mount("LPT1")
    wnet.add_fails(85, "LPT1", server.url("printer"))
    wnet.ok("cancel", name)
    assert wnet.list() == []


def test_cat_prints_exactly_those_bytes(port, wnet, server):
    report = os.urandom(300_000)
    (wnet.home / "report.ps").write_bytes(report)
    shell(wnet, f"cat report.ps > {port}")
    wait_jobs(server, report)
    cancel(wnet)
    assert jobs(server) == [report] and spooled(wnet) == []


@pytest.mark.parametrize("command", ["cp report.ps {port}", "cat report.ps >> {port}", "dd if=report.ps of={port} bs=1000 status=none",
                                     "dd if=report.ps of={port} bs=7k conv=fsync,notrunc status=none", "cp -p report.ps {port}",
                                     "tee {port} < report.ps > copy", "(head -c 1000; cat) < report.ps > {port}",
                                     "cat report.ps 2>&1 >| {port}", "exec 3> {port}; cat report.ps >&3; sync {port}; exec 3>&-"])
def test_ordinary_programs_print_one_job(port, wnet, server, command):
    report = os.urandom(100_001)
    (wnet.home / "report.ps").write_bytes(report)
    shell(wnet, command.format(port=port))
    wait_jobs(server, report)
    cancel(wnet)
    assert jobs(server) == [report]


def test_one_job_for_each_open_write_close(port, wnet, server):
    for number in range(5):
        port.write_bytes(b"job %d" % number)
    wait_jobs(server, *(b"job %d" % number for number in range(5)))


def test_a_job_ends_with_its_last_descriptor(port, wnet, server):
    # each program of the shell's list closes its copy (a flush), and prints nothing by that
    shell(wnet, f"(printf one; sh -c 'printf two'; printf three) > {port}")
    wait_jobs(server, b"onetwothree")


def test_writes_to_the_end_and_elsewhere(port, server):
    with open(port, "wb", buffering=0) as f:
        f.write(b"header....")
        f.seek(0, os.SEEK_END)
        assert f.tell() == 10
        f.write(b" trailer")
        os.pwrite(f.fileno(), b"HEADER", 0)
        f.truncate(15)
    wait_jobs(server, b"HEADER.... trai")


def test_two_jobs_at_once_do_not_mix(port, wnet, server):
    with open(port, "ab", buffering=0) as first, open(port, "ab", buffering=0) as second:
        for _ in range(100):
            first.write(b"first ")
            second.write(b"and second ")
        assert len(wnet.files()) == 2
    wait_until(lambda: len(jobs(server)) == 2, "both are printed")
    assert sorted(jobs(server)) == [b"and second " * 100, b"first " * 100]


def test_jobs_of_many_programs_at_once(port, wnet, server):
    expected = [b"%d " % number * 10_000 for number in range(20)]
    threads = [threading.Thread(target=port.write_bytes, args=(data,)) for data in expected]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wait_until(lambda: len(jobs(server)) == 20, "all are printed")
    assert sorted(jobs(server)) == sorted(expected)
    cancel(wnet)


def test_a_large_job(port, wnet, server):
    data = os.urandom(20 << 20)
    port.write_bytes(data)
    wait_until(lambda: jobs(server) == [data], "it is printed")
    cancel(wnet)
    assert jobs(server) == [data]


def test_an_empty_job_is_none(port, wnet, server):
    port.write_bytes(b"")
    shell(wnet, f": > {port}; touch {port}; truncate -s 0 {port}")
    port.write_bytes(b"and one")
    wait_jobs(server, b"and one")
    cancel(wnet)
    assert jobs(server) == [b"and one"] and spooled(wnet) == []


def test_a_printer_that_is_not_listed(wnet, server):
    wnet.add("LPT2", server.url("hidden"))
    wnet.folder("LPT2").write_bytes(b"x" * 1000)
    printed = Path(server.path("printed2"))
    wait_until(lambda: [p.read_bytes() for p in printed.iterdir()] == [b"x" * 1000], "it is printed")
    wnet.add_fails(66, "Z:", server.url("hidden"))


def test_two_ports_on_one_printer(port, wnet, server):
    wnet.add("LPT9", server.url("PRINTER"))
    port.write_bytes(b"from LPT1")
    wait_jobs(server, b"from LPT1")
    cancel(wnet, "LPT1")
    wnet.folder("LPT9").write_bytes(b"from LPT9")
    wait_jobs(server, b"from LPT1", b"from LPT9")
    cancel(wnet, "LPT9")


def test_a_job_that_cannot_be_written_whole_is_told_and_not_printed(wnet, server):
    # No file system can be filled here, so the daemon's own limit stands for it (it has to be larger than its shared memory).
    shell(wnet, "ulimit -f 180000; wnet list")
    wnet.add("LPT1", server.url("printer"))
    port = wnet.folder("LPT1")
    result = wnet.program("dd", "if=/dev/zero", f"of={port}", "bs=1M", "count=100")
    assert result.code == 1 and "File too large" in result.err, repr(result)
    with open(port, "wb", buffering=0) as f:
        f.write(b"it goes on ")
        assert error_of(lambda: os.pwrite(f.fileno(), b"far", 1 << 30)) == errno.EFBIG
        os.pwrite(f.fileno(), b"elsewhere", 11)
    wait_jobs(server, b"it goes on elsewhere")
    cancel(wnet)
    assert jobs(server) == [b"it goes on elsewhere"] and spooled(wnet) == []


# 66


def test_devices_and_resources_of_the_other_kind(wnet, server):
    wnet.add_fails(66, "LPT1", server.url())
    wnet.add_fails(66, "LPT1", server.url("readonly"))
    wnet.add_fails(66, "Z:", server.url("printer"))
    wnet.add_fails(66, "*", server.url("printer"))
    wnet.add_fails(67, "LPT1", server.url("nothing"))
    wnet.add_fails(5, "LPT1", server.url("denied"))
    wnet.add_fails((86, 1326), "LPT1", server.url("printer"), password="wrong")
    wnet.add_fails(67, "LPT1", server.url("printer") + "/folder")
    assert wnet.list() == [] and wnet.rows() == {}
    assert list(wnet.drives.iterdir()) == []
    assert list(server.data.iterdir()) == [] and jobs(server) == []


# disconnecting


def test_an_open_job_refuses_and_its_holder_is_named(port, wnet, server):
    holder = holding(wnet, port, "half a page")

    result = wnet.fails(2401, "cancel", "LPT1:")
    assert str(holder.pid) in result.err and "python" in result.err and "LPT1/" not in result.err
    assert "UNSENT" in result.err and "11 bytes" in result.err
    outcome = wnet.run("cancel", "lpt1", "--json").json
    (told,) = outcome["holders"]
    assert told["pid"] == holder.pid and told["device"] == "LPT1" and told["kind"] == "open" and told["mode"] == "w"
    assert told["unsent_bytes"] == 11
    (file,) = wnet.files("LPT1")
    assert file["pid"] == holder.pid and file["kind"] == "file" and file["written_bytes"] == 11
    assert wnet.ok("files", "LPT1").out.splitlines()[1].split()[-1] == "-", "there is no path on a port"
    assert wnet.entry("LPT1")["state"] == "ok" and wnet.mount("LPT1")

    assert end(holder) == 0
    wait_jobs(server, b"half a page")
    cancel(wnet)


def test_a_job_being_sent_refuses(port, wnet, server):
    server.freeze()
    writer = wnet.popen(["sh", "-c", f"printf 'a page' > {port}; sleep 1000"])
    wait_until(lambda: [f["kind"] for f in wnet.files()] == ["job"], "the job is on its way")

    refused = wnet.fails(2401, "cancel", "LPT1")
    assert refused.text.startswith("LPT1 ")
    assert "wnet cancel LPT1 --force  does not wait: print jobs are dropped" in refused.err and "open files" not in refused.err
    (told,) = wnet.run("cancel", "LPT1", "--json").json["holders"]
    assert told["kind"] == "job" and told["pid"] == writer.pid and told["unsent_bytes"] == 6 and told["path"] == "/"

    server.thaw()
    wait_jobs(server, b"a page")
    cancel(wnet)


def test_a_job_is_the_programs_that_a_shell_has_become(port, wnet, server):
    (wnet.home / "page").write_text("a page")
    server.freeze()
    printing = wnet.popen(["bash", "-c", f"exec cat page > {port}"])
    printing.wait(LONG)
    wait_until(lambda: [f["kind"] for f in wnet.files()] == ["job"], "the job is on its way")
    assert [(f["pid"], f["program"]) for f in wnet.files()] == [(printing.pid, "cat")]
    server.thaw()
    wait_jobs(server, b"a page")
    cancel(wnet)


def test_forced_an_open_job_is_dropped_and_told(port, wnet, server):
    with opened(port, "wb") as f:
        f.write(b"x" * 12345)
        result = wnet.run("cancel", "LPT1", "--force")
        assert result.code == 0 and "LPT1" in result.err and "12345" in result.err and "job" in result.err
        assert error_name(error_of(lambda: f.write(b"more"))) in ("EIO", "ENOTCONN", "ECONNABORTED", "ENODEV")
    assert wnet.list() == [] and not port.exists() and spooled(wnet) == []
    server.stop()
    assert jobs(server) == []


def test_forced_a_job_that_waits_is_dropped_and_told(port, wnet, server):
    server.freeze()
    port.write_bytes(b"x" * 1000)
    port.write_bytes(b"y" * 2000)
    wait_until(lambda: [f["kind"] for f in wnet.files()] == ["job", "job"], "both wait")
    result = wnet.run("cancel", "LPT1", "--force", "--json")
    assert result.code == 0
    assert [(lost["device"], lost["bytes"]) for lost in result.json["lost"]] == [("LPT1", 1000), ("LPT1", 2000)]
    assert wnet.list() == [] and spooled(wnet) == []
    server.thaw()
    # dropped is dropped: a new connection prints nothing of it
    wnet.add("LPT1", server.url("printer"))
    port.write_bytes(b"new")
    wait_jobs(server, b"new")
    cancel(wnet)
    assert jobs(server) == [b"new"]


def test_a_job_closed_just_before_is_not_cut(port, wnet, server):
    for number in range(10):
        port.write_bytes(b"%d" % number * 100_000)
        result = wnet.run("cancel", "LPT1")
        if result.code == 0:
            wnet.add("LPT1", server.url("printer"))
    wait_jobs(server, *(b"%d" % number * 100_000 for number in range(10)))


# remembering, trouble


def test_a_remembered_port(wnet, server):
    credentials = wnet.credentials()
    wnet.ok("add", "LPT3:", server.url("printer"), "--credentials", credentials, "--persistent")
    assert wnet.rows()["LPT3"]["type"] == 2
    wnet.ok("cancel", "LPT3")
    port = wnet.folder("LPT3")
    assert wnet.entry("LPT3")["state"] == "unavailable"
    assert port.read_bytes() == b"" and stat.S_IMODE(port.stat().st_mode) == 0o400
    assert error_of(lambda: open(port, "wb")) == errno.EACCES
    wnet.ok("restore", "LPT3")
    wnet.ok("shutdown")
    wait_until(lambda: not wnet.daemons(), "the daemon is gone")
    wnet.list()
    wnet.wait_state("LPT3", "ok")
    port.write_bytes(b"after the restart")
    wait_jobs(server, b"after the restart")
    wait_until(lambda: wnet.files() == [], "all jobs are sent")
    wnet.ok("cancel", "LPT3", "--forget")
    assert wnet.rows() == {} and not port.exists()


def test_what_is_in_the_way_stays(wnet, server):
    wnet.drives.mkdir()
    (wnet.drives / "LPT1").write_text("somebody's file")
    (wnet.drives / "LPT2").mkdir()
    (wnet.drives / "LPT3").symlink_to("LPT1")
    for device in ("LPT1", "LPT2", "LPT3"):
        assert "move it away" in wnet.add_fails(1208, device, server.url("printer")).text
    assert (wnet.drives / "LPT1").read_text() == "somebody's file"
    assert (wnet.drives / "LPT2").is_dir() and (wnet.drives / "LPT3").is_symlink()


def test_a_job_waits_for_its_server(port, wnet, server):
    server.stop()
    port.write_bytes(b"patience")  # the program is told that all is well, and that must become true
    assert [f["kind"] for f in wnet.files()] == ["job"]
    wnet.wait_state("LPT1", "reconnecting")
    wnet.fails(2401, "cancel", "LPT1")
    server.start()
    wait_jobs(server, b"patience")
    wnet.wait_state("LPT1", "ok")
    cancel(wnet)
    assert jobs(server) == [b"patience"]


def test_a_worker_that_dies_loses_no_job(port, wnet, server):
    server.freeze()
    port.write_bytes(b"once more")
    for pid in wnet.workers():
        os.kill(pid, signal.SIGKILL)
    server.thaw()
    wait_until(lambda: b"once more" in jobs(server), "it is printed")
    cancel(wnet)


def test_the_daemon_killed_with_jobs(wnet, server):
    wnet.add("LPT1", server.url("printer"))
    port = wnet.folder("LPT1")
    server.stop()
    port.write_bytes(b"complete")
    with opened(port, "wb") as f:
        f.write(b"incomplete")
        wnet.end_daemon()
        assert error_name(error_of(lambda: f.write(b"more"))) in ("ENOTCONN", "ECONNABORTED", "EIO")
    server.start()
    assert wnet.list() == []  # starts it again
    assert not port.exists()
    assert len(spooled(wnet)) == 1, "what was incomplete is gone"

    wnet.add("LPT1", server.url("hidden"))  # another printer gets nothing of it
    wnet.folder("LPT1").write_bytes(b"for the other")
    printed = Path(server.path("printed2"))
    wait_until(lambda: [p.read_bytes() for p in printed.iterdir()] == [b"for the other"], "it is printed")
    wait_until(lambda: wnet.files() == [], "wnetd has heard of it")
    assert jobs(server) == [] and len(spooled(wnet)) == 1

    wnet.add("LPT7", server.url("printer"))
    wait_jobs(server, b"complete")
    cancel(wnet, "LPT7")
    assert spooled(wnet) == []


def test_the_daemons_orderly_end_keeps_what_is_complete(wnet, server):
    wnet.add("LPT1", server.url("printer"))
    port = wnet.folder("LPT1")
    server.stop()
    port.write_bytes(b"complete")
    refused = wnet.fails(2401, "shutdown").err
    assert "hint: wnet shutdown --force  does not wait: print jobs that are still written to are dropped, the others are kept" in refused
    result = wnet.run("shutdown", "--force", "--json")
    assert result.code == 0 and result.json["lost"] == [], result
    waits = f"1 print job waits for {server.unc('printer')}; it is sent when a port is connected to it again"
    assert result.json["text"] == waits and result.err == f"note: {waits}\n", result
    wait_until(lambda: not wnet.daemons(), "the daemon is gone")
    assert len(spooled(wnet)) == 1
    server.start()
    wnet.add("LPT1", server.url("printer"))
    wait_jobs(server, b"complete")
    cancel(wnet)


def test_what_the_daemons_end_does_to_jobs_is_told(wnet, server):
    for device, share in (("LPT1", "printer"), ("LPT2", "hidden")):
        wnet.add(device, server.url(share))
    wnet.add("Z:", server.url())
    server.freeze()
    for device in ("LPT1", "LPT1", "LPT2"):
        wnet.folder(device).write_bytes(b"whole")
    with opened(wnet.folder("LPT2"), "wb") as f:
        f.write(b"not whole")
        result = wnet.run("shutdown", "--force")
    assert result.code == 0 and result.err == (
        "lost: a print job on LPT2 (its 9 bytes will not be printed)\n"
        f"note: 2 print jobs wait for {server.unc('printer')}; they are sent when a port is connected to it again. "
        f"1 print job waits for {server.unc('hidden')}; it is sent when a port is connected to it again\n"), repr(result)
    wait_until(lambda: not wnet.daemons(), "the daemon is gone")
    assert len(spooled(wnet)) == 3
    server.thaw()
    wnet.add("LPT1", server.url("printer"))
    wait_jobs(server, b"whole", b"whole")
    cancel(wnet)


def test_a_slow_server_holds_up_no_writer(wnet, server):
    proxy = Proxy(server.port)
    wnet.add("LPT1", proxy.share("printer"))
    port = wnet.folder("LPT1")
    proxy.hold = True
    data = os.urandom(3 << 20)
    port.write_bytes(data)
    (file,) = wnet.files()
    assert file["kind"] == "job" and file["written_bytes"] == len(data)
    wnet.fails(2401, "cancel", "LPT1")
    proxy.hold = False
    wait_until(lambda: jobs(server) == [data], "it is printed")
    cancel(wnet)
