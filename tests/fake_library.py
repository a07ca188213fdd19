"""A library that does what the text says, for tests: ``python -m fake_library``."""

from __future__ import annotations

import os
import time

from toktk.child import serve
from toktk.libraries import worker


class Fake(worker.Library):
    """A byte is an id. It hangs at a text with "hang" in it, and aborts at "abort"."""

    def load(self, document, **options):
        self.texts = [document.decode(errors="replace")]
        self.act()
        return 255

    def train(self, stream, **options):
        self.texts = [text for data, offsets in stream for text in worker.texts_of(data, offsets)]
        self.act()

    def _encode(self, texts):
        self.texts = texts
        self.act()
        return [list(text.encode()) for text in texts]

    def act(self):
        said = " ".join(self.texts)
        if "hang" in said:
            time.sleep(600)
        if "abort" in said:
            os.write(2, b"thread '<unnamed>' panicked at src/lib.rs:1\n")
            os.abort()
        if "complain" in said:
            with worker.complaints():
                raise ValueError("no such\nthing")


if __name__ == "__main__":
    worker.LIBRARIES["tokenizers"] = Fake
    serve(worker.Session())
