"""A plugin that is small enough to be read: is there an IMAP4 greeting at ADDRESS PORT?"""

import socket
import sys

try:
    with socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=3) as sock:
        greeting = sock.recv(1024)
except OSError as error:
    print(f"IMAP4 CRITICAL - {error.strerror}")
    sys.exit(2)
if not greeting.startswith(b"* OK"):
    print("IMAP4 CRITICAL - no greeting")
    sys.exit(2)
print("IMAP4 OK | time=0s")
