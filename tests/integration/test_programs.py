# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs with many files, builds, editors and other programs that ask much of a file system, on a drive."""

import os
import shutil
import stat
import zipfile

import pytest
from harness import TOP, sh, tree


def need(*programs):
    for program in programs:
        if not shutil.which(program):
            pytest.skip(f"no {program} here")


@pytest.fixture
def many(wnet, long):
    """Many small files on the local disk, some of them read-only, some programs; with times of their own."""
    folder = wnet.home / "many"
    for n in range(5000 if long else 400):
        path = folder / f"d{n % 20:02}" / f"sub {n % 3}" / f"file {n}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"%d\n" % n * (n % 200))
        path.chmod((0o644, 0o755, 0o600, 0o444)[n % 4])
        os.utime(path, ns=((1_500_000_000 + n) * 10**9, (1_500_000_000 + n) * 10**9 + 123_456_000))
    return folder


def attributes(folder):
    """{path below folder: mode and modification time}"""
    result = {}
    for path, _folders, files in os.walk(folder):
        for name in files:
            st = os.lstat(os.path.join(path, name))
            result[os.path.relpath(os.path.join(path, name), folder)] = oct(stat.S_IMODE(st.st_mode)), st.st_mtime_ns // 1000
    return result


def times(folder):
    return {path: mtime for path, (_mode, mtime) in attributes(folder).items()}


def test_tar_of_many_files(z, wnet, server, many):
    sh(wnet, f"tar cf in.tar --format=posix -C '{wnet.home}' many && tar xpf in.tar && tar df in.tar && tar cf out.tar --format=posix many", z)
    assert tree(server.data / "many") == tree(many)
    assert attributes(z / "many") == attributes(many)
    assert times(server.data / "many") == times(many)
    sh(wnet, f"mkdir '{wnet.home}/back' && tar xpf out.tar -C '{wnet.home}/back'", z)
    assert tree(wnet.home / "back" / "many") == tree(many)
    assert attributes(wnet.home / "back" / "many") == attributes(many)


def test_rsync_twice(z, wnet, server, many):
    need("rsync")
    first = sh(wnet, f"rsync -a --itemize-changes '{many}/' copy/", z)
    assert first.count(">f+++++++++") == len(times(many))
    assert sh(wnet, f"rsync -a --itemize-changes '{many}/' copy/", z) == ""
    assert sh(wnet, f"rsync -a --itemize-changes --checksum copy/ '{many}/'", z) == ""
    (many / "d00" / "new").write_text("new")
    (many / "d01" / "sub 0" / "file 21").write_text("changed")
    shutil.rmtree(many / "d02")
    changes = sh(wnet, f"rsync -a --delete --itemize-changes '{many}/' copy/", z).splitlines()
    assert [line for line in changes if line.startswith(">f")] == [">f+++++++++ d00/new", ">f.st...... d01/sub 0/file 21"], changes
    assert sh(wnet, f"rsync -a --delete --itemize-changes '{many}/' copy/", z) == ""
    assert tree(server.data / "copy") == tree(many)
    assert times(server.data / "copy") == times(many)


def test_cp_find_du_and_diff(z, wnet, server, many):
    sh(wnet, f"cp -a '{many}' . && cp -a many twice && diff -r '{many}' twice && diff -r many twice", z)
    assert attributes(z / "twice") == attributes(many)
    assert times(server.data / "twice") == times(many)
    query = "find {} -type f -printf '%P %s %m %T@\\n' | cut -c -40 | sort"
    assert sh(wnet, query.format("twice"), z) == sh(wnet, query.format(many), z)
    for find in ("-name 'file *7'", "-perm 444", "-type f -size +1k", "-type f -newermt 2017-07-14T02:45:00Z", "-type f -empty", "-type d"):
        assert sh(wnet, f"find twice {find} -printf '%P\\n' | sort", z) == sh(wnet, f"find '{many}' {find} -printf '%P\\n' | sort", z)
    bytes_of_files = sum(len(data) for data in tree(many).values() if data is not None)
    assert int(sh(wnet, "find twice -type f -print0 | du -bc --files0-from=- | tail -1", z).split()[0]) == bytes_of_files
    (z / "twice" / "d00" / "sub 0" / "file 0").write_text("differs")
    result = wnet.program("diff", "-rq", many, z / "twice")
    assert (result.code, result.out) == (1, f"Files {many}/d00/sub 0/file 0 and {z}/twice/d00/sub 0/file 0 differ\n")
    sh(wnet, "mkdir deep && mv twice/d0* deep/ && mv deep/d01 'twice/d01 again' && rm -rf many", z)
    assert set(os.listdir(server.data / "twice")) == {f"d{n}" for n in range(10, 20)} | {"d01 again"}
    assert tree(server.data / "twice" / "d01 again") == tree(many / "d01")
    assert not (server.data / "many").exists()


