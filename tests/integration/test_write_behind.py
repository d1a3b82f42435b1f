# SPDX-License-Identifier: GPL-3.0-or-later
"""A write() is answered before the server has the data. Nobody can tell: not whoever reads, nor when something dies."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness import LONG, alive, error_name, error_of, opened, wait_until
from proxy import Proxy

BLOCK = 4096


def blocks(n, seed=0):
    return random.Random(seed).randbytes(n * BLOCK)


def write_blocks(f, data, step=BLOCK):
    for at in range(0, len(data), step):
        assert f.write(data[at : at + step]) == len(data[at : at + step])


WRITER = """
import json, os, subprocess, sys
files = {}
for line in sys.stdin:
    call, name, *args = json.loads(line)
    try:
        if call == "open":
            files[name] = os.open(name, os.O_RDWR | os.O_CREAT, 0o666)
        elif call == "open to read":
            files[name] = os.open(name, os.O_RDONLY)
        elif call == "write":
            os.pwrite(files[name], bytes.fromhex(args[0]), args[1])
        else:
            getattr(os, call)(files[name], *args) if call != "run" else subprocess.run(["true"], check=True)
        error = None
    except OSError as e:
        error = e.errno
    print(json.dumps(error), flush=True)
"""


class Writer:
    """A program that has the files open: what a process has open is flushed whenever it starts another one."""

    def __init__(self, wnet, folder):
        self.process = wnet.popen([sys.executable, "-c", WRITER], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, call, name, *args):
        self.process.stdin.write(json.dumps((call, name, *args)) + "\n")
        self.process.stdin.flush()

    def answer(self):
        return json.loads(self.process.stdout.readline())

    def do(self, call, name, *args):
        """The error's name, or None."""
        self.ask(call, name, *args)
        error = self.answer()
        return error and error_name(error)

    def write(self, name, data, at=0):
        assert self.do("write", name, data.hex(), at) is None


@pytest.fixture
def writer(wnet, z):
    return Writer(wnet, z)


def answers(wnet):
    """How often wnetd has called write() or the like: each answer to the kernel is one."""
    return int(re.search(r"syscw: (\d+)", Path(f"/proc/{wnet.daemon()}/io").read_text(encoding="ascii"))[1])


def test_a_write_is_one_question(wnet, z):
    """The kernel does not ask for capabilities before each of them."""
    with opened(z / "f", "wb") as f:
        before = answers(wnet)
        write_blocks(f, blocks(1000))
        assert 1000 <= answers(wnet) - before < 1300
        os.fstat(f.fileno())
        before = answers(wnet)
        write_blocks(f, blocks(1000))
        assert 1000 <= answers(wnet) - before < 1300


def unsent(wnet, device="Z:"):
    """{path: bytes} of what the programs were told is written and the server does not have."""
    result = wnet.run("cancel", device, "--json")
    assert result.code == 1, result
    return {holder["path"]: holder["unsent_bytes"] for holder in result.json["holders"]}


@pytest.fixture
def frozen(server):
    """frozen() stops the server until the test's end, or until thaw."""
    yield server.freeze
    server.thaw()


# what a writer sees


DIRECT = """
import mmap, os, sys
memory = mmap.mmap(-1, int(sys.argv[2]))
memory.write(os.urandom(1 << 20) * (len(memory) >> 20))
f = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT | os.O_DIRECT, 0o666)
assert os.write(f, memory) == len(memory)
"""


def test_one_write_of_more_than_there_are_slots(wnet, server, z):
    """The kernel asks for all of its parts at once, and for nothing more until one is answered."""
    size = 100 << 20
    writer = wnet.popen([sys.executable, "-c", DIRECT, "f", str(size)], cwd=z)
    assert writer.wait(timeout=60) == 0
    assert (server.data / "f").stat().st_size == size


def test_small_writes_do_not_wait_for_the_server(wnet, server, writer, frozen):
    data = blocks(100)
    assert writer.do("open", "f") is None
    frozen()
    for at in range(0, len(data), BLOCK):
        writer.write("f", data[at : at + BLOCK], at)
    assert unsent(wnet) == {"/f": len(data)}
    assert (server.data / "f").read_bytes() == b""
    server.thaw()
    assert writer.do("fsync", "f") is None
    assert (server.data / "f").read_bytes() == data
    assert unsent(wnet) == {"/f": 0}


