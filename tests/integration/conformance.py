# SPDX-License-Identifier: GPL-3.0-or-later
"""What the conformance test stands on: the rows of the specification, who calls (a program with the library, or a person with the
tool), and the page that says which case shows what. The cases are in test_conformance.py."""

import contextlib
import json
import os
import re
import subprocess

from harness import ALICE, LONG, PASSWORD, TOP, mounts_below
from library import CONNECTED, DISK, REDIRECT, UPDATE_PROFILE, Library

DOCUMENT = TOP / "docs" / "conformance.md"
HEADER = TOP / "core" / "libwnet" / "include" / "wnet" / "wnet.h"

CANCEL, ADD, USE, GET, RESTORE = (f"WNet{name}" for name in ("CancelConnection2", "AddConnection2", "UseConnection", "GetConnection",
                                                            "RestoreConnection"))
BOTH = (0, UPDATE_PROFILE)  # what an answer often does not depend on
# why the tool cannot say it
FLAGS = "the tool has no such flags to give"
POINTERS = "the tool passes no pointers"
BUFFERS = "the tool needs no buffer of its caller's"
TYPES = "the tool takes the device's own kind"

# Every row of the specification, in its own words.
ROWS = {
    "WNetCancelConnection2": [
        "the device is connected, nothing in use",
        "connected device, flags 0, it has a row",
        "connected device, CONNECT_UPDATE_PROFILE, it has a row",
        "connected device, CONNECT_UPDATE_PROFILE, no row",
        "row only (not connected), CONNECT_UPDATE_PROFILE",
        "row only, flags 0",
        "a remote name with live connections",
        "a remote name with rows only",
        "unknown bits in dwFlags",
        "the device is still connecting",
        "neither redirected nor remembered; unknown, empty, NULL or malformed name; a plain local directory",
        "open files, open directory handles, live memory maps, a running program (it holds its file open), or unfinished print jobs, "
        "fForce FALSE",
        "busy though no handle is open (a working directory or a root inside it, another filesystem mounted on it), fForce FALSE",
        "a remote name, several connections, one of them in use, fForce FALSE",
        "fForce TRUE",
        "CONNECT_UPDATE_PROFILE on a persistent device, profile cannot be opened (missing rights, locked past a bounded wait, a "
        "directory in its place, read-only, the disk full)",
        "the same, but the file is not a profile (garbage, zero bytes, another schema, a newer version)",
        "the same two, but flags 0, a remote name, or a device that is not persistent",
        "an internal failure on the way",
        "A refusal is never spurious: a file closed before the call does not count.",
        "An answer 0 is never early: when it returns, the mount is gone from the mount table.",
        "A race with an open ends one way or the other: 2401 and the opener's handle works, or 0 and the open fails.",
        "A device cancelled with flags 0 stays unavailable until the next logon or an explicit restore: nothing reconnects it behind "
        "the user's back.",
        "WNetCancelConnection(lpName, fForce) is WNetCancelConnection2 with CONNECT_UPDATE_PROFILE.",
    ],
    "Adding": [
        "WNetAddConnection2 / 3 with CONNECT_UPDATE_PROFILE and a device",
        "the same without a device, or failed",
        "WNetAddConnection (the old call)",
        "device already connected, even to the same resource",
        "device remembered for another resource",
        "device remembered for the same resource",
        "malformed local name / malformed or empty remote name / unknown provider",
        "unknown dwType or flag bits",
        "a printer resource on a drive letter, or a disk on LPTn",
        "no such server / no such share",
        "wrong password or unknown user / access denied to the share",
        "other credentials for the same server (name and port) than a live connection's",
        "WNetUseConnection with CONNECT_REDIRECT and no device",
        "WNetUseConnection buffer: NULL with size 0; pointer with size 0; too small; large enough",
        "CONNECT_REDIRECT with RESOURCETYPE_ANY and no device",
        "profile broken and CONNECT_UPDATE_PROFILE asked",
        "cancelled while it was still connecting",
    ],
    "Asking": [
        "WNetGetConnection",
        "WNetGetLastError",
        "WNetOpenEnum / WNetEnumResource / WNetCloseEnum",
        "WNetGetUniversalName",
        "WNetRestoreConnection",
        "Every function has its A form (UTF-8) and W form (UTF-16), and the unsuffixed macro that UNICODE switches.",
    ],
    "Names and errors": [
        "redirected local device: names are case-insensitive; a trailing colon is part of a drive name and optional for a printer port",
        "remote network resource: compared case-insensitively; //server/share and smb://server/share mean the same; a deeper path is a "
        "resource of its own; one trailing separator is ignored",
        "Every call returns its code and sets the calling thread's last error to the same value.",
    ],
}

