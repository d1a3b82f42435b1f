# SPDX-License-Identifier: GPL-3.0-or-later
"""`wnet use`: the words of Windows' `net use`, to the letter, and what they do."""

import os
import subprocess
from pathlib import Path

import pytest

from harness import ALICE, BOB, BOB_PASSWORD, LONG, PASSWORD, opened, wait_until
from secretservice import Keyring

DONE = "The command completed successfully.\n\n"
REMEMBERED = "New connections will be remembered.\n\n"
NOT_REMEMBERED = "New connections will not be remembered.\n\n"
NOTHING = "There are no entries in the list.\n\n"
NOT_FOUND = "The network connection could not be found.\n\nMore help is available by typing NET HELPMSG 2250.\n\n"
HEAD = "\nStatus       Local     Remote                    Network\n\n" + "-" * 79 + "\n"
FORCE = "Is it OK to continue disconnecting and force them closed? (Y/N) [N]: "
ALL = "Continuing will cancel the connections.\n\nDo you want to continue this operation? (Y/N) [N]: "
SYNTAX = "The syntax of this command is:\n\nwnet use\n[devicename | *] [\\\\computername\\sharename[\\volume] [password | *]]\n"
EATEN = "(a shell takes backslashes away: put the name in quotation marks, or write //server/share)\n"
BAD_LOGON = "System error 1326 has occurred.\n\nThe user name or password is incorrect.\n\n"


def open_files(name):
    return f"There are open files and/or incomplete directory searches pending on the connection to {name}.\n\n{FORCE}"


@pytest.fixture
def use(wnet):
    def run(*args, **kwargs):
        return wnet.program(wnet.build / "wnet", "use", *args, **kwargs)

    def ok(*args, **kwargs):
        result = run(*args, **kwargs)
        assert result.code == 0, repr(result)
        assert all(line.startswith("note: ") for line in result.err.splitlines()), repr(result)
        return result.out

    def fails(*args, **kwargs):
        result = run(*args, **kwargs)
        assert (result.code, result.out) == (2, ""), repr(result)
        return result.err

    run.ok, run.fails = ok, fails
    return run


@pytest.fixture
def unc(server):
    return server.unc()


def logon(*args, user=ALICE, password=PASSWORD):
    return [*args, password, f"/user:{user}"]


def row(status, local, remote):
    if len(remote) <= 25:
        return f"{status:<12} {local:<9} {remote:<25} wnet\n"
    return f"{status:<12} {local:<9} {remote}\n{'':49}wnet\n"


# connecting and listing


def test_nothing_there(use, wnet):
    assert use.ok() == REMEMBERED + NOTHING
    assert use.fails("Z:") == NOT_FOUND
    assert use.fails("Z:", "/delete") == use.fails("//server/share", "/delete") == NOT_FOUND
    assert use.fails("Z", "/delete") == use.fails("nonsense", "/delete", "/y") == NOT_FOUND
    assert use.ok("*", "/delete") == use.ok("*", "/DELETE", "/Y") == NOTHING
    assert wnet.list() == []


def test_a_drive(use, wnet, server, unc):
    assert use.ok(*logon("z:", unc)) == DONE
    (wnet.folder("Z:") / "f").write_text("x")
    assert (server.data / "f").read_text() == "x"
    assert set(wnet.rows()) == {"Z:"}, "remembered: nobody has said otherwise"
    assert use.ok("X:", server.url("readonly"), "/persistent:no") == DONE, "as the user of the live connection"
    assert use.ok() == NOT_REMEMBERED + HEAD + row("OK", "Z:", unc) + row("OK", "X:", server.unc("readonly")) + DONE
    with open(wnet.folder("Z:") / "f", "rb"):
        shown = f"Local name        Z:\nRemote name       {unc}\nResource type     Disk\nStatus            OK\n"
        assert use.ok("Z:") == f"{shown}# Opens           1\n# Connections     1\n{DONE}"
    assert use.fails("Z:", unc) == "System error 85 has occurred.\n\nThe local device name is already in use.\n\n"
    assert use.ok("z:", "/DELETE") == "Z: was deleted successfully.\n\n"
    assert use.ok("X:", "/d") == "X: was deleted successfully.\n\n"
    assert wnet.list() == [] and wnet.rows() == {}


