# SPDX-License-Identifier: GPL-3.0-or-later
"""SQLite keeps its databases on a drive, in each journal mode, and finds them whole after its process was killed."""

import contextlib
import signal
import sqlite3
import subprocess

import pytest

MODES = ("delete", "truncate", "wal")

# Each transaction moves money between two accounts and notes its number: whatever is lost or half done shows in the sums.
# Says each number once it is committed. Of several who change a new database to WAL at once, SQLite refuses some without waiting,
# on any file system.
WRITER = r"""
import random, sqlite3, sys, time
path, mode, first, count = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
db = sqlite3.connect(path, isolation_level=None, timeout=60)
until = time.monotonic() + 60
while True:
    try:
        assert db.execute(f"PRAGMA journal_mode = {mode}").fetchone() == (mode,)
        break
    except sqlite3.OperationalError as e:
        if str(e) != "database is locked" or time.monotonic() > until:
            raise
        time.sleep(0.01)
db.execute("PRAGMA synchronous = FULL")
db.execute("CREATE TABLE IF NOT EXISTS account (id INTEGER PRIMARY KEY, balance INTEGER, padding TEXT)")
db.execute("CREATE TABLE IF NOT EXISTS done (number INTEGER PRIMARY KEY)")
db.execute("BEGIN IMMEDIATE")
if db.execute("SELECT count(*) FROM account").fetchone() == (0,):
    db.executemany("INSERT INTO account VALUES (?, 100, ?)", ((n, "x" * 500) for n in range(200)))
db.execute("COMMIT")
for number in range(first, first + count):
    a, b = random.sample(range(200), 2)
    db.execute("BEGIN IMMEDIATE")
    db.execute("UPDATE account SET balance = balance - 7 WHERE id = ?", (a,))
    db.execute("UPDATE account SET balance = balance + 7 WHERE id = ?", (b,))
    db.execute("INSERT INTO done VALUES (?)", (number,))
    db.execute("COMMIT")
    print(number, flush=True)
"""

# Stops in a transaction of which a part is already in the database's file, for there is no room for it elsewhere.
SPILLER = r"""
import sqlite3, sys, time
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("PRAGMA cache_size = 5")
db.execute("BEGIN IMMEDIATE")
db.execute("UPDATE account SET balance = 0, padding = ?", ("y" * 500,))
db.execute("DELETE FROM done")
print("in the middle", flush=True)
time.sleep(600)
"""


@contextlib.contextmanager
def connected(path):
    with contextlib.closing(sqlite3.connect(path, isolation_level=None, timeout=60)) as db:
        yield db


def check(path):
    """The database is whole; returns the numbers of the transactions that it has."""
    with connected(path) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert db.execute("SELECT count(*), sum(balance), sum(length(padding)) FROM account").fetchone() == (200, 20_000, 100_000)
        return {number for number, in db.execute("SELECT number FROM done")}


def start(wnet, folder, script, *args):
    return wnet.popen(["/usr/bin/python3", "-c", script, folder / "data.db", *args], stdout=subprocess.PIPE)


def finish(process):
    out, _err = process.communicate(timeout=900)
    assert process.returncode == 0
    return [int(line) for line in out.split()]


def kill(process):
    process.send_signal(signal.SIGKILL)
    out, _err = process.communicate(timeout=60)
    return {int(line) for line in out.splitlines(keepends=True) if line.endswith("\n")}


def left_beside(folder):
    """What is beside the database; nothing may be, when nobody has it open."""
    return sorted(path.name for path in folder.iterdir() if path.is_file() and path.name != "data.db" and path.stat().st_size > 0)


@pytest.mark.parametrize("mode", MODES)
def test_transactions(z, wnet, server, long, mode):
    count = 10_000 if long else 300
    assert finish(start(wnet, z, WRITER, mode, "0", count)) == list(range(count))
    # first in the server's folder, right after the last commit: nothing waits on this machine
    assert check(server.data / "data.db") == set(range(count))
    assert check(z / "data.db") == set(range(count))
    assert left_beside(server.data) == []


@pytest.mark.parametrize("mode", MODES)
def test_four_processes(z, wnet, server, long, mode):
    count = 500 if long else 25
    processes = [start(wnet, z, WRITER, mode, n * count, count) for n in range(4)]
    for n, process in enumerate(processes):
        assert finish(process) == list(range(n * count, (n + 1) * count))
    assert check(z / "data.db") == check(server.data / "data.db") == set(range(4 * count))


@pytest.mark.parametrize("mode", MODES)
def test_killed_between_two_words(z, wnet, server, long, mode):
    """Killed at any moment: what was said to be committed is there, and nothing half done."""
    committed, first = set(), 0
    for _ in range(30 if long else 3):
        process = start(wnet, z, WRITER, mode, first, 100_000)
        said = {int(process.stdout.readline()) for _ in range(10)}
        committed |= said | kill(process)
        found = check(z / "data.db")
        assert found >= committed
        committed, first = found, max(found) + 1
    assert check(server.data / "data.db") == committed == set(range(first))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("where", ("drive", "server"))
def test_killed_in_a_transaction(z, wnet, server, mode, where):
    """A part of the transaction has reached the file; the next one who opens it, wherever, undoes it."""
    finish(start(wnet, z, WRITER, mode, "0", 20))
    process = start(wnet, z, SPILLER)
    assert process.stdout.readline() == "in the middle\n"
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    assert left_beside(server.data) != []
    assert check((z if where == "drive" else server.data) / "data.db") == set(range(20))
    assert check(server.data / "data.db") == check(z / "data.db") == set(range(20))
    assert finish(start(wnet, z, WRITER, mode, "20", 20)) == list(range(20, 40))
    assert check(server.data / "data.db") == set(range(40))


def test_readers_while_one_writes(z, wnet):
    """In WAL mode nobody waits: each reader sees whole transactions, and a snapshot for as long as it reads."""
    finish(start(wnet, z, WRITER, "wal", "0", 1))
    with connected(z / "data.db") as reader:
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM done").fetchone() == (1,)
        process = start(wnet, z, WRITER, "wal", "1", 60)
        for _ in range(20):
            process.stdout.readline()
            assert reader.execute("SELECT count(*), sum(balance) FROM done, account").fetchone() == (200, 20_000)
            with connected(z / "data.db") as other:
                assert other.execute("SELECT sum(balance) FROM account").fetchone() == (20_000,)
        finish(process)
        reader.execute("COMMIT")
        assert reader.execute("SELECT count(*) FROM done").fetchone() == (61,)


def test_vacuum_and_backup(z, wnet, server):
    with connected(z / "data.db") as db, connected(z / "copy.db") as copy:
        db.execute("CREATE TABLE t (number INTEGER PRIMARY KEY, text TEXT)")
        db.execute("CREATE INDEX i ON t (text)")
        db.execute("BEGIN")
        db.executemany("INSERT INTO t VALUES (?, ?)", ((n, str(n) * 50) for n in range(5000)))
        db.execute("COMMIT")
        before = (server.data / "data.db").stat().st_size
        db.execute("DELETE FROM t WHERE number % 10 != 0")
        db.execute("VACUUM")
        assert (server.data / "data.db").stat().st_size < before / 5
        db.backup(copy)
    for folder in (z, server.data):
        for name in ("data.db", "copy.db"):
            with connected(folder / name) as db:
                assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
                assert db.execute("SELECT count(*) FROM t").fetchone() == (500,)
    result = wnet.program("sqlite3", z / "copy.db", "SELECT sum(number) FROM t")
    assert result.code == 0 and result.out == "1247500\n", repr(result)