def test_it_is_sent_without_being_asked_for(z, server):
    with opened(z / "f", "wb") as f:
        f.write(b"a line of a log\n")
        wait_until(lambda: (server.data / "f").read_bytes(), "the server has it")
        f.write(b"another\n")
        wait_until(lambda: (server.data / "f").read_bytes() == b"a line of a log\nanother\n", "the server has both")


@pytest.mark.parametrize("flag", (os.O_SYNC, os.O_DSYNC, os.O_DIRECT))
def test_who_wants_to_wait_does(z, server, flag):
    f = os.open(z / "f", os.O_WRONLY | os.O_CREAT | flag)
    try:
        for i in range(1, 4):
            os.write(f, blocks(1, i))
            assert (server.data / "f").stat().st_size == i * BLOCK
    finally:
        os.close(f)


def test_a_writer_that_is_faster_than_the_server_waits(wnet, server, writer, frozen):
    """A bounded amount lies here; the rest is the program's until there is room."""
    megabyte = [bytes([i]) * (1 << 20) for i in range(16)]
    assert writer.do("open", "f") is None
    frozen()
    for i in range(16):
        writer.ask("write", "f", megabyte[i].hex(), i << 20) if i < 5 else None
    answered = [writer.answer() for _ in range(4)]
    time.sleep(0.3)
    assert answered == [None] * 4 and unsent(wnet) == {"/f": 4 << 20}
    server.thaw()
    assert writer.answer() is None
    for i in range(5, 16):
        writer.write("f", megabyte[i], i << 20)
    assert writer.do("close", "f") is None
    assert (server.data / "f").read_bytes() == b"".join(megabyte)


# what others see


OBSERVERS = {
    "read": lambda z, f: os.pread(f.fileno(), 1 << 20, 0),
    "another opening": lambda z, f: (z / "f").read_bytes(),
    "a copy": lambda z, f: (subprocess.run(["cp", z / "f", z / "copy"], check=True), (z / "copy").read_bytes())[1],
}


