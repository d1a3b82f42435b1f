# SPDX-License-Identifier: GPL-3.0-or-later
"""The conformance test's cases of adding a connection."""

from conformance import ADD, BOTH, BUFFERS, FLAGS, TYPES, USE, ThroughTool, case
from harness import ALICE, BOB, BOB_PASSWORD, PASSWORD
from library import ANY, DISK, LOCALDRIVE, PRINT, REDIRECT, UPDATE_PROFILE
from test_profile_trouble import TROUBLE


@case("WNetAddConnection2 / 3 with CONNECT_UPDATE_PROFILE and a device", {ADD: 0})
def the_row_is_written(u):
    assert u.add("z:", u.server.unc(), UPDATE_PROFILE) == 0
    assert u.connected() == ["Z:"] and u.rows() == ["Z:"]
    assert u.wnet.rows()["Z:"]["remote"] == u.server.unc()
    u.works()


@case("WNetAddConnection2 / 3 with CONNECT_UPDATE_PROFILE and a device", {"WNetAddConnection3": 0}, only_in_c="one add in the tool")
def the_row_is_written_by_the_third_form(u):
    code = u.call("WNetAddConnection3", "add3", DISK, "Z:", u.server.unc(), None, "@stdin", ALICE, UPDATE_PROFILE, input=PASSWORD + "\n")["code"]
    assert code == 0 and u.connected() == ["Z:"] and u.rows() == ["Z:"]


@case("WNetAddConnection2 / 3 with CONNECT_UPDATE_PROFILE and a device", {ADD: 0})
def the_row_is_written_only_after_the_connection(u):
    u.wnet.list()
    u.server.freeze()
    try:
        answer = u.start_add("Z:", u.server.unc(), UPDATE_PROFILE)
        u.wnet.wait_state("Z:", "connecting")
        assert u.rows() == []
        u.wnet.ok("cancel", "Z:")
        answer()
    finally:
        u.server.thaw()
    assert u.rows() == []
    assert u.add("Z:", u.server.unc(), UPDATE_PROFILE) == 0 and u.rows() == ["Z:"]


@case("the same without a device, or failed", {ADD: 0})
def no_row_without_a_device(u):
    if isinstance(u, ThroughTool):
        assert u.add(None, u.server.unc()) == 0  # it has no --persistent without a device
    else:
        assert u.add(None, u.server.unc(), UPDATE_PROFILE) == 0
        u.wnet.ok("cancel", u.server.url())
        assert u.add("", u.server.unc(), UPDATE_PROFILE) == 0
    assert u.connected() == [""] and not u.wnet.profile.exists()
    u.next_logon()
    assert u.wnet.list() == []


@case("the same without a device, or failed", {ADD: (5, 67)})
def no_row_for_what_failed(u):
    assert u.add("Z:", u.server.unc("denied"), UPDATE_PROFILE) == 5
    assert u.add("Z:", u.server.unc("no-such-share"), UPDATE_PROFILE) == 67
    assert u.add("Z:", u.server.unc(), UPDATE_PROFILE, password="not-it") in (86, 1326)
    assert u.wnet.list() == [] and u.rows() == [] and u.connected() == []


@case("WNetAddConnection (the old call)", {"WNetAddConnection": (0, 67, 85, 1200)}, only_in_c="the tool has no older call")
def the_old_call_remembers(u):
    u.connect("Y:")  # whose credentials are reused

    def old(remote, local):
        return u.call("WNetAddConnection", "add", remote, None, local)["code"]

    assert old(u.server.unc(), "Z:") == 0
    assert u.rows() == ["Z:"] and u.connected() == ["Y:", "Z:"]
    assert old(u.server.unc(), "Z:") == 85 and old("", "X:") == 67 and old(u.server.unc(), "X") == 1200
    assert old(u.server.unc("readonly"), None) == 0
    assert u.rows() == ["Z:"] and u.connected() == ["", "Y:", "Z:"]


@case("device already connected, even to the same resource", {ADD: 85})
def already_connected(u):
    u.remember("Y:")
    u.connect("Z:")
    with u.unchanged():
        for device in ("Z:", "z:", "Y:"):
            for share in ("data", "readonly"):
                for flags in BOTH:
                    assert u.add(device, u.server.unc(share), flags) == 85
    u.works()


@case("device remembered for another resource", {ADD: 1202})
def remembered_for_another_resource(u):
    u.remember_only("Z:")
    with u.unchanged():
        for flags in BOTH:
            assert u.add("Z:", u.server.unc("readonly"), flags) == 1202
    assert u.wnet.rows()["Z:"]["remote"] == u.server.unc()


