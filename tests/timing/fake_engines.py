"""Engines that do what they are told, for tests of the protocol."""

from __future__ import annotations

import itertools
import os
import time

import numpy as np

from toktk.timing.engines import Adapter


class Bytes(Adapter):
    """Ids are bytes, but for documents that hold ``source["wrong"]``: there the last is another."""

    imports = ("json",)
    call = "nothing"

    def __init__(self, source, jobs):
        self.source = source

    def take(self, data, offsets):
        return data, offsets

    def encode(self, documents):
        data, offsets = documents
        if self.source.get("break"):
            raise RuntimeError("the engine broke")
        if self.source.get("die"):
            os._exit(7)
        time.sleep(self.source.get("sleep", 0))
        ids = data.astype(np.uint32)
        wrong = self.source.get("wrong", "").encode()
        for a, b in itertools.pairwise(offsets):
            if wrong and wrong in data[a:b].tobytes():
                ids[b - 1] = 999
        return ids, offsets

    def ids(self, output):
        return output


class Refusing(Bytes):
    """Cannot load."""

    def __init__(self, source, jobs):
        raise ValueError("no such pattern")
