# SPDX-License-Identifier: GPL-3.0-or-later
"""Windows' names for the arguments of the C library, and a caller of it: the probe, a program of its own."""

import json
import subprocess

from harness import ALICE, LONG, PASSWORD

ANY, DISK, PRINT = 0, 1, 2
UPDATE_PROFILE, TEMPORARY, INTERACTIVE, REDIRECT, LOCALDRIVE = 1, 4, 8, 0x80, 0x100
CONNECTED, GLOBALNET, REMEMBERED = 1, 2, 3
ALL = 0xFFFFFFFF
UNIVERSAL, REMOTE = 1, 2
CONNECTABLE, CONTAINER = 1, 2
BEFORE_ASKING = (87, 124, 234, 259, 487, 1200, 1204)  # codes without a cause of their own


class Library:
    """Calls the probe: lib(CALL, ARGUMENT…) is the dict that it prints; a call that fails says so in words, too."""

    def __init__(self, wnet, form):
        self.wnet, self.wide = wnet, form == "wide"
        self.program = wnet.build / "tests" / "integration" / ("libwnet-probe-wide" if self.wide else "libwnet-probe")
        self.char_bytes = 2 if self.wide else 1
        self.bad_text = "%uD83D" if self.wide else "%FF"  # an unpaired surrogate, or no UTF-8

    def start(self, *calls, **kwargs):
        args = []
        for call in calls:
            args += ["--", *call] if args else call
        return self.wnet.popen([self.program, *map(self.argument, args)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, **kwargs)

    @staticmethod
    def argument(value):
        return "NULL" if value is None else str(value)

    def calls(self, *calls, input=""):
        process = self.start(*calls)
        out, err = process.communicate(input, timeout=LONG)
        assert process.returncode == 0 and err == "", (process.returncode, out, err)
        results = [json.loads(line) for line in out.splitlines()]
        for result in results:
            assert result["last"] == result["code"], "the last error is what the call returned"
        return results

    def __call__(self, *call, input=""):
        result, error = self.calls(call, ["error", 600, 16], input=input)
        assert error["provider"] == "wnet"
        if result["code"] in BEFORE_ASKING:
            assert error["error"] == result["code"], (result, error)
        assert bool(error["error"]) == bool(result["code"]), (result, error)
        assert bool(error["text"]) == (result["code"] != 0), error
        result["text"], result["cause"] = error["text"], error["error"]
        return result

    def code(self, *call, input=""):
        return self(*call, input=input)["code"]

    def add(self, device, remote, flags=0, type=DISK, user=ALICE, password=PASSWORD):
        return self.code("add2", type, device, remote, None, "@stdin" if password is not None else None, user, flags,
                         input=f"{password}\n")

    def use(self, device, remote, flags, buffer, *rest, type=DISK, user=ALICE, password=PASSWORD):
        return self("use", type, device, remote, None, "@stdin" if password is not None else None, user, flags, buffer, *rest,
                    input=f"{password}\n")

    def enumerate(self, scope, type=ANY, *container):
        opened, listed, ended, closed = self.calls(["open", scope, type, *container], ["next", ALL, 100_000], ["next", ALL, 100_000], ["close"])
        assert opened["code"] == 0 and closed["code"] == 0
        if listed["code"] == 259:
            return []
        assert listed["code"] == 0 and ended["code"] == 259, (listed, ended)
        assert listed["count"] == len(listed["entries"])
        for entry in listed["entries"]:
            assert entry["scope"] == scope and entry["provider"] == "wnet" and entry["comment"] == ""
            port = (entry["local"] or "").startswith("LPT")
            assert entry["type"] == (PRINT if port else DISK) or (scope == GLOBALNET and entry["type"] == PRINT)
            assert entry["display"] == 3 and entry["usage"] == 1
        return sorted(((entry["local"], entry["remote"]) for entry in listed["entries"]), key=str)