@case("device remembered for the same resource", {ADD: 0})
def reconnected_and_the_row_stays(u):
    for flags in BOTH:
        u.remember_only("Z:")
        assert u.add("Z:", u.server.unc().upper(), flags) == 0
        assert u.connected() == ["Z:"] and u.rows() == ["Z:"]
        u.works()
        u.wnet.ok("cancel", "Z:", "--forget")


MALFORMED = "malformed local name / malformed or empty remote name / unknown provider"


@case(MALFORMED, {ADD: 1200})
def a_malformed_local_name(u):
    for device in ("Z", "ZZ:", "1:", "LPT0", "LPT10", "Z:\\", "Z:" * 30_000, "/tmp"):
        assert u.add(device, u.server.unc()) == 1200, device
    assert u.wnet.list() == []


@case(MALFORMED, {ADD: 67})
def a_malformed_or_empty_remote_name(u):
    for remote in ("", "\\\\", "\\\\server", "server\\share", "//server/../x", "//s:0/x", "http://s/x", "//s//x", "\\\\" + "x" * 60_000):
        assert u.add("Z:", remote) == 67, remote
    assert u.wnet.list() == []


@case(MALFORMED, {ADD: 1204}, only_in_c="the tool has one provider")
def an_unknown_provider(u):
    for provider in ("Microsoft Windows Network", "wnet2", "x" * 60_000):
        assert u.call(ADD, "add2", DISK, "Z:", u.server.unc(), provider, None, None, 0)["code"] == 1204
    for provider in ("wnet", "WNet", ""):
        code = u.call(ADD, "add2", DISK, "Z:", u.server.unc(), provider, "@stdin", ALICE, 0, input=PASSWORD + "\n")["code"]
        assert code == 0
        u.wnet.ok("cancel", "Z:")


@case("unknown dwType or flag bits", {ADD: 87}, only_in_c=FLAGS)
def unknown_type_or_flags(u):
    for flags in (2, 0x10, 0x40, 0x80, 0x80000000, 0x80000001, 5):
        assert u.add("Z:", u.server.unc(), flags) == 87, flags
    for type in (3, 4, 8, 0xFFFFFFFF):
        assert u.add("Z:", u.server.unc(), 0, type) == 87, type
    assert u.wnet.list() == [] and u.rows() == []


KIND = "a printer resource on a drive letter, or a disk on LPTn"


@case(KIND, {ADD: 66})
def a_disk_on_a_printer_port(u):
    assert u.add("LPT1", u.server.unc()) == 66
    assert u.wnet.list() == []


@case(KIND, {ADD: 66})
def a_printer_on_a_drive_letter(u):
    assert u.add("Z:", u.server.unc("printer"), UPDATE_PROFILE) == 66
    assert u.wnet.list() == [] and u.rows() == []


@case(KIND, {ADD: 66}, only_in_c=TYPES)
def a_type_that_is_not_the_devices(u):
    assert u.add("Z:", u.server.unc(), 0, PRINT) == 66
    assert u.add("Z:", u.server.unc("printer"), 0, PRINT) == 66
    assert u.add("LPT1", u.server.unc("printer"), 0, DISK) == 66
    assert u.add("LPT1", u.server.unc(), 0, ANY) == 66
    assert u.wnet.list() == []


@case(KIND, {ADD: 0}, only_in_c=TYPES)
def any_takes_the_devices_own_kind(u):
    assert u.add("Z:", u.server.unc(), UPDATE_PROFILE, ANY) == 0
    assert u.add("LPT1", u.server.unc("printer"), UPDATE_PROFILE, ANY) == 0
    assert {device: row["type"] for device, row in u.wnet.rows().items()} == {"Z:": DISK, "LPT1": PRINT}


NO_SUCH = "no such server / no such share"


@case(NO_SUCH, {ADD: 53})
def no_such_server(u):
    for remote in ("\\\\127.0.0.1:1\\data", "\\\\no-such-host.invalid\\data"):
        assert u.add("Z:", remote, UPDATE_PROFILE) == 53
    assert u.wnet.list() == [] and u.rows() == []


@case(NO_SUCH, {ADD: 67})
def no_such_share(u):
    assert u.add("Z:", u.server.unc("no-such-share")) == 67
    assert u.wnet.list() == []


LOGON = "wrong password or unknown user / access denied to the share"


@case(LOGON, {ADD: 1326})
def wrong_password_or_unknown_user(u):
    assert u.add("Z:", u.server.unc(), password="not-it") == 1326
    assert u.add("Z:", u.server.unc(), user="nobody-of-that-name", password="not-it") == 1326
    assert u.wnet.list() == [] and u.connected() == []


@case(LOGON, {ADD: 5})
def access_denied_to_the_share(u):
    assert u.add("Z:", u.server.unc("denied")) == 5
    assert u.wnet.list() == []


CREDENTIALS = "other credentials for the same server (name and port) than a live connection's"


