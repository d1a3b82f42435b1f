# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers that are set up otherwise than Samba is by default: what is shown on that one works on these, too."""

import getpass
import os
import random
import subprocess

import proxy
import pytest
from harness import ALICE, PASSWORD, error_name, error_of, opened

# What a drive does, once more on each of these servers: the fixture "server" below takes the place of the usual one.
from test_copy import *  # noqa: F401,F403
from test_map_and_work import (  # noqa: F401
    test_a_big_file_from_the_server,
    test_a_big_file_to_the_server,
    test_a_listing_of_2000_entries_is_complete,
    test_a_share_that_is_read_only_on_the_server,
    test_append,
    test_chmod_is_accepted_and_remembered,
    test_exclusive_creation,
    test_free_space,
    test_read_only_is_an_attribute_of_the_server,
    test_reads_at_any_offset,
    test_rename,
    test_times,
    test_truncate,
    test_unusual_names,
    test_writes_at_any_offset,
)
from test_open_names import (  # noqa: F401
    test_a_deleted_file_stays_readable_and_writable,
    test_a_descriptor_that_may_write_to_a_read_only_file,
    test_a_removed_directory_that_is_open,
    test_an_open_file_is_renamed,
    test_another_spelling_of_the_same_name,
    test_maps_of_a_deleted_file,
    test_read_only_targets,
    test_replacing_a_file_that_is_open,
    test_replacing_with_a_file_that_is_open,
    test_what_is_open_below_a_renamed_directory,
    test_what_rename_refuses,
    test_while_others_work,
)
from test_posix_table import *  # noqa: F401,F403

KINDS = {
    "SMB2.02": {"server max protocol": "SMB2_02"},
    "encrypted": {"server min protocol": "SMB3_11", "server smb encrypt": "required"},
    "case-sensitive": {"case sensitive": "yes"},
}


@pytest.fixture(params=KINDS)
def server(make_server, request):
    return make_server(options=KINDS[request.param])


def smbclient(server, *options):
    """What another client answers, by its exit code and text."""
    result = subprocess.run(["smbclient", "-p", str(server.port), "-U", f"{ALICE}%{PASSWORD}", *options, "//127.0.0.1/data", "-c", "ls"],
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return result.returncode, result.stdout


@pytest.mark.parametrize("kind, option, answer", [("SMB2.02", "client min protocol=SMB2_10", "NOT_SUPPORTED"),
                                                  ("encrypted", "client max protocol=SMB3_02", "NOT_SUPPORTED")])
def test_these_servers_take_nothing_else(make_server, kind, option, answer):
    server = make_server(options=KINDS[kind])
    assert smbclient(server)[0] == 0
    code, text = smbclient(server, f"--option={option}")
    assert code != 0 and answer in text, text


def test_100_mib_over_smb2_02(wnet, make_server):
    """It moves 64 KiB at a time."""
    data = random.Random(202).randbytes(100 << 20)
    server = make_server(options=KINDS["SMB2.02"])
    wnet.add("Z:", server.url())
    (wnet.folder() / "big").write_bytes(data)
    assert (server.data / "big").read_bytes() == data
    wnet.ok("cancel", "Z:")
    wnet.add("Z:", server.url())
    assert (wnet.folder() / "big").read_bytes() == data


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_listener_on_the_way_hears(wnet, make_server, kind):
    way = proxy.Proxy(make_server(options=KINDS[kind]).port)
    way.heard = []
    wnet.add("Z:", way.share())
    (wnet.folder() / "f").write_bytes(b"a word in clear " * 1000)
    assert (wnet.folder() / "f").read_bytes() == b"a word in clear " * 1000
    heard = b"".join(way.heard)
    assert b"\xfeSMB" in heard
    assert (b"a word in clear" in heard) == (kind != "encrypted")
    assert (b"\xfdSMB" in heard) == (kind == "encrypted")  # what begins an encrypted message


def test_a_guest_cannot_be_encrypted(wnet, make_server):
    """Nobody knows a key: a server that insists refuses, and the refusal says of what."""
    server = make_server(options={**KINDS["encrypted"], "map to guest": "bad password", "restrict anonymous": "0", "guest ok": "yes",
                                  "guest account": getpass.getuser()})
    wnet.add_fails((5, 1326), "Z:", server.url(), password="wrong")
    wnet.add("Z:", server.url())
    (wnet.folder() / "f").write_text("x")
    assert (server.data / "f").read_text() == "x"


def test_only_one_share_is_encrypted(wnet, make_server):
    server = make_server(more_shares={"secret": {"path": "secret", "read only": "no", "server smb encrypt": "required"}})
    wnet.add("Y:", server.url())
    wnet.add("Z:", server.url("secret"))
    for device, share in (("Y:", "data"), ("Z:", "secret")):
        (wnet.folder(device) / "f").write_bytes(b"x" * 3_000_000)
        assert os.path.getsize(os.path.join(server.share_path(share), "f")) == 3_000_000


@pytest.fixture
def cased(wnet, make_server):
    """A drive on a server to which two spellings are two names, and that server's folder."""
    server = make_server(options=KINDS["case-sensitive"])
    wnet.add("Z:", server.url())
    return wnet.folder(), server.data


def test_two_names_that_differ_in_case(cased):
    z, data = cased
    (z / "Readme").write_text("one")
    assert not (z / "README").exists()
    (z / "README").write_text("two")
    with open(z / "readme", "xb") as f:
        f.write(b"three")
    assert sorted(os.listdir(z)) == sorted(os.listdir(data)) == ["README", "Readme", "readme"]
    with opened(z / "Readme", "r+b") as one, opened(z / "README", "r+b") as two:
        assert one.read() == b"one" and two.read() == b"two"
        assert os.fstat(one.fileno()).st_ino != os.fstat(two.fileno()).st_ino
        one.write(b" more")
        two.write(b" and more")
    assert {p.name: p.read_text() for p in data.iterdir()} == {"Readme": "one more", "README": "two and more", "readme": "three"}
    os.unlink(z / "README")
    assert sorted(os.listdir(z)) == ["Readme", "readme"] and (z / "Readme").read_text() == "one more"
    assert error_name(error_of(lambda: open(z / "README", "rb"))) == "ENOENT"


def test_a_rename_from_one_case_to_another(cased):
    z, data = cased
    (z / "a").write_text("a")
    (z / "A").write_text("A")
    with opened(z / "A", "rb") as replaced:
        os.rename(z / "a", z / "A")
        assert replaced.read() == b"A"
    assert os.listdir(z) == ["A"] and (data / "A").read_text() == "a"
    os.rename(z / "A", z / "a")
    assert os.listdir(z) == ["a"] and (z / "a").read_text() == "a"
    for name in ("d", "D"):
        (z / name).mkdir()
        (z / name / "f").write_text(name)
    os.rename(z / "D" / "f", z / "d" / "F")
    assert {p.name: p.read_text() for p in (data / "d").iterdir()} == {"f": "d", "F": "D"}
    os.rmdir(z / "D")
    assert sorted(p.name for p in z.iterdir()) == ["a", "d"]