MESON_BUILD = """
project('p', 'c')
library = static_library('l', 'one.c', 'two.c')
generated = custom_target('g', output : 'three.h', command : ['sh', '-c', 'echo "#define THREE 3" > $1', 'sh', '@OUTPUT@'])
executable('p', 'main.c', generated, link_with : library)
"""
MAKEFILE = """
CFLAGS = -O1 -MMD
p: main.o one.o two.o
\tcc -o $@ $^
three.h:
\techo '#define THREE 3' > $@.tmp
\tmv $@.tmp $@
main.o: three.h
-include *.d
"""


@pytest.fixture
def project(z):
    folder = z / "project"
    folder.mkdir()
    (folder / "one.c").write_text('#include "l.h"\nint one(void) { return ONE; }\n')
    (folder / "two.c").write_text('#include "l.h"\nint two(void) { return 2; }\n')
    (folder / "l.h").write_text("#define ONE 1\nint one(void);\nint two(void);\n")
    (folder / "main.c").write_text('#include <stdio.h>\n#include "l.h"\n#include "three.h"\n'
                                   'int main(void) { printf("%d%d%d\\n", one(), two(), THREE); return 0; }\n')
    (folder / "meson.build").write_text(MESON_BUILD)
    (folder / "Makefile").write_text(MAKEFILE)
    return folder


@pytest.mark.parametrize("build, nothing, program", (
    ("make -s -j3", "make: 'p' is up to date.", "./p"),
    ("{ [ -d b ] || meson setup b; ninja -C b -j3; } > log", "ninja: no work to do.", "b/p"),
), ids=("make", "meson"))
def test_building(z, wnet, project, build, nothing, program):
    need("gcc", "make", "meson", "ninja")
    assert sh(wnet, f"{build} && {program}", project) == "123\n"
    again = build.replace("-s ", "").replace(" > log", "")
    assert nothing in sh(wnet, again, project)
    sh(wnet, "sed -i 's/ONE 1/ONE 7/' l.h", project)
    assert sh(wnet, f"{build} && {program}", project) == "723\n"
    assert nothing in sh(wnet, again, project)


def test_building_wnet_itself(z, wnet, long):
    need("gcc", "meson", "ninja")
    if not long:
        pytest.skip("takes minutes: --long")
    shutil.copytree(TOP, z / "wnet", ignore=shutil.ignore_patterns("build*", ".git", "__pycache__"), symlinks=False)
    out = wnet.program("sh", "-euc", "meson setup build && ninja -C build && build/wnet --version && ninja -C build", cwd=z / "wnet",
                       timeout=3600)
    assert out.code == 0 and out.out.endswith("ninja: no work to do.\n"), repr(out)


@pytest.mark.parametrize("options", ("backupcopy=no backup", "backupcopy=no nobackup writebackup", "backupcopy=yes backup", "backupcopy=auto"))
def test_vim(z, wnet, server, options):
    vim = shutil.which("vim.tiny") or shutil.which("vim")
    if not vim:
        pytest.skip("no vim here")
    (z / "f").write_text("one\ntwo\n")
    (z / "f").chmod(0o750)
    old = (z / "f").stat()
    result = wnet.program(vim, "-u", "NONE", "-N", "-e", "-s", "-c", f"set swapfile backupskip= {options}", "-c", "%s/two/2/", "-c", "w",
                          "-c", "normal Gothree", "-c", "w", "-c", "normal Gofour", "-c", "wq", "f", cwd=z)
    assert result.code == 0 and result.out + result.err == "", repr(result)
    assert (server.data / "f").read_text() == "one\n2\nthree\nfour\n"
    assert stat.S_IMODE((z / "f").stat().st_mode) == 0o750
    assert sorted(os.listdir(z)) == (["f", "f~"] if " backup" in options else ["f"])
    if "yes" in options:
        assert (z / "f").stat().st_ino == old.st_ino


def test_vim_recovers_after_a_crash(z, wnet, server):
    vim = shutil.which("vim.tiny") or shutil.which("vim")
    if not vim:
        pytest.skip("no vim here")
    (z / "f").write_text("one\n")
    result = wnet.program(vim, "-u", "NONE", "-N", "-e", "-s", "-c", "normal Gounsaved", "-c", "preserve", "-c", "!kill -9 $PPID", "f", cwd=z)
    assert result.code == -9, repr(result)
    assert sorted(os.listdir(server.data)) == [".f.swp", "f"]
    result = wnet.program(vim, "-u", "NONE", "-N", "-e", "-s", "-r", "f", "-c", "wq", cwd=z)
    assert (server.data / "f").read_text() == "one\nunsaved\n", repr(result)


