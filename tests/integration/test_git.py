# SPDX-License-Identifier: GPL-3.0-or-later
"""git works on a drive, with as many files as a real project has."""

import shutil

import pytest
from harness import sh, tree

N_FOLDERS, N_FILES = 50, 42  # in each folder

if not shutil.which("git"):
    pytest.skip("no git here", allow_module_level=True)


def content(folder, file, version=1):
    return b"%d/%d version %d\n" % (folder, file, version) * (file % 30 + 1)


def all_files(changed=0):
    """{path: contents} as it is after the first so many files of each folder were changed."""
    return {f"src/{d:02}/file-{f:02}.c": content(d, f, 2 if f < changed else 1) for d in range(N_FOLDERS) for f in range(N_FILES)}


def commit(message, files):
    """A commit as git fast-import takes it."""
    out = b"commit refs/heads/main\ncommitter A <a@example.org> 1600000000 +0000\ndata %d\n%s\n" % (len(message), message)
    for path, data in files.items():
        out += b"M 100%d inline %s\ndata %d\n%s\n" % (755 if path.endswith(".sh") else 644, path.encode(), len(data), data)
    return out


def files_of(folder):
    return {path: data for path, data in tree(folder).items() if data is not None and not path.startswith(".git/")}


@pytest.fixture
def git(wnet):
    """The environment of a user who has no settings but a name."""
    wnet.env.update(GIT_CONFIG_NOSYSTEM="1", GIT_TERMINAL_PROMPT="0", GIT_EDITOR="false")
    (wnet.home / ".gitconfig").write_text("[user]\nname = Alice\nemail = alice@example.org\n[init]\ndefaultBranch = main\n"
                                          "[advice]\ndetachedHead = false\n")


@pytest.fixture
def origin(wnet, git):
    """A bare repository on the local disk: three commits, and 2,100 files in the last of them."""
    repository = wnet.home / "origin.git"
    sh(wnet, f"git init -q --bare '{repository}'", wnet.home)
    first = {path: data for path, data in all_files().items() if "/0" in path}
    stream = commit(b"first", first) + commit(b"second", all_files()) + commit(b"third", {"run.sh": b"#!/bin/sh\necho run\n"})
    (wnet.home / "stream").write_bytes(stream)
    sh(wnet, f"git -C '{repository}' fast-import --quiet < stream", wnet.home)
    return repository


def same_everywhere(wnet, z, server, name):
    """git finds nothing wrong, neither on the drive nor, right after it, in the server's folder, whatever was done before."""
    for folder, options in ((z, ""), (server.data, "-c core.fileMode=false")):  # the server keeps no x bit
        assert sh(wnet, f"git fsck --strict --full --no-progress && git --no-optional-locks {options} status --porcelain",
                  folder / name) == ""


def test_clone_and_work(z, wnet, server, origin):
    sh(wnet, f"git clone -q '{origin}' repo", z)
    expected = all_files() | {"run.sh": b"#!/bin/sh\necho run\n"}
    assert files_of(server.data / "repo") == expected
    assert sh(wnet, "./run.sh", z / "repo") == "run\n"

    # a branch that changes some files of each folder, while main goes on with others
    sh(wnet, "git checkout -q -b topic", z / "repo")
    for path, data in all_files(changed=1).items():
        if data != expected[path]:
            (z / "repo" / path).write_bytes(data)
    sh(wnet, "git commit -q -am topic-1 && git mv src/49 moved && git rm -q src/48/file-10.c && git commit -q -m topic-2", z / "repo")
    sh(wnet, "git checkout -q main && echo more >> src/00/file-41.c && git commit -q -am main-1", z / "repo")
    assert files_of(server.data / "repo") == expected | {"src/00/file-41.c": expected["src/00/file-41.c"] + b"more\n"}

    sh(wnet, "git checkout -q topic && git rebase -q main", z / "repo")
    expected = all_files(changed=1) | {"run.sh": expected["run.sh"]}
    expected["src/00/file-41.c"] += b"more\n"
    del expected["src/48/file-10.c"]
    expected = {path.replace("src/49/", "moved/"): data for path, data in expected.items()}
    assert files_of(server.data / "repo") == expected

    sh(wnet, "git checkout -q main && git merge -q --no-ff -m merged topic && git branch -q -d topic && git gc -q --prune=now", z / "repo")
    assert files_of(server.data / "repo") == files_of(z / "repo") == expected
    assert sh(wnet, "git log --format=%s --topo-order", z / "repo").split() == \
        ["merged", "topic-2", "topic-1", "main-1", "third", "second", "first"]
    assert sh(wnet, "git count-objects -v", z / "repo").splitlines()[0] == "count: 0"
    same_everywhere(wnet, z, server, "repo")

    sh(wnet, "git push -q origin main", z / "repo")
    assert sh(wnet, "git log -1 --format=%s", origin) == "merged\n"
    sh(wnet, "rm -rf repo", z)
    assert not (server.data / "repo").exists()


def test_a_repository_that_others_push_to(z, wnet, server, origin):
    """The drive holds the bare repository; pushes and fetches come from the local disk."""
    sh(wnet, f"""
git clone -q --bare '{origin}' shared.git
git clone -q shared.git '{wnet.home}/one'
git clone -q shared.git '{wnet.home}/two'
""", z)
    for i in range(5):
        sh(wnet, f"echo {i} >> notes && git add notes && git commit -q -m change-{i} && git push -q origin main && git tag -f t{i} "
                 "&& git push -q --tags", wnet.home / "one")
        sh(wnet, "git pull -q --ff-only", wnet.home / "two")
    assert (wnet.home / "two" / "notes").read_text() == "0\n1\n2\n3\n4\n"
    sh(wnet, "git gc -q --prune=now && git fsck --strict --no-progress", z / "shared.git")
    assert sh(wnet, "git fsck --strict --no-progress && git tag && git log -1 --format=%s", server.data / "shared.git") == \
        "t0\nt1\nt2\nt3\nt4\nchange-4\n"


def test_stash_reset_and_clean(z, wnet, server, git):
    sh(wnet, """
git init -q repo && cd repo
for i in $(seq 100); do echo $i > f$i; done
git add . && git commit -q -m first
for i in $(seq 50); do echo more >> f$i; done
git stash -q
mkdir -p new/deep && touch new/deep/a new/b
git clean -fdq
git stash pop -q
git commit -q -am second
git reset -q --hard HEAD~1
git repack -q -a -d
git reset -q --hard HEAD@{1}
git worktree add -q ../tree HEAD~1
git repack -q -a -d -f && git prune && git pack-refs --all
""", z)
    assert files_of(server.data / "repo") == {f"f{i}": b"%d\nmore\n" % i if i <= 50 else b"%d\n" % i for i in range(1, 101)}
    assert (z / "tree" / "f1").read_text() == "1\n"
    same_everywhere(wnet, z, server, "repo")
