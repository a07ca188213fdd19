"""A child that does what it is told, for tests: ``python -m fake_child``."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time

from toktk.child import Refused, serve


class Session:
    """What the tests ask for."""

    def echo(self, *blobs, **arguments):
        return (arguments, *blobs)

    def pid(self):
        return os.getpid()

    def folders(self):
        return sys.path

    def refuse(self, message):
        raise Refused(message)

    def fail(self):
        raise ValueError("this went wrong")

    def end(self, code):
        print("a last word", file=sys.stderr)
        os._exit(code)

    def abort(self):
        os.kill(os.getpid(), signal.SIGABRT)

    def sleep(self, *blobs):
        time.sleep(600)

    def hold(self, stream=()):
        """Sleep as a library does that never gives the interpreter back."""
        ctypes.PyDLL(None).sleep(600)

    def count(self, stream, most=-1):
        """Return how many bytes a stream has, of its first items."""
        total = 0
        for i, blobs in enumerate(stream):
            if i == most:
                raise Refused("no more")
            total += sum(map(len, blobs))
        return total

    def take_memory(self):
        return len(bytearray(2**50))


if __name__ == "__main__":
    serve(Session(), 0.5)