# Codes of the header that no row of the specification asks for, and the tests that show them.
ARGUMENTS = "unit/test-libwnet-arguments.c"
ELSEWHERE = {
    ("WNetAddConnection2", 86): "test_libwnet.py: test_a_failed_add_leaves_nothing",
    ("WNetAddConnection2", 170): "unit/test-cancel-several.c: added_while_forgotten",
    ("WNetAddConnection2", 487): f"{ARGUMENTS}: test_add_bad_arguments",
    ("WNetAddConnection2", 1208): "test_keyring.py: test_locked_it_cannot_be_saved",
    ("WNetAddConnection2", 2202): "test_libwnet.py: test_a_failed_add_leaves_nothing",
    ("WNetGetUser", 0): "test_libwnet_ask.py: test_get_user",
    ("WNetGetUser", 234): "test_libwnet_ask.py: test_get_user",
    ("WNetGetUser", 487): f"{ARGUMENTS}: test_get_user",
    ("WNetGetUser", 2250): "test_libwnet_ask.py: test_get_user",
    ("WNetOpenEnum", 67): "test_libwnet_ask.py: test_a_servers_shares",
    ("WNetOpenEnum", 1204): "test_libwnet_ask.py: test_a_servers_shares",
    ("WNetOpenEnum", 1208): "unit/test-libwnet-handles.c: test_limit",
    ("WNetEnumResource", 487): "test_libwnet_ask.py: test_enumeration_piece_by_piece",
    ("WNetEnumResource", 87): "test_libwnet_ask.py: test_enumeration_piece_by_piece",
    ("WNetGetUniversalName", 1200): "test_libwnet_ask.py: test_universal_name",
    ("WNetRestoreConnection", 1200): "test_libwnet_ask.py: test_restore",
    ("WNetGetConnection", 1205): "test_libwnet_ask.py: test_without_a_profile",
    ("WNetGetConnection", 1206): "test_libwnet_ask.py: test_without_a_profile",
    ("WNetGetUniversalName", 1205): "test_libwnet_ask.py: test_without_a_profile",
    ("WNetGetUniversalName", 1206): "test_libwnet_ask.py: test_without_a_profile",
    ("WNetOpenEnum", 1205): "test_libwnet_ask.py: test_without_a_profile",
    ("WNetOpenEnum", 1206): "test_libwnet_ask.py: test_without_a_profile",
    ("WNetRestoreConnection", 1205): "test_libwnet_ask.py: test_without_a_profile",
    ("WNetRestoreConnection", 1206): "test_libwnet_ask.py: test_without_a_profile",
}
# Codes that no test brings about, and why.
NOT_SHOWN = {
    ("WNetAddConnection2", 1203): "an alternative to 53, which wnet answers",
    ("WNetOpenEnum", 5): "smbd lists its shares to everybody whom it lets in",
    ("WNetOpenEnum", 86): "an alternative to 1326, which wnet answers to a wrong password",
    ("WNetOpenEnum", 1203): "an alternative to 53, which wnet answers",
}

CASES = []


class Case:
    def __init__(self, row, shows, only_in_c, body):
        self.row, self.shows, self.only_in_c, self.body = row, shows, only_in_c, body
        self.name = body.__name__.strip("_").replace("_", " ")
        self.number = len(CASES)
        self.chapter = next(chapter for chapter, rows in ROWS.items() if row in rows)


def case(row, shows, only_in_c=None):
    """A case of the row that begins so. shows: {function: the codes that the case sees it answer}. only_in_c: why the tool cannot
    say it."""
    (whole,) = [r for rows in ROWS.values() for r in rows if r == row] or [r for rows in ROWS.values() for r in rows if r.startswith(row)]

    def register(body):
        CASES.append(Case(whole, {f: (c,) if isinstance(c, int) else c for f, c in shows.items()}, only_in_c, body))
        return body

    return register


def summary():
    rows = [row for chapter in ROWS.values() for row in chapter]
    through_tool = {c.row for c in CASES if not c.only_in_c}
    covered = {c.row for c in CASES}
    return (f"{len(rows)} rows: {len(covered)} through the library, {len(through_tool)} through the tool, "
            f"{len(covered - through_tool)} only in the C API; {len(CASES)} cases: {sum(not c.only_in_c for c in CASES)} through both")


# who calls