def test_any_letter(use, wnet, unc):
    assert use.ok(*logon("*", unc)) == f"Drive Z: is now connected to {unc}.\n\n{DONE}"
    assert use.ok("*", unc) == f"Drive Y: is now connected to {unc}.\n\n{DONE}"
    assert use.ok("Y:").endswith("# Opens           0\n# Connections     2\n" + DONE)


def test_without_a_device(use, wnet, server, unc):
    assert use.ok(*logon(unc), "/persistent:yes") == DONE
    assert use.ok(unc) == use.ok(server.url()) == (f"Local name        \nRemote name       {unc}\nResource type     Disk\n"
                                                   f"Status            OK\n# Opens           0\n# Connections     1\n{DONE}")
    wnet.add("Z:", server.url())
    with open(wnet.folder("Z:") / "f", "w", encoding="utf-8"):
        assert "\n# Opens           0\n# Connections     2\n" in use.ok(unc) and "\n# Opens           1\n" in use.ok("Z:")
    wnet.ok("cancel", "Z:")
    assert use.ok(server.unc("readonly")) == DONE, "what is not connected is connected"
    assert use.ok() == REMEMBERED + HEAD + row("OK", "", unc) + row("OK", "", server.unc("readonly")) + DONE
    assert wnet.rows() == {}, "it is never remembered"
    assert use.ok(server.url(), "/delete") == f"{unc} was deleted successfully.\n\n"
    assert [entry["remote"] for entry in wnet.list()] == [server.unc("readonly")]


def test_a_folder_of_a_share(use, wnet, server, unc):
    (server.data / "dir").mkdir()
    (server.data / "dir" / "f").write_text("x")
    assert use.ok(*logon("Z:", unc + "\\dir")) == DONE
    assert os.listdir(wnet.folder("Z:")) == ["f"]


def test_a_printer(use, wnet, make_server):
    server = make_server(more_shares={"printer": {"path": "spool", "printed": "printed"}})
    assert use.ok(*logon("lpt1:", server.unc("printer"))) == DONE
    shown = f"Local name        LPT1\nRemote name       {server.unc('printer')}\nResource type     Print\nStatus            OK\n"
    assert use.ok("LPT1").startswith(shown)
    assert use.ok() == REMEMBERED + HEAD + row("OK", "LPT1", server.unc("printer")) + DONE
    wrong_type = "System error 66 has occurred.\n\nThe network resource type is not correct.\n\n"
    assert use.fails("LPT2", server.unc()) == use.fails("Z:", server.unc("printer")) == wrong_type
    assert use.ok("LPT1:", "/delete") == "LPT1 was deleted successfully.\n\n"
    assert wnet.list() == [] and wnet.rows() == {}


def test_what_is_not_connected(use, wnet, server, unc):
    wnet.ok("add", "Z:", server.url(), "--credentials", wnet.credentials(), "--persistent")
    wnet.ok("cancel", "Z:")
    assert use.ok() == REMEMBERED + HEAD + row("Unavailable", "Z:", unc) + DONE
    assert "Status            Unavailable\n# Opens           0\n# Connections     0\n" in use.ok("Z:")
    assert use.fails("Z:", server.unc("readonly")).startswith("System error 1202 has occurred.\n\n")
    assert use.ok("Z:", "/delete") == "Z: was deleted successfully.\n\n"
    assert wnet.list() == [] and wnet.rows() == {}


def test_a_server_that_is_away(use, wnet, server, unc):
    wnet.configure(operation_timeout=2)
    assert use.ok(*logon("Z:", unc)) == DONE
    server.stop()
    with pytest.raises(OSError):
        os.listdir(wnet.folder("Z:"))
    wnet.wait_state("Z:", "reconnecting")
    assert use.ok() == REMEMBERED + HEAD + row("Reconnecting", "Z:", unc) + DONE


# persistence


