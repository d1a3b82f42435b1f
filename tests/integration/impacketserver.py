# SPDX-License-Identifier: GPL-3.0-or-later
"""Impacket's SMB server: impacketserver.py PORT FOLDER [USER PASSWORD] serves the folder as "data"; without a user to anybody."""

import sys

from impacket import smbserver
from impacket.ntlm import compute_lmhash, compute_nthash


def main():
    server = smbserver.SimpleSMBServer(listenAddress="127.0.0.1", listenPort=int(sys.argv[1]))
    server.addShare("DATA", sys.argv[2], "")
    server.setSMB2Support(True)
    if len(sys.argv) > 3:
        server.addCredential(sys.argv[3], 0, compute_lmhash(sys.argv[4]), compute_nthash(sys.argv[4]))
    server.setSMBChallenge("")
    server.setLogFile("")
    server.start()


if __name__ == "__main__":
    main()
