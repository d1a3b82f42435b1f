# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes made elsewhere, of which the server tells: they are seen at once, and what does not change is not asked for."""

import os
import signal
import subprocess
import time

import pytest
from harness import alive, error_of, opened, wait_until
from smbrequests import Requests

USUAL = 1.5  # seconds after which the kernel asks anew, as a rule
LONGER = 3.0
SOON = 10    # what is believed for 30 seconds would hide it
TRIES = 4    # wnetd rightly forgets when a sign of life is late; not so many times running
WATCHING = ("CHANGE_NOTIFY", "CANCEL", "ECHO")


class Line(Requests):
    """The line of a drive with a watch."""

    def asked(self):
        """How many requests there were so far that have nothing to do with the watch."""
        return sum(command not in WATCHING for _number, command in self.seen)

    def asks(self, work):
        before = self.asked()
        work()
        return self.asked() - before


@pytest.fixture
def line(server):
    return Line(server.port)


@pytest.fixture
def drive(wnet, server, line):
    """The folder of a drive Z: whose server tells of changes, and is believed to."""
    (server.data / "d").mkdir()
    (server.data / "f").write_bytes(b"old")
    (server.data / "d" / "f").write_bytes(b"old")
    (server.data / "d" / "g").write_bytes(b"other")
    wnet.configure(change_notification="yes")
    wnet.add("Z:", line.share())
    wait_until_told(line, wnet.folder())
    return wnet.folder()


@pytest.fixture
def other(make_wnet, server):
    """The same share, on another machine as it were."""
    user = make_wnet("other")
    user.add("Z:", server.url())
    return user.folder()


def wait_until_told(line, folder):
    """Waits until what is told of a folder is believed for long."""
    def believed():
        os.stat(folder)
        time.sleep(USUAL)
        return line.asks(lambda: os.stat(folder)) == 0

    wait_until(believed, "the server is believed to tell of changes")


def keep(line, *folders):
    """The kernel knows these, and asks for none of them for long."""
    def kept():
        for folder in folders:
            os.stat(folder)
        time.sleep(USUAL)
        return line.asks(lambda: [os.stat(folder) for folder in folders]) == 0

    wait_until(kept, f"{folders} are kept")


def assert_kept(line, seconds, *folders):
    """They are kept for so long, which the kernel alone does not do."""
    def kept():
        keep(line, *folders)
        time.sleep(seconds)
        return line.asks(lambda: [os.stat(folder) for folder in folders]) == 0

    assert any(kept() for _ in range(TRIES))


def soon(condition, what):
    wait_until(condition, what, timeout=SOON, interval=0.02)


def watcher(wnet):
    """The worker that watches: its data slots are not those of the drive, which the oldest worker has."""
    def slots(pid):
        return os.stat(f"/proc/{pid}/fd/4").st_ino

    def age(pid):
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as f:
            return int(f.read().rpartition(")")[2].split()[19]), pid

    names, *others = sorted(wnet.workers(), key=age)
    pid, = [pid for pid in others if slots(pid) != slots(names)]
    return pid


def mtime(path):
    return os.stat(path).st_mtime_ns


def test_off_there_is_no_watch(wnet, server, line):
    (server.data / "d").mkdir()
    wnet.add("Z:", line.share())
    os.stat(wnet.folder() / "d")
    time.sleep(USUAL)
    assert line.asks(lambda: os.stat(wnet.folder() / "d")) > 0
    assert "CHANGE_NOTIFY" not in [command for _number, command in line.seen]


def test_a_printer_has_none(wnet, make_server):
    server = make_server(more_shares={"printer": {"path": "spool", "printed": "printed"}})
    line = Line(server.port)
    wnet.configure(change_notification="yes")
    wnet.add("LPT1", line.share("printer"))
    time.sleep(USUAL)
    assert "CHANGE_NOTIFY" not in [command for _number, command in line.seen]
    assert len(wnet.workers()) == 1


def test_what_does_not_change_is_not_asked_for(line, drive):
    (drive / "d" / "e").mkdir()
    assert_kept(line, LONGER, drive, drive / "d", drive / "d" / "e")


def test_an_idle_line_is_believed(line, drive):
    """Longer than the server's machine may be silent: it is asked for signs of life."""
    (drive / "d" / "e").mkdir()

    def believed():
        keep(line, drive / "d")
        time.sleep(10)
        os.stat(drive / "d" / "e")
        time.sleep(USUAL)
        return line.asks(lambda: os.stat(drive / "d" / "e")) == 0

    assert any(believed() for _ in range(TRIES))


