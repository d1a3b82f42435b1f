# SPDX-License-Identifier: GPL-3.0-or-later
"""A day at a desktop: Thunar and PCManFM, each with a drive in its sidebar."""

import os
import struct
import zlib
from pathlib import Path

import pytest
from desktop import Desktop, wait_until
from test_umount import HELPER, assert_gone, assert_works

PNG = b"\x89PNG\r\n\x1a\n"
XFCONF = '<?xml version="1.0"?>\n<channel name="thunar" version="1.0">{}</channel>\n'
SUN = 250, 225, 121  # nothing else on the screen has this colour
KERNELS_REFUSAL = "umount: .*: target is busy.*"  # where umount does not find our helper
APPLICATION = "[Desktop Entry]\nType=Application\nName=Viewer\nExec=tail -f %f\nMimeType=text/plain;\n"


def png(width, height, colour):
    """A picture: colour(x, y) in 0…1 are (red, green, blue) in 0…255."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + b"".join(bytes(int(c) for c in colour(x / width, y / height)) for x in range(width)) for y in range(height))
    return (PNG + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(rows))
            + chunk(b"IEND", b""))


def landscape(x, y):
    hill = 0.62 + 0.16 * (1 - (2 * x - 0.7) ** 2)
    if (x - 0.75) ** 2 * 1.9 + (y - 0.25) ** 2 < 0.02:
        return SUN
    return (70 + 40 * x, 120 + 60 * y, 60) if y > hill else (110 + 120 * y, 165 + 70 * y, 230)


class Thunar:
    title = staticmethod(lambda folder: f"{folder} - Thunar")
    home, rename, trash_too = "Home", "Rename", False

    @staticmethod
    def start(desktop, folder, details):
        settings = desktop.wnet.config / "xfce4" / "xfconf" / "xfce-perchannel-xml"
        settings.mkdir(parents=True)
        values = {"last-view": "ThunarDetailsView" if details else "ThunarIconView", "last-location-bar": "ThunarLocationButtons"}
        (settings / "thunar.xml").write_text(XFCONF.format("".join(f'<property name="{name}" type="string" value="{value}"/>'
                                                                   for name, value in values.items())))
        return desktop.start("thunar", folder)


class PCManFM:
    title = staticmethod(lambda folder: folder)
    home, rename, trash_too = "Home Folder", "OK", True

    @staticmethod
    def start(desktop, folder, details):
        settings = desktop.wnet.config / "pcmanfm" / "default"
        settings.mkdir(parents=True)
        (settings / "pcmanfm.conf").write_text(f"[ui]\nview_mode={'list' if details else 'icon'}\n")
        return desktop.start("pcmanfm", folder)


pytestmark = pytest.mark.time_limit(900)
managers = pytest.mark.parametrize("manager", [Thunar, PCManFM], ids=["thunar", "pcmanfm"])


@pytest.fixture
def pictures(request, root):
    return Path(request.config.getoption("--pictures") or root)


@pytest.fixture
def desktop(wnet):
    made = Desktop(wnet)
    applications = Path(wnet.env["XDG_DATA_HOME"]) / "applications"
    applications.mkdir()
    (applications / "viewer.desktop").write_text(APPLICATION)
    (wnet.config / "mimeapps.list").write_text("[Default Applications]\ntext/plain=viewer.desktop\n")
    yield made
    made.end()


def shows(desktop, manager, folder):
    return bool(desktop.see(manager.title(folder), "frame"))


def go_to_drive(desktop, manager):
    """By the sidebar."""
    desktop.until(lambda: desktop.click(desktop.wait_for("Z", "table cell")), lambda: shows(desktop, manager, "Z"), "Z is shown")


def go_home(desktop, manager):
    desktop.do(manager.home, "push button")
    desktop.wait_for(manager.title(desktop.wnet.home.name), "frame")


def paste_from(desktop, name, go, pasted):
    """Copies a file from where the manager is to where go() leads it."""
    desktop.select(name)
    desktop.until(lambda: desktop.press("ctrl+c"), lambda: name in desktop.ask("clipboard"), f"{name} is on the clipboard")
    go()
    wait_until(lambda: not desktop.see(name, "table cell"), f"{name} is not here")
    desktop.press("ctrl+v")
    desktop.wait_for(name, "table cell")
    wait_until(lambda: pasted.exists() and pasted.stat().st_size > 0, f"{pasted} is there")


def eject(desktop):
    """Clicks on the symbol right of the drive's name; whatever refusal is still shown is read."""
    for node in desktop.see("Close|OK", "push button"):
        desktop.ask("do", node["at"], "click")
    for node in desktop.see("Z", "table cell")[-1:]:
        desktop.click(node, beyond=12)