@pytest.mark.parametrize("how", OBSERVERS)
def test_what_was_written_is_read(z, how):
    data = blocks(40)
    with opened(z / "f", "w+b") as f:
        for n in range(1, len(data) // BLOCK, 7):
            os.pwrite(f.fileno(), data[: n * BLOCK], 0)
            assert OBSERVERS[how](z, f) == data[: n * BLOCK]


SIZES = {
    "fstat": lambda z, f: os.fstat(f.fileno()).st_size,
    "stat": lambda z, f: os.stat(z / "f").st_size,
    "a listing": lambda z, f: [entry.stat().st_size for entry in os.scandir(z)][0],
    "the end": lambda z, f: os.lseek(f.fileno(), 0, os.SEEK_END),
    "another program": lambda z, f: int(subprocess.run(["stat", "-c", "%s", z / "f"], stdout=subprocess.PIPE, check=True).stdout),
}


@pytest.mark.parametrize("how", SIZES)
def test_what_was_written_has_its_size(z, how):
    with opened(z / "f", "wb") as f:
        for n in range(1, 30):
            f.write(bytes(n))
            assert SIZES[how](z, f) == n * (n + 1) // 2


def test_the_size_is_never_an_older_one(z):
    """The kernel would cut what it has cached of the file: what is read while it grows is never missing."""
    with opened(z / "f", "w+b") as f:
        reader = subprocess.Popen([sys.executable, "-c", """
import os, sys
last = 0
while last < 2000 * 100:
    size = os.stat(sys.argv[1]).st_size
    assert size >= last, (size, last)
    last = size
""", z / "f"])
        for _ in range(2000):
            f.write(b"x" * 100)
        assert reader.wait(LONG) == 0


def test_two_writers(z, server):
    """Each sees what the other has written, in the order in which it was written."""
    data = bytearray(64 * BLOCK)
    chance = random.Random(1)
    with opened(z / "f", "w+b") as a, opened(z / "f", "r+b") as b:
        a.write(data)
        for i in range(300):
            at, length = chance.randrange(60 * BLOCK), chance.randrange(1, 2 * BLOCK)
            piece = chance.randbytes(length)
            os.pwrite(chance.choice((a, b)).fileno(), piece, at)
            data[at : at + length] = piece
            if i % 10 == 0:
                assert os.pread(chance.choice((a, b)).fileno(), len(data) + 1, 0) == data
    assert (server.data / "f").read_bytes() == data


def test_appending_by_two_processes(wnet, z, server):
    writers = [wnet.popen(["sh", "-c", f'for i in $(seq 200); do echo "{name} $i" >> f; done'], cwd=z) for name in "ab"]
    assert [writer.wait(LONG) for writer in writers] == [0, 0]
    lines = (server.data / "f").read_text().splitlines()
    assert len(lines) == 400 and all([f"{n} {i}" for i in range(1, 201)] == [x for x in lines if x[0] == n] for n in "ab")


CHANGES = {
    "cut": lambda z, f: os.ftruncate(f.fileno(), 5000),
    "cut by name": lambda z, f: os.truncate(z / "f", 5000),
    "grown": lambda z, f: os.ftruncate(f.fileno(), 50000),
    "renamed": lambda z, f: os.rename(z / "f", z / "g"),
    "replaced": lambda z, f: ((z / "new").write_bytes(b"new"), os.rename(z / "new", z / "f")),
    "deleted": lambda z, f: os.unlink(z / "f"),
    "its folder renamed": lambda z, f: None,
    "its mode changed": lambda z, f: os.fchmod(f.fileno(), 0o400),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_file_that_is_changed_while_it_is_written(z, server, what):
    """A file of the local disk is the model."""
    model = server.data.parent / "model"
    results = []
    for folder in (z, model):
        folder.mkdir(exist_ok=True)
        (folder / "d").mkdir()
        with opened(folder / "d" / "f", "w+b") as f:
            d = folder / "d"
            write_blocks(f, blocks(5), 1000)
            if what == "its folder renamed":
                os.rename(d, folder / "e")
            else:
                CHANGES[what](d, f)
            write_blocks(f, blocks(3, 1), 1000)
            held = os.pread(f.fileno(), 1 << 20, 0)
        results.append((held, {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}))
    assert results[0] == results[1]


def test_one_map_and_write(z, server):
    """Pages of a shared map and what is written beside them come to the server in the order of the program."""
    import mmap

    with opened(z / "f", "w+b") as f:
        f.write(bytes(8 * BLOCK))
        with mmap.mmap(f.fileno(), 8 * BLOCK) as m:
            for i in range(1, 20):
                os.pwrite(f.fileno(), bytes([i]) * 100, BLOCK * (i % 8))
                m[BLOCK * (i % 8) + 50 : BLOCK * (i % 8) + 60] = b"m" * 10
                if i % 3 == 0:
                    m.flush()
            expected = m[:]
    assert (server.data / "f").read_bytes() == expected


TRUNCATE = """
import os, sys
f = os.open("f", os.O_WRONLY | os.O_TRUNC)
print("opened", flush=True)
size = 0
while size < 900_000 and not os.path.exists(sys.argv[1]):
    size += os.write(f, b"x" * 10)
"""


def test_a_size_while_it_is_written_anew(wnet, server):
    """On a line on which a look takes so long that something is always on its way."""
    line = Proxy(server.port, delay=0.01)
    (server.data / "f").write_bytes(bytes(1_000_000))
    wnet.add("Z:", line.share())
    f, stop = wnet.folder() / "f", wnet.home / "stop"
    assert f.stat().st_size == 1_000_000
    writer = wnet.popen([sys.executable, "-c", TRUNCATE, stop], cwd=wnet.folder(), stdout=subprocess.PIPE)
    assert writer.stdout.readline() == "opened\n"
    sizes = [f.stat().st_size for _ in range(30)]
    stop.touch()
    assert writer.wait(timeout=LONG) == 0
    assert sizes == sorted(sizes) and sizes[-1] < 1_000_000


# errors


@pytest.mark.parametrize("how", ("fsync", "close", "write"))
def test_an_error_is_told_once(wnet, server, how):
    wnet.configure(operation_timeout=5, connect_timeout=10)
    wnet.expect_log(r"worker|connection|server|connect|Z:")
    wnet.add("Z:", server.url())
    writer = Writer(wnet, wnet.folder())
    assert writer.do("open", "f") is None and writer.do("open", "other") is None
    server.freeze()
    writer.write("f", b"lost")
    server.kill()
    if how == "write":
        wait_until(lambda: writer.do("write", "f", b"x".hex(), 0) == "EIO", "a later write tells of it", interval=0.2)
    else:
        assert writer.do(how, "f") == "EIO"
    if how == "fsync":
        assert writer.do("fsync", "f") is None, "it is told twice"
    assert writer.do("fsync", "other") is None, "another file is told"
    server.start()
    wait_until(lambda: error_of(lambda: (wnet.folder() / "works").write_text("x")) is None, "the drive works again", timeout=2 * LONG)


def add_impatient(wnet, server):
    """Z:, of whose server nobody waits long."""
    wnet.configure(operation_timeout=2, connect_timeout=2)
    wnet.expect_log(r"worker|connection|server|connect|Z:")
    wnet.add("Z:", server.url())


@pytest.mark.parametrize("how", ("fsync", "close", "write"))
def test_an_error_is_told_to_the_writer(wnet, server, how):
    """Not only to a program that it starts meanwhile, which has the descriptor and closes it."""
    add_impatient(wnet, server)
    writer = Writer(wnet, wnet.folder())
    assert writer.do("open", "f") is None
    server.freeze()
    writer.write("f", b"lost")
    server.kill()
    for _ in range(2):
        assert writer.do("run", "f") is None
    server.start()
    wait_until(lambda: error_of(lambda: (wnet.folder() / "works").write_text("x")) is None, "the drive works again", timeout=2 * LONG)
    args = (b"x".hex(), 0) if how == "write" else ()
    assert writer.do(how, "f", *args) == "EIO"
    if how != "close":
        assert writer.do("fsync", "f") is None and writer.do("close", "f") is None, "it is told twice"
    assert "nobody has asked" not in wnet.log_text()


def test_fsync_tells_what_others_have_lost(wnet, server):
    """To each who has the file open, once, as on a local disk; the writer is told besides."""
    add_impatient(wnet, server)
    a, b, c = (Writer(wnet, wnet.folder()) for _ in "abc")
    assert a.do("open", "f") is None and a.do("open", "g") is None
    for name in "fg":  # a writer alone is ahead of the server
        assert b.do("open to read", name) is None
    server.freeze()
    a.write("f", b"lost")
    a.write("g", b"lost")
    server.kill()
    assert a.do("close", "g") == "EIO"
    server.start()
    wait_until(lambda: error_of(lambda: (wnet.folder() / "works").write_text("x")) is None, "the drive works again", timeout=2 * LONG)
    assert b.do("fsync", "f") == "EIO"
    assert b.do("fsync", "g") == "EIO", "the writer has closed it"
    assert c.do("open to read", "f") is None
    assert c.do("fsync", "f") == "EIO", "opened later, but nobody who can write was told yet"
    assert a.do("fsync", "f") == "EIO"
    for other in (a, b, c):
        assert other.do("fsync", "f") is None, "it is told twice"
    assert b.do("fsync", "g") is None


def test_what_was_told_to_a_close_is_listed(wnet, server):
    add_impatient(wnet, server)
    writer = Writer(wnet, wnet.folder())
    assert writer.do("open", "f") is None
    server.freeze()
    writer.write("f", b"lost")
    server.kill()
    assert writer.do("run", "f") is None
    assert wnet.run("cancel", "Z:", "--force").err == "lost: Z:/f (4 bytes could not be sent)\n"


MAP = """
import mmap, os, sys
f = os.open("f", os.O_RDWR)
m = mmap.mmap(f, 8192)
def step(done):
    print(done, flush=True)
    sys.stdin.readline()
step("mapped")
os.pwrite(f, b"lost", 0)
step("written")
m[4096:8192] = b"m" * 4096
try:
    m.flush()
    print("None", flush=True)
except OSError as e:
    print(e.errno, flush=True)
"""


def test_a_mapped_page_does_not_pay_for_an_earlier_write(wnet, server):
    """The kernel takes a page for clean that it was told an error of, whose ever it is."""
    wnet.configure(operation_timeout=2, connect_timeout=2)
    wnet.expect_log(r"worker|connection|server|connect|Z:")
    (server.data / "f").write_bytes(bytes(8192))
    wnet.add("Z:", server.url())
    process = wnet.popen([sys.executable, "-c", MAP], cwd=wnet.folder(), stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def step():
        process.stdin.write("\n")
        process.stdin.flush()
        return process.stdout.readline()

    assert process.stdout.readline() == "mapped\n"
    server.freeze()
    assert step() == "written\n"
    server.kill()
    wait_until(lambda: error_of(lambda: (wnet.folder() / "f").stat()), "it has failed")
    server.start()
    wait_until(lambda: error_of(lambda: (wnet.folder() / "works").write_text("x")) is None, "the drive works again", timeout=2 * LONG)
    assert error_name(int(step())) == "EIO", "msync() tells of the write"
    assert (server.data / "f").read_bytes()[4096:] == b"m" * 4096


# deaths


def open_with(writer, name, data):
    """A file that the server has."""
    assert writer.do("open", name) is None
    writer.write(name, data)
    assert writer.do("fsync", name) is None


def stop_workers(wnet):
    """Nothing gets to the server any more. Returns a function that lets it."""
    workers = wnet.workers()
    for worker in workers:
        os.kill(worker, signal.SIGSTOP)

    def go_on():
        for worker in workers:
            os.kill(worker, signal.SIGCONT)

    return workers, go_on


def test_wnetd_is_killed_with_unsent_data(wnet, server, writer):
    """More than the workers have been handed: they find the rest in what they share with wnetd."""
    wnet.expect_log(r".")
    names = [f"{i}" for i in range(6)]
    content = {name: bytearray(1 << 20) for name in names}
    chance = random.Random(2)
    for name in names:
        open_with(writer, name, content[name])
    workers, go_on = stop_workers(wnet)
    try:
        for _round in range(4):
            for name in names:
                at, piece = chance.randrange(900_000), chance.randbytes(chance.randrange(1, 100_000))
                writer.write(name, piece, at)
                content[name][at : at + len(piece)] = piece
        assert all(unsent(wnet).values())
        os.kill(wnet.daemon(), signal.SIGKILL)
    finally:
        go_on()
    wait_until(lambda: not any(map(alive, workers)), "the workers have ended")
    for name in names:
        assert writer.do("fsync", name), "nobody knows of an error, and there was none"
        assert (server.data / name).read_bytes() == content[name]
    wnet.ok("list")  # the next daemon cleans the mount up


POUR = """
import os, sys
f = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT, 0o666)
print("begun", flush=True)
number = 0
while not os.path.exists(sys.argv[2]):
    for _ in range(256):
        os.write(f, number.to_bytes(8, "little") * 512)
        number += 1
os.close(f)
print(number, flush=True)
"""


def test_a_folder_is_renamed_while_much_is_written_below(wnet, server):
    """It need not wait for a moment in which all of it is at the server."""
    line = Proxy(server.port, delay=0.01)
    wnet.add("Z:", line.share())
    z = wnet.folder()
    (z / "D").mkdir()
    stop = wnet.home / "stop"
    writers = [wnet.popen([sys.executable, "-c", POUR, z / "D" / name, stop], stdout=subprocess.PIPE) for name in "abc"]
    for writer in writers:
        assert writer.stdout.readline() == "begun\n"
    time.sleep(0.3)
    for old, new in ("DE", "ED", "DE"):
        begun = time.monotonic()
        os.rename(z / old, z / new)
        assert time.monotonic() - begun < 10
    stop.touch()
    for name, writer in zip("abc", writers):
        number = int(writer.stdout.readline())
        assert writer.wait(timeout=20) == 0
        assert (server.data / "E" / name).read_bytes() == b"".join(i.to_bytes(8, "little") * 512 for i in range(number))


def test_wnetd_is_killed_while_a_folder_with_unsent_data_is_renamed(wnet, server, z, writer):
    """What lies below is closed for a rename; before that, it is sent."""
    wnet.expect_log(r".")
    (z / "D").mkdir()
    open_with(writer, "D/f", b"a" * 10)
    workers, go_on = stop_workers(wnet)
    rename = None
    try:
        writer.write("D/f", b"accepted" * 100, 10)
        rename = wnet.popen([sys.executable, "-c", "import os; os.rename('D', 'E')"], cwd=z, stderr=subprocess.DEVNULL)
        time.sleep(0.3)  # it waits for the data, or for the server
        os.kill(wnet.daemon(), signal.SIGKILL)
    finally:
        go_on()
    rename.wait(timeout=20)
    wait_until(lambda: not any(map(alive, workers)), "the workers have ended")
    folder = server.data / ("D" if (server.data / "D").exists() else "E")
    assert (folder / "f").read_bytes() == b"a" * 10 + b"accepted" * 100
    wnet.ok("list")


def test_the_next_wnetd_comes_behind_what_was_accepted_before(wnet, server, writer):
    """A line that is so slow that the workers of one that was killed have not sent everything yet."""
    wnet.expect_log(r".")
    open_with(writer, "f", b"first")
    workers, go_on = stop_workers(wnet)
    try:
        writer.write("f", b"older")
        os.kill(wnet.daemon(), signal.SIGKILL)
        add = wnet.popen([wnet.build / "wnet", "add", "Z:", server.url(), "--credentials", wnet.credentials()])
        with pytest.raises(subprocess.TimeoutExpired):
            add.wait(timeout=1)
        assert wnet.ok("list")  # it answers meanwhile
    finally:
        go_on()
    assert add.wait(timeout=20) == 0
    assert not any(map(alive, workers))
    assert (wnet.folder() / "f").read_bytes() == b"older"
    (wnet.folder() / "f").write_bytes(b"newer")
    assert (server.data / "f").read_bytes() == b"newer"


def test_nobody_waits_for_workers_that_have_nothing_to_write(wnet, server, writer):
    wnet.expect_log(r".")
    open_with(writer, "f", b"first")
    workers, go_on = stop_workers(wnet)
    try:
        os.kill(wnet.daemon(), signal.SIGKILL)
        wnet.add("Z:", server.url())
        assert not any(map(alive, workers))
    finally:
        for worker in filter(alive, workers):
            os.kill(worker, signal.SIGCONT)


def test_workers_are_killed_with_unsent_data(wnet, server, z):
    wnet.expect_log(r".")
    data = blocks(200, 3)
    with open(z / "f", "wb", buffering=0) as f:
        for at in range(0, len(data), BLOCK):
            f.write(data[at : at + BLOCK])
            if at % (50 * BLOCK) == 40 * BLOCK:
                wnet.kill_workers()
    assert (server.data / "f").read_bytes() == data


# force


def test_force_sends_what_the_server_takes(wnet, server):
    """On a line so slow that most is unsent when it is called, and so fast that there is always progress."""
    proxy = Proxy(server.port, upload_rate=6 << 20)
    wnet.add("Z:", proxy.share())
    writer = Writer(wnet, wnet.folder())
    data = blocks(1000, 4)
    assert writer.do("open", "f") is None
    _workers, go_on = stop_workers(wnet)
    try:
        for at in range(0, len(data), 16 * BLOCK):
            writer.write("f", data[at : at + 16 * BLOCK], at)
    finally:
        go_on()
    wait_until(lambda: unsent(wnet)["/f"] < len(data), "the server takes it", interval=0.01)
    result = wnet.run("cancel", "Z:", "--force", "--json")
    assert result.code == 0 and result.json["lost"] == [], result
    assert (server.data / "f").read_bytes() == data


@pytest.mark.parametrize("options", ((), ("--json",)), ids=("people", "programs"))
def test_force_tells_what_was_lost(wnet, server, writer, frozen, options):
    wnet.expect_log(r"lost|worker|server|connect")
    for name in ("letter.txt", "b", "c"):
        assert writer.do("open", name) is None
    frozen()
    writer.write("letter.txt", bytes(1234))
    writer.write("b", bytes(200_000))
    result = wnet.run("cancel", "Z:", "--force", *options)
    assert result.code == 0, result
    if options:
        assert {lost["path"]: lost["bytes"] for lost in result.json["lost"]} == {"/letter.txt": 1234, "/b": 200_000}
    else:
        assert {"lost: Z:/letter.txt (1234 bytes could not be sent)", "lost: Z:/b (200000 bytes could not be sent)"} == set(result.err.splitlines())
