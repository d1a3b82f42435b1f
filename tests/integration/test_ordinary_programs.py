# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that know nothing of wnet do their work on a drive."""

import os
import shutil
import sqlite3
import stat
import subprocess

import pytest

from harness import TOP, sh, tree, wait_until


@pytest.fixture
def sources(wnet):
    """A folder of ordinary files on the local disk."""
    target = wnet.home / "sources"
    shutil.copytree(TOP / "tests", target, ignore=shutil.ignore_patterns("__pycache__", "build*"))
    (target / "binary").write_bytes(os.urandom(2_000_000))
    (target / "empty").write_text("")
    return target


def test_cp_and_back(z, wnet, server, sources):
    sh(wnet, f"cp -r '{sources}' . && cp -r sources '{wnet.home}/back'", z)
    assert tree(server.data / "sources") == tree(sources)
    assert tree(wnet.home / "back") == tree(sources)


def test_cp_with_its_attributes(z, wnet, server, sources):
    sh(wnet, f"cp -a '{sources}' . ", z)
    assert tree(server.data / "sources") == tree(sources)
    for name in ("empty", "binary"):
        assert (z / "sources" / name).stat().st_mtime_ns // 1000 == (sources / name).stat().st_mtime_ns // 1000
    assert sh(wnet, "cp -p sources/binary copy && cmp sources/binary copy", z) == ""


def test_mv(z, wnet, server, sources):
    expected = tree(sources)
    sh(wnet, f"mv '{sources}' . && mv sources renamed && mkdir d && mv renamed d/ && mv d/renamed/empty d/renamed/EMPTIER", z)
    expected["EMPTIER"] = expected.pop("empty")
    assert tree(server.data / "d" / "renamed") == expected
    sh(wnet, f"mv d/renamed '{wnet.home}/again'", z)
    assert tree(wnet.home / "again") == expected
    assert tree(server.data) == {"d": None}


def test_rm(z, wnet, server, sources):
    sh(wnet, f"cp -r '{sources}' . && rm -r sources && mkdir -p a/b/c && touch a/b/c/f && rm -rf a", z)
    assert tree(server.data) == {}


def test_text_tools(z, wnet, server):
    out = sh(wnet, r"""
printf 'one\ntwo\nthree\n' > f
cat f | tee g
echo four >> f
sed -i s/two/2/ f
grep -rn three . | sort
wc -l < f
sort -o f f && head -1 f
find . -type f | sort
diff f f && cmp g g
touch -d '2020-02-02 02:02:02 UTC' g && stat -c %Y g
""", z)
    assert out == ("one\ntwo\nthree\n" "./f:3:three\n./g:3:three\n" "4\n" "2\n" "./f\n./g\n" "1580608922\n")
    assert (server.data / "f").read_text() == "2\nfour\none\nthree\n"


def test_dd(z, wnet, server):
    sh(wnet, "dd if=/dev/urandom of=r bs=64k count=50 status=none && dd if=r of=s bs=4k status=none && cmp r s && "
             "dd if=r of=s bs=1000 skip=7 seek=3 count=11 conv=notrunc,fsync status=none", z)
    data = (server.data / "r").read_bytes()
    expected = bytearray(data)
    expected[3000:14000] = data[7000:18000]
    assert (server.data / "s").read_bytes() == expected


def test_tar(z, wnet, server, sources):
    sh(wnet, f"tar cf x.tar -C '{wnet.home}' sources && mkdir x && tar xf x.tar -C x && tar df x.tar -C x", z)
    assert tree(server.data / "x" / "sources") == tree(sources)
    sh(wnet, f"tar czf - x | tar tzf - > '{wnet.home}/contents'", z)
    assert "x/sources/binary\n" in (wnet.home / "contents").read_text()


def test_du_and_ls(z, wnet, server):
    (server.data / "d").mkdir()
    (server.data / "d" / "f").write_bytes(b"x" * 100_000)
    out = sh(wnet, "du -s --apparent-size --block-size=1000 d/f; ls -la d | wc -l; ls -d d/*", z)
    assert out == "100\td/f\n4\nd/f\n"
    assert 90 <= int(sh(wnet, "du -s --block-size=1000 d/f", z).split()[0]) <= 1200


def test_scripts_run_from_the_drive(z, wnet, server):
    (z / "script.py").write_text("#!/usr/bin/python3\nimport helper\nprint(helper.answer)\n")
    (z / "helper.py").write_text("answer = 42\n")
    (z / "script.sh").write_text("#!/bin/sh\necho from $0\n")
    # what the umask took away when they were made is remembered while the file is known
    for name in ("script.py", "script.sh"):
        assert stat.S_IMODE((z / name).stat().st_mode) == 0o644
        (z / name).chmod(0o755)
    del wnet.env["PYTHONDONTWRITEBYTECODE"]
    assert sh(wnet, "/usr/bin/python3 script.py; ./script.py; ./script.sh", z) == "42\n42\nfrom ./script.sh\n"
    (server.data / "of-the-server.sh").write_text("#!/bin/sh\necho from $0\n")
    wait_until((z / "of-the-server.sh").exists, "it is seen")
    assert sh(wnet, "./of-the-server.sh", z) == "from ./of-the-server.sh\n"
    assert (z / "__pycache__").is_dir()


def test_compiling(z, wnet):
    if not shutil.which("gcc"):
        pytest.skip("no gcc here")
    (z / "main.c").write_text('#include <stdio.h>\nint main(void) { puts("compiled on the drive"); return 0; }\n')
    assert sh(wnet, "gcc -c main.c -o main.o && gcc main.o -o main && ./main", z) == "compiled on the drive\n"


def test_git(z, wnet, sources):
    if not shutil.which("git"):
        pytest.skip("no git here")
    out = sh(wnet, f"""
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
git init -q -b main repo && cd repo
git config user.name Alice && git config user.email alice@example.org
cp -r '{sources}' .
git add . && git commit -q -m first
echo change >> sources/empty
git commit -q -am second
git checkout -q -b branch HEAD~1 2>&1 && git checkout -q main 2>&1
git gc -q
git fsck --strict 2>&1
git status --porcelain
git clone -q . '{wnet.home}/clone' 2>&1
git log --format=%s
""", z)
    assert out == "second\nfirst\n"
    assert (wnet.home / "clone" / "sources" / "empty").read_text() == "change\n"


def test_sqlite_of_one_program(z, server):
    """Byte-range locks between machines are not promised yet; one program alone must not lose anything."""
    db = sqlite3.connect(z / "data.db")
    db.execute("CREATE TABLE t (number INTEGER, text TEXT)")
    with db:
        db.executemany("INSERT INTO t VALUES (?, ?)", ((n, "x" * (n % 300)) for n in range(3000)))
    with db:
        db.execute("DELETE FROM t WHERE number % 3 = 0")
    assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    db.close()
    copy = sqlite3.connect(server.data / "data.db")
    assert copy.execute("SELECT count(*) FROM t").fetchone() == (2000,)
    assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    copy.close()


def test_many_programs_at_once(z, wnet, server):
    script = 'for i in $(seq 30); do echo "$1 $i" > "$1-$i"; cat "$1-$i" > /dev/null; mv "$1-$i" "$1-$i.done"; done'
    programs = [wnet.popen(["sh", "-euc", script, "sh", name], cwd=z, stderr=subprocess.PIPE) for name in "abcdefgh"]
    for program in programs:
        _out, err = program.communicate(timeout=180)
        assert program.returncode == 0 and err == ""
    assert len(os.listdir(server.data)) == 240
    assert (server.data / "c-17.done").read_text() == "c 17\n"
