# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures: a directory, servers and users of wnet for each test; and what is left behind fails it."""

import contextlib
import faulthandler
import os
import shutil
import sys
import tempfile
import threading
from pathlib import Path

import pytest

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).parent))
import harness  # noqa: E402
import terminal as terminals  # noqa: E402
from library import Library  # noqa: E402

TEST_LIMIT = 240  # seconds until a test is taken for hung and what it is blocked on is torn down


def pytest_addoption(parser):
    parser.addoption("--long", action="store_true", help="as often, and for as long, as is worth while now and then")
    parser.addoption("--pictures", help="the folder that keeps pictures of the file managers")
    parser.addoption("--seed", type=int, help="of what is chosen at random; a test that fails prints its own")


def pytest_configure(config):
    if os.geteuid() == 0:
        raise pytest.UsageError("the integration tests run as an ordinary user: use tests/run")
    if not (harness.BUILD / "wnet").exists():
        raise pytest.UsageError(f"no wnet in {harness.BUILD}: set WNET_BUILD to a build directory")
    harness.become_reaper()
    config.addinivalue_line("markers", "slow: takes long")
    config.addinivalue_line("markers", "time_limit(seconds): this long until it is taken for hung")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for name, user in getattr(item, "wnet_users", {}).items():
            report.sections.append((f"log of {name}'s daemon", user.log_text()[-8000:]))
        for server in getattr(item, "wnet_servers", []):
            report.sections.append(("log of smbd", server.log_tail(20)))


@pytest.fixture
def long(request):
    """Whether this is to be thorough rather than quick."""
    return request.config.getoption("--long")


@pytest.fixture
def root(request):
    """A short-named directory of the test's own; sockets lie below it."""
    path = Path(tempfile.mkdtemp(prefix="t-", dir=os.environ.get("WNET_TEST_TMP", "/tmp")))
    hung = []

    def rescue():
        hung.append(True)
        faulthandler.dump_traceback()
        harness.rescue(path)

    marker = request.node.get_closest_marker("time_limit")
    limit = marker.args[0] if marker else TEST_LIMIT
    timer = threading.Timer(limit * (20 if request.config.getoption("--long") else 1), rescue)
    timer.daemon = True
    timer.start()
    yield path
    timer.cancel()
    left = harness.mounts_below(path)
    # never delete through a mount: that would be the server's files
    if not left and not os.environ.get("WNET_TEST_KEEP"):
        shutil.rmtree(path, onerror=_make_writable)
    assert not hung, f"hung for {limit} s"


def _make_writable(function, path, _error):
    os.chmod(os.path.dirname(path), 0o700)
    os.chmod(path, 0o700)
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    else:
        os.unlink(path)


@pytest.fixture
def make_server(root, request):
    """make_server() starts a further server."""
    servers = request.node.wnet_servers = []

    def make(**kwargs):
        servers.append(harness.make_server(root / f"smb{len(servers)}", **kwargs))
        return servers[-1]

    yield make
    for server in servers:
        server.thaw()
        server.stop()


@pytest.fixture
def server(make_server):
    """A running private smbd: .data is the folder of its share data, .url() the share's name."""
    return make_server()


@pytest.fixture
def make_wnet(root, request):
    """make_wnet(name) is a further user of wnet: another home directory, another daemon."""
    users = request.node.wnet_users = {}

    def make(name):
        users[name] = harness.Wnet(root / name)
        return users[name]

    yield make
    wrong = []
    for user in users.values():
        wrong += user.end()
    wrong += harness.leftovers()
    assert not wrong, "\n".join(wrong)


@pytest.fixture
def wnet(make_server, make_wnet):
    """A user of wnet. (Servers go after users, so that an orderly end is one.)"""
    return make_wnet("u")


@pytest.fixture(params=["narrow", "wide"])
def lib(request, wnet):
    """The C library, in its UTF-8 and in its UTF-16 form."""
    return Library(wnet, request.param)


@pytest.fixture
def z(wnet, server):
    """The folder of a drive Z: that is connected to the server's share data."""
    wnet.add("Z:", server.url())
    return wnet.folder("Z:")


@pytest.fixture
def faulty(wnet):
    """The same user's programs with wnetd-fault as the daemon and wnet-smb-fault as its workers."""
    folder = wnet.root / "faulty"
    folder.mkdir()
    for program in ("wnet", "wnet-secret"):
        shutil.copy2(harness.BUILD / program, folder / program)
    for program in ("wnetd", "wnet-smb"):
        shutil.copy2(harness.BUILD / "tests" / "integration" / f"{program}-fault", folder / program)

    class Faulty:
        """Between arm() and disarm() the tool finds, or starts, a daemon that dies at that step; or, once, one of its workers."""

        mark = wnet.root / "died"

        def arm(self, fault):
            self.disarm()
            wnet.build = folder
            wnet.env["WNET_FAULT"] = fault
            if fault.startswith("worker."):
                wnet.env["WNET_FAULT_MARK"] = str(self.mark)

        def disarm(self):
            wnet.build = harness.BUILD
            wnet.env.pop("WNET_FAULT", None)
            wnet.env.pop("WNET_FAULT_MARK", None)
            self.mark.unlink(missing_ok=True)

        def struck(self):
            """Whether a worker has died."""
            return self.mark.exists()

        def dies(self, *args):
            """The command brings the daemon to that step, and says itself that it does not know how it ended."""
            daemons = wnet.daemons()
            result = wnet.fails(1208, *args)
            harness.wait_until(lambda: not any(map(harness.alive, daemons)), "the daemon has killed itself")
            harness.wait_until(lambda: not wnet.daemons(), "nor does another one run")
            self.disarm()
            return result

    yield Faulty()
    Faulty().disarm()


@pytest.fixture
def terminal(wnet):
    """terminal("add", …) is the tool on a terminal of its own."""
    with contextlib.ExitStack() as stack:

        def make(*args):
            made = terminals.Terminal(wnet, wnet.build / "wnet", *args)
            stack.callback(made.close)
            return made

        yield make