def test_the_names_on_the_way_are_not_asked_for(line, drive):
    """To open a file that is known asks the server for that alone."""
    (drive / "d" / "e").mkdir()
    files = [drive / "d" / "e" / f"f{i}" for i in range(TRIES)]
    for file in files:
        file.write_bytes(b"x")

    def alone(file):
        keep(line, drive / "d", drive / "d" / "e")
        os.stat(file)
        time.sleep(LONGER)
        with line.counted() as seen:
            assert file.read_bytes() == b"x"
        return seen.count("CREATE") == 1

    assert any(map(alone, files))


def test_what_was_listed_is_not_asked_for(line, drive):
    for name in "xyz":
        (drive / "d" / name).mkdir()
    keep(line, drive / "d")
    wait_until(lambda: "x" in [entry.name for entry in os.scandir(drive / "d")], "the folders")
    assert_kept(line, LONGER, *(drive / "d" / name for name in "xyz"))


def test_a_change_of_size_is_seen(line, drive, other):
    keep(line, drive / "d")
    os.stat(drive / "d" / "f")
    (other / "d" / "f").write_bytes(b"newer")
    soon(lambda: os.stat(drive / "d" / "f").st_size == 5, "the new size")
    assert (drive / "d" / "f").read_bytes() == b"newer"


def test_what_is_only_written_to_is_seen_as_ever(line, drive, other):
    """Of that Samba tells nothing."""
    keep(line, drive / "d")
    os.stat(drive / "d" / "f")
    with open(other / "d" / "f", "r+b") as f:
        f.write(b"newer")
    soon(lambda: os.stat(drive / "d" / "f").st_size == 5, "the new size")


def test_a_new_file_is_seen(line, drive, other):
    keep(line, drive / "d")
    before = mtime(drive / "d")
    (other / "d" / "new").write_bytes(b"x")
    soon(lambda: mtime(drive / "d") != before, "the folder's time")
    soon((drive / "d" / "new").exists, "the new file")
    assert sorted(os.listdir(drive / "d")) == ["f", "g", "new"]


def test_a_deletion_is_seen(line, drive, other):
    keep(line, drive / "d")
    before = mtime(drive / "d")
    os.stat(drive / "d" / "f")
    (other / "d" / "f").unlink()
    soon(lambda: mtime(drive / "d") != before, "the folder's time")

    def made():
        """Whether the kernel does not say that it is there. It may be told of the name after the folder."""
        try:
            with open(drive / "d" / "f", "xb") as f:
                return f.write(b"anew")
        except FileExistsError:
            return False

    soon(made, "the name is free")
    assert (other / "d" / "f").read_bytes() == b"anew"


def test_a_deleted_folder_is_seen(line, drive, other):
    (drive / "d" / "e").mkdir()
    keep(line, drive / "d" / "e")
    (other / "d" / "e").rmdir()
    soon(lambda: not (drive / "d" / "e").exists(), "the folder is gone")
    (drive / "d" / "e").mkdir()


def test_a_rename_is_seen(line, drive, other):
    keep(line, drive / "d")
    os.stat(drive / "d" / "f")
    os.rename(other / "d" / "f", other / "d" / "g")
    soon(lambda: not (drive / "d" / "f").exists(), "the old name is gone")
    soon(lambda: os.stat(drive / "d" / "g").st_size == 3, "the new name has another file")
    assert (drive / "d" / "g").read_bytes() == b"old"


def test_a_renamed_folder_is_seen(line, drive, other):
    (drive / "d" / "below").mkdir()
    keep(line, drive / "d", drive / "d" / "below")
    os.rename(other / "d", other / "e")
    soon(lambda: not (drive / "d" / "below").exists(), "the old path is gone")
    soon((drive / "e" / "below").exists, "the new path is there")
    (other / "d").mkdir()
    (other / "d" / "h").write_bytes(b"")
    soon(lambda: (drive / "d").exists() and sorted(os.listdir(drive / "d")) == ["h"], "another folder has the old name")


def test_what_is_done_on_the_server_is_seen(line, drive, server):
    """In the drive's root: of the folders below, Samba tells only what goes through Samba."""
    keep(line, drive)
    before = mtime(drive)
    (server.data / "new").write_bytes(b"newer")
    soon(lambda: mtime(drive) != before, "the root's time")
    assert (drive / "new").read_bytes() == b"newer"


def test_what_nobody_tells(line, drive, server):
    """What files are is asked for as ever, and shows what became of their names."""
    keep(line, drive / "d")
    os.stat(drive / "d" / "f")
    os.stat(drive / "d" / "g")
    (server.data / "d" / "f").unlink()
    os.rename(server.data / "d" / "g", server.data / "d" / "h")
    soon(lambda: not os.access(drive / "d" / "f", os.F_OK), "the deleted file is gone")
    soon(lambda: not (drive / "d" / "g").exists(), "the old name is gone")
    soon((drive / "d" / "h").exists, "the new name")


