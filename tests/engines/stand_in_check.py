"""A check that does what it says with the options that the engines' tests use, for want of a better one.

It connects, waits for the greeting, sends LOGOUT and reads the answer, all within ``-t`` seconds.
"""

from __future__ import annotations

import argparse
import socket
import sys
import time


def main() -> int:
    """The exit code of a plugin."""
    parser = argparse.ArgumentParser()
    parser.add_argument("-H", dest="host")
    parser.add_argument("-p", dest="port", type=int)
    parser.add_argument("-t", dest="seconds", type=float)
    given, _ = parser.parse_known_args()
    end = time.monotonic() + given.seconds
    try:
        with socket.create_connection((given.host, given.port), given.seconds) as connection:
            connection.settimeout(max(0.01, end - time.monotonic()))
            greeting = connection.recv(1000).decode(errors="replace").strip()
            if not greeting.startswith("* OK"):
                print(f"IMAP4 CRITICAL - {greeting} [greeting.bye]")
                return 2
            connection.sendall(b"a LOGOUT\r\n")
            while b"a OK" not in connection.recv(1000):
                continue
    except TimeoutError:
        print("IMAP4 CRITICAL - no greeting [greeting.timeout]")
        return 2
    except OSError as error:
        print(f"IMAP4 CRITICAL - {error.strerror} [connect.refused]")
        return 2
    print("IMAP4 OK - greeting")
    return 0


if __name__ == "__main__":
    sys.exit(main())
