# SPDX-License-Identifier: GPL-3.0-or-later
"""Workloads that have to do with names and attributes, and with many small files."""

import shutil
import tarfile

from results import AT_MOST
from setting import Failed
from ways import Alone
from workloads import Workload, workload

SMALL, TINY = 16384, 4096
FOLDER_FILE = 100 # bytes of a file that is only looked at
FOLDER_FILES = 500


class Listing(Workload):
    count_key = 0

    def make_rows(self):
        self.count = self.size["list"][self.count_key]
        return [self.row(f"ls -l of {self.count:,} entries", "s", "libsmbclient: opendir + readdirplus", AT_MOST, 1.3)]

    def prepare(self):
        self.setting.make_folder(f"list-{self.count}", self.count, FOLDER_FILE)

    def measure(self, way):
        folder = f"list-{self.count}"
        if isinstance(way, Alone):
            return self.setting.load("list", way.where, folder, self.count)["seconds"]
        with self.setting.clock() as took:
            lines = self.setting.program("ls", "-l", way.where / folder).out.splitlines()
        if len(lines) != self.count + 1 or any(line.split()[4] != str(FOLDER_FILE) for line in lines[1:]):
            raise Failed(f"WRONG: ls shows {len(lines) - 1} entries of {self.count}, or other sizes")
        return took[0]


@workload
class ListSome(Listing):
    key = "list-10k"


@workload
class ListMany(Listing):
    key, count_key = "list-100k", 1


@workload
class Stats(Workload):
    """Attributes of single names of one folder. With a round-trip time, libsmbclient alone does some of them only, and its time
    is multiplied: all would take minutes."""

    key, far_ms = "stat", (20,)

    def make_rows(self):
        self.count, self.folder_count = self.size["stats"], self.size["folder"]
        title = f"{self.count:,} stats in a folder of {self.folder_count:,}, cold"
        if self.far:
            return [self.row(title, "s", f"libsmbclient: {self.count:,} stats", AT_MOST, 0.01)]
        return [self.row(title, "s", "libsmbclient: listing it once", AT_MOST, 1.3)]

    def prepare(self):
        self.setting.make_folder(f"list-{self.folder_count}", self.folder_count, FOLDER_FILE)

    def measure(self, way):
        folder = f"list-{self.folder_count}"
        if isinstance(way, Alone):
            if not self.far:
                return self.setting.load("list", way.where, folder, self.folder_count)["seconds"]
            some = self.count // self.size["sample"]
            return self.setting.load("stat", way.where, folder, 0, some)["seconds"] * self.count / some
        return self.setting.load("stat", way.where, folder, 0, self.count)["seconds"]


@workload
class Tree(Workload):
    """With a round-trip time, libsmbclient alone reads some of the files only, and its time is multiplied."""

    key, far_ms = "tree", (20,)

    def make_rows(self):
        self.count = self.size["tree"]
        return [self.row(f"tar c of {self.count:,} files of 16 KiB", "s", "libsmbclient: open, read, close each", AT_MOST,
                        0.5 if self.far else 1.2)]

    def prepare(self):
        self.setting.make_folder(f"tree-{self.count}", self.count, SMALL)

    def measure(self, way):
        folder = f"tree-{self.count}"
        if isinstance(way, Alone):
            some = self.count // (self.size["sample"] if self.far else 1)
            return self.setting.load("tree", way.where, folder, some, SMALL)["seconds"] * self.count / some
        archive = self.setting.folder / "tree.tar"
        with self.setting.clock() as took:
            self.setting.program("tar", "cf", archive, "-C", way.where, folder)
        self.check(archive)
        return took[0]

    def check(self, archive):
        """What tar has read is what the server has."""
        with tarfile.open(archive) as tar:
            files = [member for member in tar if member.isfile()]
            wrong = [m.name for m in files if tar.extractfile(m).read() != (self.data / m.name).read_bytes()]
        archive.unlink()
        if len(files) != self.count or wrong:
            raise Failed(f"WRONG: {len(files)} files of {self.count} in the archive, {len(wrong)} of them with other contents")


@workload
class Churn(Workload):
    """The files must be on the server when they have been closed, and gone when they have been deleted."""

    key = "churn"

    def make_rows(self):
        self.count = self.size["churn"]
        return [self.row(f"create, write, close, delete {self.count:,} files of 4 KiB", "s", "libsmbclient: the same", AT_MOST,
                         1.2)]

    def before(self):
        self.folder = self.data / "churn"
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()

    def measure(self, way):
        seconds = self.setting.load("churn", way.where, "churn", self.count, TINY, self.folder)["seconds"]
        if left := len(list(self.folder.iterdir())):
            raise Failed(f"WRONG: {left} deleted files are still there")
        return seconds


@workload
class Git(Workload):
    """`git status` at once behind another one: what it still asks the server."""

    key, only_mounts = "git", True

    def make_rows(self):
        self.count = self.size["git"]
        return [self.row(f"second git status of {self.count:,} files", "SMB requests", "", AT_MOST, 0),
                self.row("— its time", "s", "", AT_MOST, part="time")]

    def git(self, folder, *args):
        return self.setting.program("git", "-c", "user.name=bench", "-c", "user.email=bench@example.org", "-C", folder, *args).out

    def prepare(self):
        folder = self.data / "git"
        if not folder.exists():
            folders = -(-self.count // FOLDER_FILES)
            for number in range(folders):
                (folder / f"{number}").mkdir(parents=True)
                self.setting.fill(f"git/{number}", self.count // folders, FOLDER_FILE)
            self.git(folder, "init", "--quiet")
            self.git(folder, "config", "core.fileMode", "false") # as where it is made on a mount of SMB
            self.git(folder, "add", ".")
            self.git(folder, "commit", "--quiet", "-m", "all")
            shutil.copy2(folder / ".git" / "index", self.setting.folder / "index")

    def before(self):
        """Whatever another mounter has left there: a lock, or an index that knows its numbers of files."""
        (self.data / "git" / ".git" / "index.lock").unlink(missing_ok=True)
        shutil.copy2(self.setting.folder / "index", self.data / "git" / ".git" / "index")

    def connected(self, way):
        return way.connected(self.setting.network(self.rtt_ms).port) # where requests are counted

    def measure(self, way):
        network = self.setting.network(self.rtt_ms)
        folder = way.where / "git"
        self.git(folder, "status", "--porcelain")
        before = network.requests()
        with self.setting.clock() as took:
            status = self.git(folder, "status", "--porcelain")
        if status:
            raise Failed(f"WRONG: git sees changes: {status.splitlines()[0]}")
        return {(0, way.key): network.requests() - before, (1, way.key): took[0]}
