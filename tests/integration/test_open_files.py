# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that are renamed, replaced or deleted while a program has them open."""

import os


def test_rename_of_an_open_file_keeps_it_usable(z, server):
    with open(z / "old", "w+b", buffering=0) as f:
        f.write(b"before ")
        os.rename(z / "old", z / "new")
        f.write(b"after")
        f.seek(0)
        assert f.read() == b"before after"
    assert (server.data / "new").read_bytes() == b"before after"
    assert not (server.data / "old").exists()


def test_saving_as_editors_do_while_another_program_reads(z, server):
    """Write beside, then rename over the original, which another program still has open."""
    (z / "doc").write_text("first version")
    with open(z / "doc", encoding="utf-8") as reader:
        (z / ".doc.tmp").write_text("second version")
        os.replace(z / ".doc.tmp", z / "doc")
        assert (z / "doc").read_text() == "second version"
        assert reader.read() in ("first version", "second version")
    assert (server.data / "doc").read_text() == "second version"
    assert sorted(os.listdir(server.data)) == ["doc"]


def test_a_file_deleted_while_it_is_open(z, server):
    with open(z / "temporary", "w+b", buffering=0) as f:
        f.write(b"kept")
        os.unlink(z / "temporary")
        assert not (z / "temporary").exists()
        f.seek(0)
        assert f.read() == b"kept"
    assert os.listdir(server.data) == []


def test_a_renamed_file_is_listed_under_its_name(z, wnet):
    with open(z / "old", "w", encoding="utf-8"):
        os.rename(z / "old", z / "new")
        (entry,) = wnet.ok("files", "Z:", "--json").json
        assert entry["path"].endswith("new")