class Caller:
    """What both can say. Each call gives its code, which is also kept in .seen."""

    def __init__(self, wnet, server, make_server):
        self.wnet, self.server, self.make_server = wnet, server, make_server
        self.seen = set()
        self.text = ""  # what the last call that failed said

    def saw(self, function, code):
        self.seen.add((function, code))
        return code

    # set-up, always with the tool

    def connect(self, *devices, share="data"):
        for device in devices:
            self.wnet.add(device, self.server.url(share))

    def connect_share(self, share="data"):
        self.wnet.ok("add", self.server.url(share), "--user", ALICE, "--password-stdin", input=PASSWORD + "\n")

    def remember(self, *devices, share="data", url=None):
        for device in devices:
            self.wnet.ok("add", device, url or self.server.url(share), "--credentials", self.wnet.credentials(), "--persistent")

    def remember_only(self, *devices, **kwargs):
        self.remember(*devices, **kwargs)
        for device in devices:
            self.wnet.ok("cancel", device)

    def next_logon(self):
        self.wnet.ok("shutdown", "--force")

    # what is to be seen

    def folder(self, device="Z:"):
        return self.wnet.folder(device)

    def connected(self):
        """The devices, "" for a deviceless connection; each is mounted, and nothing else is."""
        listed = sorted(entry["device"] for entry in self.wnet.list() if entry["state"] != "unavailable")
        assert len(mounts_below(self.wnet.drives)) == len(listed), "what is listed and what is mounted differ"
        for device in listed:
            assert not device or self.wnet.mount(device)
        return listed

    def rows(self):
        return sorted(self.wnet.rows())

    def works(self, device="Z:"):
        """New opens do."""
        probe = self.folder(device) / "probe"
        probe.write_text(device)
        assert (self.server.data / "probe").read_text() == device
        probe.unlink()

    def state(self):
        profile = self.wnet.profile
        try:
            names = sorted(name for name in os.listdir(profile.parent) if name.startswith("profile.db"))
            kept = names, profile.lstat().st_ino, profile.is_file() and profile.read_bytes()
        except OSError as e:
            kept = type(e).__name__
        entries = [(e["device"], e["remote"], e["state"], e["persistent"], e["since"]) for e in self.wnet.list()]
        return entries, sorted(mounts_below(self.wnet.drives)), kept

    @contextlib.contextmanager
    def unchanged(self):
        before = self.state()
        yield
        assert self.state() == before, "it is not as it was before"


class ThroughLibrary(Caller):
    def __init__(self, wnet, server, make_server, form):
        super().__init__(wnet, server, make_server)
        self.lib = Library(wnet, form)

    def call(self, function, *arguments, input=""):
        """Any function, by the probe's word for it, as a dict; its last error is compared with its code there."""
        result = self.lib(*arguments, input=input)
        self.text = result["text"]
        self.saw(function, result["code"])
        return result

    def _arguments(self, device, remote, flags, type, user, password):
        return ["add2", type, device, remote, None, "@stdin" if password is not None else None, user, flags]

    def add(self, device, remote, flags=0, type=DISK, user=ALICE, password=PASSWORD):
        return self.call("WNetAddConnection2", *self._arguments(device, remote, flags, type, user, password), input=f"{password}\n")["code"]

    def start_add(self, device, remote, flags=0):
        process = self.lib.start(self._arguments(device, remote, flags, DISK, ALICE, None))

        def answer():
            out, _err = process.communicate(timeout=LONG)
            return self.saw("WNetAddConnection2", json.loads(out)["code"])

        return answer

    def add_anywhere(self, remote):
        result = self.call("WNetUseConnection", "use", DISK, None, remote, None, "@stdin", ALICE, REDIRECT, 3, input=PASSWORD + "\n")
        assert result["code"] or result["result"] == 0x100  # CONNECT_LOCALDRIVE
        return result["code"], result.get("name")

    def cancel(self, name, flags=0, force=0):
        return self.call("WNetCancelConnection2", "cancel2", name, flags, force)["code"]

    def get(self, device):
        result = self.call("WNetGetConnection", "get", device, 1000)
        return result["code"], result.get("name")

    def restore(self, device=None):
        return self.call("WNetRestoreConnection", "restore", device)["code"]

    def enumerate(self, scope=CONNECTED):
        self.saw("WNetOpenEnum", 0)
        return sorted((device or "", remote) for device, remote in self.lib.enumerate(scope))