def test_the_last_setting_is_the_default(use, wnet, unc):
    assert use.ok("/persistent:no") == DONE
    assert use.ok() == NOT_REMEMBERED + NOTHING
    assert use.ok(*logon("Z:", unc)) == DONE
    assert wnet.rows() == {}
    assert use.ok("Y:", unc, "/PERSISTENT:YES") == DONE
    assert set(wnet.rows()) == {"Y:"}
    assert use.ok("X:", unc) == DONE
    assert set(wnet.rows()) == {"X:", "Y:"}, "said once, it is the default"
    wnet.ok("shutdown")
    assert use.ok().startswith(REMEMBERED)
    use.fails("W:", "//127.0.0.1:1/x", "/persistent:no")
    assert use.ok().startswith(REMEMBERED), "what failed was no setting"


def test_a_broken_profile(use, wnet, unc):
    wnet.expect_log("profile")
    wnet.profile.parent.mkdir(exist_ok=True)
    wnet.profile.write_text("garbage" * 100)
    result = use()
    assert (result.code, result.out) == (0, NOT_REMEMBERED + NOTHING) and str(wnet.profile) in result.err, repr(result)
    error = use.fails(*logon("Z:", unc))
    assert error.startswith("System error 1206 has occurred.\n\nThe network connection profile is corrupted.\n(") and str(wnet.profile) in error
    assert "/persistent:no" in error
    assert wnet.list() == []
    result = use(*logon("Z:", unc), "/persistent:no")
    assert (result.code, result.out) == (0, DONE) and result.err.startswith("note: /persistent could not be made the default: ")
    assert use.ok("Z:", "/delete") == "Z: was deleted successfully.\n\n"
    assert use.fails("/persistent:yes").startswith("System error 1206 has occurred.\n\n")
    assert wnet.profile.read_text() == "garbage" * 100


# failures


@pytest.mark.parametrize("args, error", [
    (["Z", "//s/x"], "System error 1200 has occurred.\n\nThe specified device name is invalid.\n\n"),
    (["LPT0"], "System error 1200 has occurred.\n\nThe specified device name is invalid.\n\n"),
    (["Z:", "\\s\\x"], f"System error 67 has occurred.\n\nThe network name cannot be found.\n{EATEN}\n"),
    (["\\sx", "/user:a"], f"System error 67 has occurred.\n\nThe network name cannot be found.\n{EATEN}\n"),
    (["Z:", "*"], f"System error 67 has occurred.\n\nThe network name cannot be found.\n{EATEN}\n"),
    (["Z:", "smb://a@s/x"], "System error 67 has occurred.\n\nThe network name cannot be found.\n(the user is given with /user)\n\n"),
    (["\\s\\x", "/delete"], f"The network connection could not be found.\n{EATEN}\nMore help is available by typing NET HELPMSG 2250.\n\n"),
    (["//s"], "System error 67 has occurred.\n\nThe network name cannot be found.\n\n"),
    (["Z:", "//s/x", "*"], "System error 87 has occurred.\n\nThe parameter is incorrect.\n(there is no terminal to ask for the password on)\n\n"),
    (["Z:", "//s/x", "/user:a\\b\\c", "word"], "The specified username is invalid.\n\nMore help is available by typing NET HELPMSG 2202.\n\n"),
], ids=" ".join)
def test_what_cannot_be_done(use, wnet, args, error):
    assert use.fails(*args) == error
    assert wnet.list() == []


def test_what_the_server_refuses(use, wnet, server):
    assert use.fails(*logon("Z:", server.unc(), password="not-it")) == BAD_LOGON
    assert use.fails(*logon("Z:", server.unc("denied"))) == "System error 5 has occurred.\n\nAccess is denied.\n\n"
    assert use.fails(*logon("Z:", server.unc("none"))) == "System error 67 has occurred.\n\nThe network name cannot be found.\n\n"
    error = use.fails("Z:", "//127.0.0.1:1/x")
    assert error.startswith(("System error 53 has occurred.\n\nThe network path was not found.\n\n", "System error 1203 has occurred.\n\n"))
    assert wnet.list() == [] and wnet.rows() == {}
    use.ok(*logon("Z:", server.unc()))
    error = use.fails(*logon("Y:", server.unc("denied"), user=BOB, password=BOB_PASSWORD))
    assert error.startswith("System error 1219 has occurred.\n\nMultiple connections to a server") and "Z:" in error