def test_a_path_in_another_spelling_is_seen(line, drive, other):
    (drive / "d" / "Name").mkdir()
    keep(line, drive / "d" / "Name")
    before = mtime(drive / "d" / "Name")
    (other / "D" / "NAME" / "x").mkdir()
    soon(lambda: mtime(drive / "d" / "Name") != before, "the folder's time")


@pytest.mark.parametrize("change", ["rename", "rmdir"])
def test_a_change_by_another_spelling_does_not_wait_for_long(line, drive, change):
    (drive / "d" / "name").mkdir()
    keep(line, drive / "d", drive / "d" / "name")
    began = time.monotonic()
    if change == "rename":
        os.rename(drive / "d" / "NAME", drive / "d" / "x")
    else:
        os.rmdir(drive / "d" / "NAME")
    assert time.monotonic() - began < 10
    assert not (drive / "d" / "name").exists()
    (drive / "d" / "name").mkdir()


def test_names_that_travel_otherwise(line, drive, other):
    name = 'a:b*c?. '
    (drive / "d" / name).mkdir()
    keep(line, drive / "d" / name)
    before = mtime(drive / "d" / name)
    (other / "d" / name / "x").write_bytes(b"x")
    soon(lambda: mtime(drive / "d" / name) != before, "the folder's time")


def test_below_the_share(wnet, server, line, other):
    (server.data / "d" / "e" / "e").mkdir(parents=True)
    wnet.configure(change_notification="yes")
    wnet.add("Z:", line.share() + "/d")
    folder = wnet.folder() / "e" / "e"
    wait_until_told(line, wnet.folder())
    keep(line, folder)
    before = mtime(folder)
    (other / "d" / "e" / "e" / "f").write_bytes(b"newer")
    soon(lambda: mtime(folder) != before, "the folder's time")


def test_a_user_who_may_only_read(wnet, server, line):
    (server.readonly / "d").mkdir()
    wnet.configure(change_notification="yes")
    wnet.add("Z:", line.share("readonly"))
    wait_until_told(line, wnet.folder())
    keep(line, wnet.folder() / "d")
    before = mtime(wnet.folder())
    (server.readonly / "f").write_bytes(b"newer")
    soon(lambda: mtime(wnet.folder()) != before, "the root's time")


def test_who_stands_in_a_folder_stays_there(line, drive, wnet, other):
    """Whatever is told, and lost."""
    (drive / "d" / "e").mkdir()
    keep(line, drive / "d", drive / "d" / "e")
    # the line is this process's: it must not wait for a child that enters a folder before it has become a shell
    shell = wnet.popen(["sh", "-c", 'cd "$0" && while read line; do /bin/pwd -P; done', drive / "d" / "e"], stdin=subprocess.PIPE,
                       stdout=subprocess.PIPE)

    def stands():
        shell.stdin.write("\n")
        shell.stdin.flush()
        return shell.stdout.readline().rstrip("\n") == str(drive / "d" / "e")

    assert stands()
    (other / "d" / "e" / "new").write_bytes(b"x")
    soon((drive / "d" / "e" / "new").exists, "the new file")
    assert stands()
    keep(line, drive / "d", drive / "d" / "e")
    pid = watcher(wnet)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not alive(pid), "the worker is gone")
    time.sleep(USUAL)
    assert stands()
    for _ in range(20):
        os.mkdir(drive / "d" / "now")
        here = wnet.program("sh", "-c", 'cd "$0" && sleep 0.1 && /bin/pwd -P', drive / "d" / "now")
        assert here.out.rstrip("\n") == str(drive / "d" / "now"), here
        os.rmdir(drive / "d" / "now")


def test_what_is_done_from_here_is_shown(line, drive):
    """What the server tells of it, too, does no harm."""
    keep(line, drive, drive / "d")
    for i in range(20):
        before = mtime(drive / "d")
        (drive / "d" / f"n{i}").write_bytes(b"x" * i)
        assert os.stat(drive / "d" / f"n{i}").st_size == i
        assert mtime(drive / "d") != before
        os.rename(drive / "d" / f"n{i}", drive / "d" / f"m{i}")
        assert not (drive / "d" / f"n{i}").exists()
        assert (drive / "d" / f"m{i}").read_bytes() == b"x" * i
        os.unlink(drive / "d" / f"m{i}")
        (drive / "d" / f"m{i}").mkdir()
        os.rmdir(drive / "d" / f"m{i}")
    keep(line, drive, drive / "d")


