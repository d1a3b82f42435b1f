# SPDX-License-Identifier: GPL-3.0-or-later
"""A newcomer has the sources and runs tools/try; somebody installs wnet and writes a program with libwnet."""

import os
import shutil
import stat
import subprocess
import tempfile
from pathlib import Path

import pytest

from harness import PASSWORD, TOP, mounts_below, opened, wait_until

BUILDING = 200  # seconds, less than a test may take


@pytest.fixture(scope="module")
def tree():
    """The sources as a clone has them: nothing is built."""
    with tempfile.TemporaryDirectory(prefix="s-", dir=os.environ.get("WNET_TEST_TMP", "/tmp")) as folder:
        path = Path(folder) / "wnet"
        shutil.copytree(TOP, path, ignore=shutil.ignore_patterns("build*", ".git", "__pycache__"))
        yield path


# tools/try


def try_it(wnet, tree, *args, code=0, **kwargs):
    result = wnet.program(tree / "tools" / "try", *args, timeout=BUILDING, **kwargs)
    assert result.code == code, repr(result)
    return result


def stop(wnet, tree):
    result = try_it(wnet, tree, "--stop")
    assert mounts_below(wnet.root) == []
    assert not (wnet.state_home / "wnet-try").exists()
    wait_until(lambda: wnet.daemons() == [], "the daemon has ended")
    return result


def test_the_tour(wnet, tree):
    shown = try_it(wnet, tree)
    assert shown.err == "", repr(shown)
    story = ["$ wnet add Z: //127.0.0.1:", "Z: is now connected to ", "$ ls -l ~/Drives/Z", "readme.txt", "$ cat ~/Drives/Z/readme.txt",
             "This file lies on an SMB server", "a program on the drive, run by", "written on ", "$ wnet cancel Z:",
             "(ERROR_OPEN_FILES, 2401)", "tail", "hint: ", "$ wnet cancel Z: --force", "Z: has been disconnected", "tail: ",
             "--persistent", "$ wnet shutdown", "$ wnet list", "$ cat ~/Drives/Z/note.txt", "written on ", "The drive is still there, at ~/Drives/Z", "tools/try --stop"]
    rest = shown.out
    for text in story:
        assert text in rest, f"{text!r} does not follow: {shown!r}"
        rest = rest.partition(text)[2]
    assert "warning" not in shown.out and "that should have worked" not in shown.err

    # it is left mapped, and is a real drive
    entry = wnet.entry()
    assert entry["state"] == "ok" and entry["persistent"] is True
    assert "SMB server" in (wnet.folder() / "readme.txt").read_text()
    assert wnet.rows()["Z:"]
    (wnet.folder() / "mine").write_text("x")

    again = try_it(wnet, tree)
    assert "An earlier try is still here" in again.out
    assert not (wnet.folder() / "mine").exists(), "it has begun anew"
    assert "Z: has been disconnected" in stop(wnet, tree).out
    assert wnet.rows() == {}
    assert "nothing" in try_it(wnet, tree, "--stop").out


def test_a_share_of_ones_own_is_mapped_and_not_changed(wnet, server, tree):
    (server.data / "f").write_text("mine")
    shown = try_it(wnet, tree, server.url(), "--user", "alice", "--password-stdin", input=PASSWORD + "\n")
    assert "Z: is now connected" in shown.out and PASSWORD not in shown.out + shown.err
    assert (wnet.folder() / "f").read_text() == "mine"
    with opened(wnet.folder() / "f", "rb"):
        refused = try_it(wnet, tree, "--stop", code=1)
        assert "2401" in refused.err and wnet.entry()["state"] == "ok"
    stop(wnet, tree)
    assert os.listdir(server.data) == ["f"] and (server.data / "f").read_text() == "mine"
    refused = try_it(wnet, tree, server.url("nothing"), "--user", "alice", "--password-stdin", input=PASSWORD + "\n", code=1)
    assert "67" in refused.err
    wnet.ok("shutdown")


def test_a_drive_of_ones_own_is_left_alone(wnet, server, tree):
    wnet.add("Z:", server.url())
    for args in ((), (server.url("readonly"),)):
        refused = try_it(wnet, tree, *args, code=1)
        assert "Z:" in refused.err and server.unc() in refused.err
    try_it(wnet, tree, "--stop")
    assert wnet.entry()["remote"] == server.unc() and wnet.entry()["state"] == "ok"
    assert os.listdir(server.data) == []