@pytest.mark.parametrize("args, first", [
    (["/nonsense"], "The option /nonsense is unknown.\n\n"), (["Z:", "/persistent:maybe", "//s/x"], "You entered an invalid value for the /persistent option.\n\n"),
    (["Z:", "//s/x", "/user"], "You entered an invalid value for the /user option.\n\n"), (["/delete"], ""), (["Z:", "//s/x", "a", "b"], ""),
    (["Z:", "/delete", "/user:x"], ""), (["*"], "")], ids=" ".join)
def test_wrong_usage(use, wnet, args, first):
    assert use.fails(*args).startswith(first + SYNTAX)
    assert wnet.daemons() == []


def test_help(use, wnet):
    assert use.ok("/?") == use.ok("/HELP") == use.ok("--help") == wnet.ok("help", "use").out
    assert SYNTAX.partition("\n\n")[2] in use.ok("/?") and wnet.daemons() == []


def test_a_password_on_the_command_line_is_erased(use, wnet, server, unc):
    wnet.list()
    server.freeze()
    tool = wnet.popen([wnet.build / "wnet", "use", *logon("Z:", unc)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wnet.wait_state("Z:", "connecting")
    command_line = Path(f"/proc/{tool.pid}/cmdline").read_bytes()
    server.thaw()
    out, _err = tool.communicate(timeout=LONG)
    assert b"/user:alice" in command_line and PASSWORD.encode() not in command_line
    assert (tool.returncode, out) == (0, DONE)


# disconnecting what is in use


def test_open_files_and_nobody_to_ask(use, wnet, unc):
    use.ok(*logon("Z:", unc))
    with opened(wnet.folder("Z:") / "f", "wb") as f:
        result = use("Z:", "/delete", input="y\n")
        assert (result.code, result.out, result.err) == (2, open_files("Z:") + "\n", ""), "no terminal: that counts as N"
        f.write(b"still works")
        assert set(wnet.rows()) == {"Z:"}
        assert use(unc, "/delete").out == open_files(unc) + "\n"
        assert use.ok("Z:", "/delete", "/y") == "Z: was deleted successfully.\n\n"
        with pytest.raises(OSError):
            f.write(b"any more")
    assert wnet.list() == [] and wnet.rows() == {} and wnet.mount("Z:") is None


@pytest.mark.parametrize("answer", ["\n", "n\n", "No\n", "what\nN\n", "\x04"])
def test_open_files_and_the_answer_is_no(use, wnet, unc, terminal, answer):
    use.ok(*logon("Z:", unc))
    with open(wnet.folder("Z:") / "f", "wb"):
        on = terminal("use", "Z:", "/delete")
        on.wait_for(FORCE)
        on.type(answer)
        assert on.end() == 2, on.shown
        assert on.shown.startswith(open_files("Z:")) and "deleted" not in on.shown
        assert on.shown.count(FORCE) == (2 if "what" in answer else 1)
    assert wnet.entry("Z:")["state"] == "ok" and set(wnet.rows()) == {"Z:"}


@pytest.mark.parametrize("answer", ["y\n", "YES\n"])
def test_open_files_and_the_answer_is_yes(use, wnet, unc, terminal, answer):
    use.ok(*logon("Z:", unc))
    with opened(wnet.folder("Z:") / "f", "wb"):
        on = terminal("use", "z:", "/delete")
        on.wait_for(FORCE)
        on.type(answer)
        assert on.end() == 0
        assert on.shown == open_files("Z:") + answer + "\nZ: was deleted successfully.\n\n"
    assert wnet.list() == [] and wnet.rows() == {}


def test_a_working_directory(use, wnet, unc):
    use.ok(*logon("Z:", unc))
    sleeper = wnet.popen(["sleep", "1000"], cwd=wnet.folder("Z:"))
    result = use("Z:", "/delete")
    assert (result.code, result.err) == (2, "") and result.out == f"The connection to Z: is in use by an active process.\n\n{FORCE}\n"
    assert use.ok("Z:", "/delete", "/y") == "Z: was deleted successfully.\n\n"
    sleeper.kill()


def connections(*rows):
    return "You have these remote connections:\n\n" + "".join(f"    {device:<15} {remote}\n" for device, remote in rows)


def test_all_of_them(use, wnet, server, unc, terminal):
    wnet.ok("add", "W:", server.url(), "--credentials", wnet.credentials(), "--persistent")
    wnet.ok("cancel", "W:")
    use.ok(*logon("Z:", unc))
    use.ok(unc)
    everything = connections(("W:", unc), ("Z:", unc), ("", unc))
    result = use("*", "/delete")
    assert (result.code, result.out, result.err) == (2, everything + ALL + "\n", "")
    assert len(wnet.list()) == 3
    on = terminal("use", "*", "/delete")
    on.wait_for(ALL)
    with opened(wnet.folder("Z:") / "f", "wb"):
        on.type("y\n")
        on.wait_for(open_files("Z:"))
        on.type("n\n")
        wait_until(lambda: on.read().count(FORCE) == 2, "the other connection to the same resource is not broken with it unasked")
        on.type("n\n")
        assert on.end() == 2
    assert sorted(entry["device"] for entry in wnet.list()) == ["", "Z:"]
    assert use.ok("*", "/delete", "/y") == connections(("Z:", unc), ("", unc)) + ALL.partition("\n\n")[0] + "\n\n" + DONE
    assert wnet.list() == [] and wnet.rows() == {}


# questions for a password


def test_a_password_is_asked_for(wnet, unc, terminal):
    on = terminal("use", "Z:", unc, "*", "/user:alice", "/persistent:no")
    on.answer(PASSWORD + "\n")
    assert on.end() == 0
    assert on.shown == f"Type the password for {unc}: \n{DONE}"
    assert wnet.mount("Z:")


def test_the_password_of_a_user(wnet, unc, terminal):
    on = terminal("use", "Z:", unc, "/user:alice", "/persistent:no")
    on.answer(PASSWORD + "\n")
    assert on.end() == 0
    assert on.shown == f"The password is invalid for {unc}.\n\nEnter the password for 'alice' to connect to '127.0.0.1': \n{DONE}"


def test_a_user_and_a_password(wnet, unc, terminal):
    on = terminal("use", "Z:", unc, "/persistent:no")
    on.wait_for("Enter the user name for '127.0.0.1': ")
    on.type("alice\n")
    on.answer(PASSWORD + "\n")
    assert on.end() == 0
    assert on.shown == (f"The password is invalid for {unc}.\n\nEnter the user name for '127.0.0.1': alice\n"
                        f"Enter the password for 127.0.0.1: \n{DONE}")
    assert wnet.entry("Z:")["user"].endswith("alice")


def test_a_password_is_saved(wnet, use, unc, terminal):
    keyring = Keyring(wnet)
    assert use.fails("Z:", unc, "/savecred", "/user:alice").startswith("System error 87 has occurred.\n\nThe parameter is incorrect.\n(")
    on = terminal("use", "Z:", unc, "/savecred", "/user:alice")
    on.answer(PASSWORD + "\n")
    assert on.end() == 0
    assert on.shown == f"Enter the password for 'alice' to connect to '127.0.0.1': \n{DONE}"
    wnet.ok("shutdown")
    wnet.list()
    wnet.wait_state("Z:", "ok")
    assert use.ok("Z:", "/delete") == "Z: was deleted successfully.\n\n"
    keyring.stop()


def test_a_wrong_answer(wnet, unc, terminal):
    on = terminal("use", "Z:", unc, "/user:alice")
    on.answer("not-it\n")
    assert on.end() == 2 and on.shown.endswith(BAD_LOGON)
    on = terminal("use", "Z:", unc, "*")
    on.answer("\x04")
    assert on.end() == 2 and on.shown.endswith("System error 1223 has occurred.\n\nThe operation was canceled by the user.\n\n")
    assert wnet.list() == []