def test_the_watch_ends(line, drive, wnet, server):
    """Its worker is killed: nothing is believed for long, nor what was; until there is another one."""
    keep(line, drive / "d")
    before = mtime(drive / "d")
    pid = watcher(wnet)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not alive(pid), "the worker is gone")
    (server.data / "d" / "new").write_bytes(b"newer") # of which nobody is told
    soon(lambda: mtime(drive / "d") != before, "the folder's time")
    assert wnet.entry()["state"] == "ok"
    wait_until_told(line, drive / "d")
    assert pid not in wnet.workers()


def test_a_watch_that_hangs_is_ended(line, drive, wnet, server):
    keep(line, drive / "d")
    before = mtime(drive / "d")
    pid = watcher(wnet)
    os.kill(pid, signal.SIGSTOP)
    (server.data / "d" / "new").write_bytes(b"newer")
    wait_until(lambda: mtime(drive / "d") != before, "the folder's time", timeout=10)
    wait_until(lambda: not alive(pid), "the worker is gone")
    wait_until_told(line, drive / "d")


def test_many_changes_at_once(line, drive, other, wnet):
    """More than the server can tell in an answer."""
    names = [f"{i:03}-of-many-names-that-are-as-long-as-need-be" for i in range(200)]
    (drive / "d" / "e").mkdir()
    keep(line, drive / "d", drive / "d" / "e")
    pid = watcher(wnet)
    os.kill(pid, signal.SIGSTOP) # for less than what it may hang
    for name in names:
        (other / "d" / name).mkdir()
    (other / "d" / "e").rmdir()
    os.kill(pid, signal.SIGCONT)
    soon(lambda: not (drive / "d" / "e").exists(), "the folder is gone")
    assert sorted(os.listdir(drive / "d")) == sorted(["f", "g", *names])
    wait_until_told(line, drive / "d")
    assert pid in wnet.workers()


def test_a_server_that_says_nothing(line, drive, wnet, server, other, long):
    """An idle drive does not notice. What is told afterwards counts."""
    if not long:
        pytest.skip("takes half a minute: --long")
    keep(line, drive / "d")
    pid = watcher(wnet)
    before = mtime(drive / "d")
    server.freeze()
    time.sleep(12)
    assert wnet.entry()["state"] == "ok"
    assert pid in wnet.workers()
    server.thaw()
    (other / "d" / "new").write_bytes(b"newer")
    soon(lambda: mtime(drive / "d") != before, "the folder's time")
    wait_until_told(line, drive / "d")


def test_a_cancel_while_the_server_says_nothing(line, drive, wnet, server):
    keep(line, drive / "d")
    server.freeze()
    wnet.ok("cancel", "Z:", "--force")


def test_a_cancel(line, drive, wnet):
    keep(line, drive / "d")
    began = time.monotonic()
    wnet.ok("cancel", "Z:")
    assert time.monotonic() - began < 5
    wait_until(lambda: not wnet.workers(), "nobody watches any more")


def test_a_cancel_that_is_refused(line, drive, wnet, other):
    with opened(drive / "d" / "f", "rb"):
        wnet.fails(2401, "cancel", "Z:")
    keep(line, drive / "d")
    before = mtime(drive / "d")
    (other / "d" / "new").write_bytes(b"new")
    soon(lambda: mtime(drive / "d") != before, "the folder's time")


def test_a_forced_cancel(line, drive, wnet):
    keep(line, drive / "d")
    with opened(drive / "d" / "f", "rb") as f:
        began = time.monotonic()
        wnet.ok("cancel", "Z:", "--force")
        assert time.monotonic() - began < 10
        with pytest.raises(OSError):
            f.read()
    wait_until(lambda: not wnet.workers(), "nobody watches any more")


def test_a_cancel_while_changes_come(line, drive, wnet, other):
    for i in range(30):
        keep_going = other / "d" / f"n{i}"
        keep_going.write_bytes(b"x")
        (drive / "d" / f"n{i}").exists()
    wnet.ok("cancel", "Z:", "--force")


def test_the_server_is_restarted(line, drive, server, long):
    if not long:
        pytest.skip("takes half a minute: --long")
    keep(line, drive / "d")
    before = mtime(drive / "d")
    server.stop()
    server.start()
    (server.data / "d" / "new").write_bytes(b"newer")
    wait_until(lambda: error_of(lambda: mtime(drive / "d")) is None and mtime(drive / "d") != before, "the folder's time")
    wait_until_told(line, drive / "d")
