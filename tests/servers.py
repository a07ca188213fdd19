"""Servers on loopback that drop connections on demand: one of files over HTTP, one in front of another."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class FileServer(BaseHTTPRequestHandler):
    """Serves `files`, bytes by path, and ranges of them, with `tags` of their versions.

    `drops` holds, for the next answers, after how many bytes each connection ends; `statuses` what
    they say instead. `asked` is path and range of each request.
    """

    protocol_version = "HTTP/1.1"
    files: dict[str, bytes]
    tags: dict[str, str]
    drops: list[int | None]
    statuses: list[int]
    asked: list[tuple[str, str | None]]
    ranges = True
    address: str

    def log_message(self, *args: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"] or 0))
        self.do_GET()

    def do_GET(self) -> None:
        asked = self.headers["Range"] if self.ranges else None
        drop = self.drops.pop(0) if self.drops else None
        self.asked.append((self.path, asked))
        content = self.files.get(self.path)
        status = self.statuses.pop(0) if self.statuses else 200 if content is not None else 404
        body, headers = content or b"", {}
        if status != 200:
            body = b""
        elif asked and (match := re.fullmatch(r"bytes=(\d+)-(\d*)", asked)):
            first, last = int(match[1]), min(int(match[2] or len(body)), len(body) - 1)
            status = 416 if first >= len(body) else 206
            headers["Content-Range"] = f"bytes {first}-{last}/{len(body)}"
            body = body[first : last + 1] if status == 206 else b""
        if self.path in self.tags:
            headers["ETag"] = self.tags[self.path]
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        with contextlib.suppress(ConnectionError):
            self.wfile.write(b"" if self.command == "HEAD" else body[:drop])
        if drop is not None:
            self.close_connection = True


@contextlib.contextmanager
def file_server() -> Iterator[type[FileServer]]:
    own = {"files": {}, "tags": {}, "drops": [], "statuses": [], "asked": []}
    handler = type("Own", (FileServer,), own)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        handler.address = f"http://127.0.0.1:{server.server_port}"
        yield handler
        server.shutdown()
        thread.join()


class Between:
    """Stands between a client and a server, and ends connections in the middle of what goes through.

    Attributes:
        drops: after how many more bytes of answers a connection ends; then the next one counts.
        upload_drops: the same of requests.
    """

    def __init__(self, port: int) -> None:
        self._to = port
        self.drops: list[int] = []
        self.upload_drops: list[int] = []
        self._lock = threading.Lock()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listening.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                client, _ = self._listening.accept()
                server = socket.create_connection(("127.0.0.1", self._to))
                both = (client, server, self.upload_drops), (server, client, self.drops)
                for ends in both:
                    threading.Thread(target=self._pump, args=ends, daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket, drops: list[int]) -> None:
        with contextlib.suppress(OSError):
            ended = False
            while not ended and (data := source.recv(1 << 16)):
                with self._lock:
                    ended = bool(drops) and len(data) >= drops[0]
                    if ended:
                        data = data[: drops.pop(0)]
                    elif drops:
                        drops[0] -= len(data)
                target.sendall(data)
        for each in (source, target):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
