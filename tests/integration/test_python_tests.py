# SPDX-License-Identifier: GPL-3.0-or-later
"""Python's own tests of files (Debian's libpython3.11-testsuite), with their folder on the drive. They skip by themselves most
of what needs symbolic links; --long adds the modules that take minutes."""

import re
from pathlib import Path

import pytest

MODULES = """test_dbm_dumb test_file test_filecmp test_fileinput test_fileio test_genericpath test_gzip test_mailbox test_mmap
    test_pathlib test_posix test_shelve test_shutil test_stat test_tempfile""".split()
LONG_MODULES = "test_bz2 test_glob test_io test_largefile test_os test_tarfile test_zipfile".split()

# What fails, and why.
LINKS = "it needs symbolic or hard links"
CASE = "the server does not tell upper from lower case"
UTF8 = "its folder's name is not UTF-8, which is refused"
EXPECTED = {
    **{f"test_os.Pep383Tests.{name}": UTF8 for name in ("test_listdir", "test_open", "test_stat", "test_statvfs")},
    "test_pathlib.PathTest.test_chmod_follow_symlinks_true": LINKS,
    "test_pathlib.PathTest.test_hardlink_to": LINKS,
    "test_pathlib.PosixPathTest.test_chmod_follow_symlinks_true": LINKS,
    "test_pathlib.PosixPathTest.test_hardlink_to": LINKS,
    "test_pathlib.PosixPathTest.test_glob": CASE,
    "test_pathlib.PosixPathTest.test_rglob": CASE,
    "test_posix.PosixTester.test_lchown": LINKS,
    "test_posix.TestPosixDirFd.test_readlink_dir_fd": LINKS,
    "test_posix.TestPosixDirFd.test_symlink_dir_fd": LINKS,
}


@pytest.mark.time_limit(900)
@pytest.mark.parametrize("module", [*MODULES, *LONG_MODULES])
def test_pythons_own_tests_of_files(module, z, wnet, long):
    if not Path(f"/usr/lib/python3.11/test/{module}.py").exists():
        pytest.skip("libpython3.11-testsuite is not installed")
    if module in LONG_MODULES and not long:
        pytest.skip("takes minutes: --long")
    (z / "tmp").mkdir()
    result = wnet.program("/usr/bin/python3", "-m", "test", "--tempdir", z / "tmp", "-v", module,
                          env={**wnet.env, "TMPDIR": str(z / "tmp")}, timeout=800)
    text = result.out + result.err
    assert re.search(r"^Ran [1-9]\d* test", text, re.MULTILINE), text[-2000:]
    failed = set(re.findall(r"^(?:ERROR|FAIL): \w+ \(test\.([\w.]+)\)", text, re.MULTILINE))
    expected = {name for name in EXPECTED if name.startswith(module + ".")}
    assert failed == expected, text[-6000:]
    assert result.code == 0 or failed, text[-2000:]