@case(CREDENTIALS, {ADD: 1219})
def the_conflicting_connection_is_named(u):
    u.connect("Z:")
    with u.unchanged():
        assert u.add("X:", u.server.unc("denied"), user=BOB, password=BOB_PASSWORD) == 1219
    assert "Z:" in u.text


@case(CREDENTIALS, {ADD: 0})
def another_port_is_another_server(u):
    u.connect("Z:")
    assert u.add("X:", u.make_server().unc("denied"), user=BOB, password=BOB_PASSWORD) == 0


@case(CREDENTIALS, {ADD: 0})
def no_credentials_reuse_the_live_ones(u):
    u.connect("Z:")
    assert u.add("Y:", u.server.unc("readonly"), user=None, password=None) == 0
    assert u.connected() == ["Y:", "Z:"]


@case(CREDENTIALS, {ADD: 0})
def with_the_last_connection_its_session_goes(u):
    u.connect("Y:", "Z:")
    u.wnet.ok("cancel", "Y:")
    assert u.add("X:", u.server.unc("denied"), user=BOB, password=BOB_PASSWORD) == 1219
    u.wnet.ok("cancel", "Z:")
    assert u.add("X:", u.server.unc("denied"), user=BOB, password=BOB_PASSWORD) == 0


@case("WNetUseConnection with CONNECT_REDIRECT and no device", {USE: 0})
def the_first_free_letter(u):
    u.remember_only("Z:")
    u.connect("Y:")
    assert u.add_anywhere(u.server.unc()) == (0, "X:")
    assert u.connected() == ["X:", "Y:"]
    u.works("X:")


BUFFER = "WNetUseConnection buffer: NULL with size 0; pointer with size 0; too small; large enough"


def use(u, buffer, type=DISK, device=None):
    return u.call(USE, "use", type, device, u.server.unc(), None, "@stdin", ALICE, REDIRECT, buffer, input=PASSWORD + "\n")


@case(BUFFER, {USE: 0}, only_in_c=BUFFERS)
def null_with_size_0(u):
    assert use(u, "NULL:0")["code"] == 0 and u.connected() == ["Z:"]
    assert use(u, "NULL")["code"] == 0 and u.connected() == ["Y:", "Z:"]


@case(BUFFER, {USE: 87}, only_in_c=BUFFERS)
def pointer_with_size_0(u):
    result = use(u, "0")
    assert (result["code"], result["result"]) == (87, 77)
    assert use(u, "8:NULL")["code"] == 87
    assert u.wnet.list() == []


@case(BUFFER, {USE: 234}, only_in_c=BUFFERS)
def too_small(u):
    for size in ("1", "2"):
        for device in (None, "Z:"):
            result = use(u, size, device=device)
            assert (result["code"], result["size"], result["touched"], result["result"]) == (234, 3, 0, 77)
    assert u.wnet.list() == [], "not connected"


@case(BUFFER, {USE: 0}, only_in_c=BUFFERS)
def large_enough(u):
    result = use(u, "3")
    assert (result["code"], result["name"], result["size"], result["result"]) == (0, "Z:", 3, LOCALDRIVE)
    result = u.call(USE, "use", DISK, None, u.server.unc("readonly"), None, None, None, 0, "200")
    assert (result["code"], result["name"], result["result"]) == (0, u.server.unc("readonly"), 0)


@case("CONNECT_REDIRECT with RESOURCETYPE_ANY and no device", {USE: 66}, only_in_c=TYPES)
def redirect_needs_a_type(u):
    assert use(u, "3", type=ANY)["code"] == 66
    assert u.wnet.list() == []


BROKEN = "profile broken and CONNECT_UPDATE_PROFILE asked"


def broken_profile(u, name, code):
    u.wnet.expect_log("profile")
    u.remember_only("Y:")
    put_right = TROUBLE[name][0](u.wnet)
    try:
        with u.unchanged():
            assert u.add("Z:", u.server.unc(), UPDATE_PROFILE) == code
        assert u.connected() == [], "nothing is left mounted"
        assert u.add("Z:", u.server.unc()) == 0, "without the flag it does not matter"
        u.works()
    finally:
        put_right()
    assert u.rows() == ["Y:"]


@case(BROKEN, {ADD: 1205})
def it_cannot_be_opened(u):
    broken_profile(u, "a directory", 1205)


@case(BROKEN, {ADD: 1206})
def it_is_no_profile(u):
    broken_profile(u, "garbage", 1206)


@case("cancelled while it was still connecting", {ADD: 1223})
def cancelled_by_another(u):
    u.wnet.list()
    u.server.freeze()
    try:
        answer = u.start_add("Z:", u.server.unc())
        u.wnet.wait_state("Z:", "connecting")
        u.wnet.ok("cancel", "Z:")
        assert answer() == 1223
    finally:
        u.server.thaw()
    assert u.wnet.list() == [] and u.connected() == []