# meson install

PROGRAM = r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wnet/wnet.h>

static int expect(const char *what, DWORD got, DWORD expected)
{
        char text[1000], provider[100];
        DWORD error;

        printf("%s %lu\n", what, (unsigned long) got);
        if (got == expected)
                return 0;
        WNetGetLastErrorA(&error, text, sizeof text, provider, sizeof provider);
        printf("expected %lu: %s\n", (unsigned long) expected, text);
        return 1;
}

/* program REMOTE FOLDER; the password comes in on standard input */
int main(int argc, char **argv)
{
        NETRESOURCEA resource = { 0 };
        char local[] = "Z:", name[1000] = "", path[1000], password[100] = "", found[20] = "";
        DWORD length = sizeof name, error;
        FILE *file;
        int wrong = 0;

        if (argc != 3 || !fgets(password, sizeof password, stdin))
                return 2;
        password[strcspn(password, "\n")] = '\0';
        resource.dwType = RESOURCETYPE_DISK;
        resource.lpLocalName = local;
        resource.lpRemoteName = argv[1];
        wrong |= expect("not yet", WNetCancelConnection2A("Z:", 0, FALSE), ERROR_NOT_CONNECTED);
        wrong |= expect("wrong password", WNetAddConnection2A(&resource, "wrong", "alice", 0), ERROR_LOGON_FAILURE);
        wrong |= expect("the last error", GetLastError(), ERROR_LOGON_FAILURE);
        WNetGetLastErrorA(&error, name, sizeof name, path, sizeof path);
        wrong |= expect("told", error, 0xC000006D) || expect("by wnet", (DWORD) strcmp(path, "wnet"), 0);
        wrong |= expect("add", WNetAddConnection2A(&resource, password, "alice", 0), NO_ERROR);
        wrong |= expect("again", WNetAddConnection2A(&resource, password, "alice", 0), ERROR_ALREADY_ASSIGNED);
        wrong |= expect("get", WNetGetConnectionA("Z:", name, &length), NO_ERROR);
        printf("connected to %s\n", name);
        snprintf(path, sizeof path, "%s/f", argv[2]);
        file = fopen(path, "r");
        if (!file || !fgets(found, sizeof found, file))
                return 3;
        printf("read %s\n", found);
        wrong |= expect("in use", WNetCancelConnection2A("Z:", 0, FALSE), ERROR_OPEN_FILES);
        wrong |= expect("forced", WNetCancelConnection2A("Z:", 0, TRUE), NO_ERROR);
        fclose(file);
        wrong |= expect("gone", WNetGetConnectionA("Z:", name, &length), ERROR_NOT_CONNECTED);
        return wrong;
}
"""


@pytest.fixture(scope="module")
def installed(tree):
    """(prefix, folder of a staged installation of it)."""
    prefix, staged = tree.parent / "prefix", tree.parent / "staged"
    build = tree / "build-install"
    for command in (["meson", "setup", f"--prefix={prefix}", "-Dtests=false", build, tree], ["ninja", "-C", build],
                    ["meson", "install", "-C", build, "--no-rebuild", "--destdir", staged],
                    ["meson", "install", "-C", build, "--no-rebuild"]):
        result = subprocess.run([str(a) for a in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                timeout=600, check=False)
        assert result.returncode == 0, result.stdout
    return prefix, staged / str(prefix).lstrip("/")


def only(folder, pattern):
    (found,) = folder.glob(pattern)
    return found


def test_everything_is_installed_where_it_belongs(installed):
    prefix, staged = installed
    names = {str(path.relative_to(staged)) for path in staged.rglob("*") if not path.is_dir()}
    assert names == {str(path.relative_to(prefix)) for path in prefix.rglob("*") if not path.is_dir()}
    libdir = only(staged, "lib*/**/libwnet.so").parent.relative_to(staged)
    expected = {"bin/wnet", "bin/wnetd", "libexec/wnet/wnet-smb", "libexec/wnet/wnet-secret", "sbin/umount.fuse.wnet",
                "include/wnet/wnet.h", "lib/systemd/user/wnetd.service", "share/man/man1/wnet.1", "share/man/man5/wnet.conf.5",
                "share/man/man8/umount.fuse.wnet.8", "share/man/man8/wnetd.8",
                f"{libdir}/libwnet.so", f"{libdir}/libwnet.so.0", f"{libdir}/pkgconfig/wnet.pc"}
    pages = {name for name in names if name.startswith("share/man/man3/")}
    assert "share/man/man3/WNetCancelConnection2W.3" in {name.removesuffix(".gz") for name in pages}
    rest = {name.removesuffix(".gz") for name in names - pages} - expected
    assert not expected - {name.removesuffix(".gz") for name in names}, f"missing, of {sorted(names)}"
    assert len(rest) == 1 and rest.pop().startswith(f"{libdir}/libwnet.so.0."), "and nothing else"
    for program in ("bin/wnet", "bin/wnetd", "libexec/wnet/wnet-smb", "libexec/wnet/wnet-secret", "sbin/umount.fuse.wnet"):
        assert stat.S_IMODE((staged / program).stat().st_mode) & 0o7777 == 0o755, "for everybody, and with nobody's rights but theirs"
    assert os.readlink(staged / libdir / "libwnet.so.0").startswith("libwnet.so.0.")
    unit = (staged / "lib/systemd/user/wnetd.service").read_text()
    assert f"ExecStart={prefix}/bin/wnetd\n" in unit and "WantedBy=default.target" in unit


@pytest.fixture
def installed_user(make_server, make_wnet, installed):
    """A user who has the installed programs in the PATH, and nothing of a build directory."""
    prefix, _staged = installed
    user = make_wnet("u")
    user.env["PATH"] = user.env["PATH"].replace(str(user.build), str(prefix / "bin"))
    user.build = prefix / "bin"
    return user


def test_the_installed_programs_find_each_other(installed_user, server, installed):
    prefix, _staged = installed
    installed_user.add("Z:", server.url())
    (installed_user.folder() / "f").write_text("x")
    assert (server.data / "f").read_text() == "x"
    assert os.readlink(f"/proc/{installed_user.daemon()}/exe") == str(prefix / "bin" / "wnetd")
    assert {os.readlink(f"/proc/{worker}/exe") for worker in installed_user.workers()} == {str(prefix / "libexec/wnet/wnet-smb")}
    installed_user.ok("cancel", "Z:")


def test_a_c_program_with_libwnet(installed_user, server, installed):
    """It finds header and library by pkg-config, and the daemon by itself."""
    prefix, _staged = installed
    libdir = only(prefix, "lib*/**/libwnet.so").parent
    (server.data / "f").write_text("contents")
    source, program = installed_user.home / "program.c", installed_user.home / "program"
    source.write_text(PROGRAM)
    environment = {**installed_user.env, "PKG_CONFIG_PATH": str(libdir / "pkgconfig")}
    flags = installed_user.program("pkg-config", "--cflags", "--libs", "wnet", env=environment)
    assert flags.code == 0 and f"-I{prefix}/include" in flags.out.split() and "-lwnet" in flags.out.split(), repr(flags)
    for standard in ("c99", "c17"):
        compiled = installed_user.program("gcc", f"-std={standard}", "-Wall", "-Wextra", "-Wpedantic", "-Wstrict-prototypes", "-Werror",
                                          source, "-o", program, *flags.out.split(), f"-Wl,-rpath,{libdir}", env=environment)
        assert compiled.code == 0, repr(compiled)
    result = installed_user.program(program, server.unc(), installed_user.folder(), input=PASSWORD + "\n")
    assert result.code == 0, repr(result)
    assert f"connected to {server.unc()}\n" in result.out and "read contents\n" in result.out
    assert installed_user.mount() is None
    needed = installed_user.program("objdump", "-p", program)
    assert "libwnet.so.0" in needed.out, repr(needed)
    exported = installed_user.program("nm", "-D", "--defined-only", libdir / "libwnet.so")
    for line in exported.out.splitlines():
        assert line.split()[-1].startswith(("WNet", "GetLastError", "SetLastError", "LIBWNET", "WNET")), f"exported: {line}"