def test_saving_in_place(z, wnet, server):
    (z / "f").write_text("one\ntwo\n")
    (z / "f").chmod(0o700)
    sh(wnet, "sed -i s/one/1/ f && sed -i.bak s/two/2/ f && perl -pi -e 's/$/!/' f", z)
    assert (server.data / "f").read_text() == "1!\n2!\n"
    assert (server.data / "f.bak").read_text() == "1\ntwo\n"
    assert stat.S_IMODE((z / "f").stat().st_mode) == 0o700
    sh(wnet, "chmod a-w f && sed -i s/1/one/ f", z)
    assert (server.data / "f").read_text() == "one!\n2!\n"
    assert sorted(os.listdir(z)) == ["f", "f.bak"]


def test_sizes(z, wnet, server):
    sh(wnet, """
truncate -s 1M f && truncate -s +5 f
dd if=/dev/urandom of=g bs=100k count=20 conv=fsync status=none
dd if=g of=h bs=4096 conv=fdatasync status=none
dd if=g of=h bs=1000 oflag=append conv=notrunc,fsync status=none
truncate -s 2048000 h && cmp g h && truncate -s 10 g && cat g g >> h
truncate -s 5G big && printf end | dd of=big bs=1 seek=5368709117 conv=notrunc,fsync status=none
tail -c 5 big | od -An -c
rm big
""", z)
    assert (server.data / "f").read_bytes() == bytes(1024 * 1024 + 5)
    h = (server.data / "h").read_bytes()
    assert (server.data / "g").read_bytes() == h[:10] and len(h) == 2_048_020 and h[-20:] == h[:10] * 2


def test_zip(z, wnet, server, many):
    files = {path: data for path, data in tree(many).items() if data is not None}
    with zipfile.ZipFile(z / "x.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in files:
            archive.write(many / path, path)
    with zipfile.ZipFile(z / "x.zip", "a") as archive:
        archive.writestr("added", "later")
    for folder in (z, server.data):
        with zipfile.ZipFile(folder / "x.zip") as archive:
            assert archive.testzip() is None
            assert {path: archive.read(path) for path in archive.namelist()} == files | {"added": b"later"}
    with zipfile.ZipFile(z / "x.zip") as archive:
        archive.extractall(z / "x")
    assert {path: data for path, data in tree(server.data / "x").items() if data is not None} == files | {"added": b"later"}


def test_a_virtual_environment(z, wnet):
    """It wants one symbolic link, lib64, and says so; where that is a directory already, it needs none."""
    result = wnet.program("/usr/bin/python3", "-m", "venv", "--copies", "--without-pip", z / "venv")
    assert result.code != 0 and "lib64" in result.err and ("not supported" in result.err or "not permitted" in result.err), repr(result)
    shutil.rmtree(z / "venv")
    (z / "venv" / "lib64").mkdir(parents=True)
    sh(wnet, "/usr/bin/python3 -m venv --copies --without-pip venv", z)
    packages = next((z / "venv" / "lib").glob("python3*")) / "site-packages"
    (packages / "mine.py").write_text("answer = 42\n")
    assert sh(wnet, ". venv/bin/activate && python -c 'import mine, sys; print(mine.answer, sys.prefix)'", z) == f"42 {z}/venv\n"


@pytest.mark.parametrize("how", ("randwrite", "write"))
def test_fio(z, wnet, server, long, how):
    """Four processes write a file each, then read back what they wrote."""
    need("fio")
    size = "256m" if long else "6m"
    result = wnet.program("fio", "--name=job", f"--rw={how}", "--bs=4k" if how == "randwrite" else "--bs=64k", f"--size={size}",
                          "--numjobs=4", "--verify=crc32c", "--verify_fatal=1", "--do_verify=1", "--verify_state_save=0", "--fsync=64", "--end_fsync=1",
                          "--ioengine=psync", "--fallocate=none", "--randseed=7", "--group_reporting", "--minimal",
                          cwd=z, timeout=1800)
    assert result.code == 0 and result.err == "", repr(result)
    assert len(os.listdir(server.data)) == 4
    for name in os.listdir(server.data):
        assert sh(wnet, f"cmp '{name}' '{server.data}/{name}'", z) == ""