class ThroughTool(Caller):
    def call(self, function, *arguments, run=None, input=None):
        result = (run or self.wnet.run)(*arguments, **({"input": input} if input is not None else {}))
        return self.answer(function, result.code, result.err)

    def answer(self, function, exit_code, err):
        if exit_code == 0:
            return self.saw(function, 0)
        told = re.search(r"^wnet: (.+) \((ERROR_[A-Z_]+), (\d+)\)$", err, re.MULTILINE)
        assert exit_code == 1 and told, f"no error in the usual form: exit {exit_code}: {err}"
        self.text = told[1]
        return self.saw(function, int(told[3]))

    @staticmethod
    def _arguments(device, remote, flags, user, password):
        return ["add", *([device] if device else []), remote, *(["--user", user] if user else []),
                *(["--password-stdin"] if password is not None else []), *(["--persistent"] if flags & UPDATE_PROFILE else [])]

    def add(self, device, remote, flags=0, type=DISK, user=ALICE, password=PASSWORD):
        assert type == DISK
        return self.call("WNetAddConnection2", *self._arguments(device, remote, flags, user, password),
                         input=f"{password}\n" if password is not None else None)

    def start_add(self, device, remote, flags=0):
        process = self.wnet.popen([self.wnet.build / "wnet", *self._arguments(device, remote, flags, ALICE, PASSWORD)],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        process.stdin.write(PASSWORD + "\n")
        process.stdin.flush()

        def answer():
            _out, err = process.communicate(timeout=LONG)
            return self.answer("WNetAddConnection2", process.returncode, err)

        return answer

    def add_anywhere(self, remote):
        before = set(self.connected())
        code = self.call("WNetUseConnection", *self._arguments("*", remote, 0, ALICE, PASSWORD), input=PASSWORD + "\n")
        (device,) = set(self.connected()) - before or {None}
        return code, device

    def cancel(self, name, flags=0, force=0, **kwargs):
        return self.call("WNetCancelConnection2", "cancel", name, *(["--forget"] if flags else []), *(["--force"] if force else []), **kwargs)

    def get(self, device):
        code = self.call("WNetGetConnection", "get", device)
        return code, self.wnet.run("get", device).out.strip() or None

    def restore(self, device=None):
        return self.call("WNetRestoreConnection", "restore", *([device] if device is not None else []))

    def enumerate(self, scope=CONNECTED):
        self.saw("WNetOpenEnum", 0)
        return sorted((entry["device"], entry["remote"]) for entry in self.wnet.list()
                      if (entry["state"] != "unavailable" if scope == CONNECTED else entry["persistent"]))


# the page


def numbers():
    return {name: int(number) for name, number in re.findall(r"#define ((?:NO_)?ERROR\w*) (\d+)\n", HEADER.read_text(encoding="utf-8"))}


def documented():
    """{function: its codes} as the header documents them, without what it takes over from another function."""
    codes, result = numbers(), {}
    for comment, function in re.findall(r"/\*((?:(?!\*/).)*?)\*/\nDWORD WINAPI (\w+?)A?\(", HEADER.read_text(encoding="utf-8"), re.DOTALL):
        lists = re.findall(r"^ \* ((?:NO_ERROR|ERROR_\w+)(?:, ERROR_\w+)*)  ", comment, re.MULTILINE)
        result[function] = sorted({codes[name] for names in lists for name in names.split(", ")})
    return result


def shown(function, code):
    tests = [f"{c.chapter}: {c.name}" for c in CASES if code in c.shows.get(function, ())]
    if (function, code) in ELSEWHERE:
        tests.append(ELSEWHERE[function, code])
    return tests


def page():
    names = {number: name for name, number in numbers().items()}
    lines = ["<!-- SPDX-License-Identifier: GPL-3.0-or-later -->",
             "<!-- Written by: /usr/bin/python3 tests/integration/test_conformance.py --write-docs -->",
             "# Which test shows what", "",
             "The cases of `tests/integration/test_conformance.py`, by the rows of the specification. Each is run through the library, and, "
             "where the tool can say the same, through the tool.", ""]
    for chapter, rows in ROWS.items():
        lines += [f"## {chapter}", "", "| row | case | codes | through |", "|---|---|---|---|"]
        for row in rows:
            for c in CASES:
                if c.row == row:
                    codes = "; ".join(f"{function} {', '.join(map(str, sorted(of)))}" for function, of in c.shows.items())
                    through = f"the library alone: {c.only_in_c}" if c.only_in_c else "both"
                    lines.append(f"| {row} | {c.name} | {codes} | {through} |")
        lines.append("")
    lines += ["## By function and code", "", "What the header says that a function answers. 1208 can come from any; it is shown once.", "",
              "| function | code | shown by |", "|---|---|---|"]
    functions = documented()
    for function in functions:
        for code in sorted({*functions[function], *(k for c in CASES for k in c.shows.get(function, ()))}):
            by = "; ".join(shown(function, code)) or f"none: {NOT_SHOWN.get((function, code))}"
            lines.append(f"| {function} | {code} {names[code]} | {by} |")
    return "\n".join(lines) + "\n"