@managers
def test_a_day_at_work(wnet, server, desktop, manager, pictures):
    (server.data / "letter.txt").write_text("Dear all\n")
    (server.data / "Letters").mkdir()
    (wnet.home / "from-home.txt").write_text("copied in\n")
    manager.start(desktop, wnet.home, details=True)
    desktop.wait_for(manager.title(wnet.home.name), "frame")
    assert not desktop.see("Z", "table cell")

    # a new drive is in the sidebar at once; browsing
    wnet.add("Z:", server.url())
    go_to_drive(desktop, manager)
    for name in ("Letters", "letter.txt"):
        desktop.wait_for(name, "table cell")
    desktop.wait_for(".*Free space: .*")
    desktop.select("Letters")
    desktop.until(lambda: desktop.press("Return"), lambda: shows(desktop, manager, "Letters"), "Letters is shown")
    go_to_drive(desktop, manager)

    # renaming
    desktop.select("letter.txt")
    desktop.until(lambda: desktop.press("F2"), lambda: desktop.see("Rename.*", "dialog"), "the new name is asked for")
    dialog = desktop.wait_for("Rename.*", "dialog")
    desktop.type("to-all.txt", dialog)
    desktop.do(manager.rename, "push button")
    wait_until(lambda: (server.data / "to-all.txt").exists(), "it is renamed")
    desktop.wait_for("to-all.txt", "table cell")
    assert (server.data / "to-all.txt").read_text() == "Dear all\n" and not (server.data / "letter.txt").exists()

    # copying out, and in
    paste_from(desktop, "to-all.txt", lambda: go_home(desktop, manager), wnet.home / "to-all.txt")
    assert (wnet.home / "to-all.txt").read_text() == "Dear all\n"
    paste_from(desktop, "from-home.txt", lambda: go_to_drive(desktop, manager), server.data / "from-home.txt")
    assert (server.data / "from-home.txt").read_text() == "copied in\n"

    # deleting; there is no trash on a drive, or the manager asks again
    desktop.select("from-home.txt")
    desktop.until(lambda: desktop.press("Delete"), lambda: desktop.see("Question", "alert"), "it is asked whether to delete it")
    if manager.trash_too:
        desktop.do("Yes", "push button")
        desktop.wait_for("Some files cannot be moved to trash can .*Do you want to delete them instead\\?", "label")
    desktop.do("Delete|Yes", "push button")
    wait_until(lambda: not (server.data / "from-home.txt").exists(), "it is deleted")
    wait_until(lambda: not desktop.see("from-home.txt", "table cell"), "it is not shown any more")
    assert sorted(os.listdir(server.data)) == ["Letters", "to-all.txt"]

    # opening with a program, which then keeps the drive from being ejected
    desktop.select("to-all.txt")
    desktop.press("Return")
    (file,) = wait_until(lambda: [file for file in wnet.files("Z:") if file["program"] == "tail"], "the program has the file open")
    assert file["path"] == "/to-all.txt"
    refusal = KERNELS_REFUSAL if not os.path.exists(HELPER) else f"Z: cannot be disconnected: files on it are open\nZ:/to-all.txt: tail \\(process {file['pid']}\\)\n.*"
    desktop.until(lambda: eject(desktop), lambda: desktop.see(refusal, "label"), "it is refused")
    desktop.picture(pictures / f"{manager.__name__.lower()}-refused.png")
    assert_works(wnet, server)
    desktop.until(lambda: desktop.do("Close|OK", "push button"), lambda: not desktop.see(refusal, "label"), "the message is gone")
    assert desktop.see("Z", "table cell")

    # ejecting, which wnet list knows at once
    os.kill(file["pid"], 9)
    wait_until(lambda: wnet.files("Z:") == [], "the file is closed")
    desktop.until(lambda: eject(desktop), lambda: wnet.mount() is None, "it is ejected")
    wait_until(lambda: wnet.list() == [], "wnet knows")
    wait_until(lambda: not desktop.see("Z", "table cell"), "it is not in the sidebar any more")
    assert_gone(wnet)


@managers
def test_thumbnails_and_free_space(wnet, make_server, desktop, manager, pictures, root):
    """Seen in a window that can be shown to others: --pictures=FOLDER keeps what the screen shows."""
    total, free = 10 << 30, 3 << 30
    (root / "dfree").write_text(f"#!/bin/sh\necho {total >> 10} {free >> 10}\n")
    (root / "dfree").chmod(0o755)
    server = make_server(more_shares={"office": {"path": "office", "read only": "no", "dfree command": root / "dfree"}})
    folder = Path(server.share_path("office"))
    for name in ("Letters", "Photographs", "Tax 2025"):
        (folder / name).mkdir()
    (folder / "Minutes.txt").write_text("Present: Alice, Bob.\n" * 40)
    (folder / "Lake.png").write_bytes(png(300, 200, landscape))
    wnet.add("S:", server.url("readonly"))
    wnet.add("Z:", server.url("office"))

    df = wnet.program("df", "-B1", "--output=size,avail", wnet.folder()).out.split()
    assert list(map(int, df[-2:])) == [total, free]
    info = wnet.program("gio", "info", "-f", wnet.folder()).out
    assert f"filesystem::size: {total}\n" in info and f"filesystem::free: {free}\n" in info
    manager.start(desktop, wnet.home, details=False)
    for device in ("S", "Z"):
        desktop.wait_for(device, "table cell")
    assert desktop.ask("pixels", SUN) == 0
    go_to_drive(desktop, manager)
    wait_until(lambda: desktop.ask("pixels", SUN) > 5, "the picture is shown")
    desktop.wait_for(".*Free space: 3.0\\sGiB.*")
    desktop.picture(pictures / f"{manager.__name__.lower()}.png")
