"""A dataset repository on loopback, in as much of the hub's protocol as reading one needs."""

import hashlib
import json
import re
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    repository = ""
    files: dict[str, bytes] = {}  # noqa: RUF012
    asked: list[str] = []  # noqa: RUF012

    def log_message(self, *args):
        pass

    def do_HEAD(self):
        self.answer()

    def do_GET(self):
        self.answer()

    def do_POST(self):
        self.answer(self.rfile.read(int(self.headers.get("Content-Length") or 0)))

    def answer(self, posted=b""):
        path = unquote(urlsplit(self.path).path)
        self.asked.append(f"{self.command} {path}")
        api, files = f"/api/datasets/{self.repository}", f"/datasets/{self.repository}/resolve/"
        if path == api or re.fullmatch(re.escape(api) + "/revision/(main|[0-9a-f]{40})", path):
            self.send_json(self.dataset())
        elif match := re.fullmatch(re.escape(api) + "/tree/[^/]+/?(.*)", path):
            self.send_json(self.tree(match[1]))
        elif path.startswith(f"{api}/paths-info/"):
            self.send_json(self.paths_info(posted))
        elif path.startswith(files):
            self.send_file(path.removeprefix(files).partition("/")[2])
        else:
            self.missing("RepoNotFound" if self.repository not in path else "EntryNotFound")

    def dataset(self):
        return {
            "_id": "0",
            "id": self.repository,
            "sha": COMMIT,
            "private": False,
            "gated": False,
            "disabled": False,
            "tags": [],
            "lastModified": "2026-01-01T00:00:00.000Z",
            "createdAt": "2026-01-01T00:00:00.000Z",
            "siblings": [{"rfilename": name} for name in self.files],
        }

    def entry(self, name):
        oid = hashlib.sha1(self.files[name]).hexdigest()
        return {"type": "file", "oid": oid, "size": len(self.files[name]), "path": name}

    def tree(self, folder):
        prefix = f"{folder}/" if folder else ""
        below = [name for name in self.files if name.startswith(prefix)]
        folders = {
            name[: i + len(prefix)] for name in below if (i := name[len(prefix) :].find("/")) > 0
        }
        recursive = "recursive" in self.path.lower() and "recursive=false" not in self.path.lower()
        listed = [n for n in below if recursive or "/" not in n[len(prefix) :]]
        tops = [{"type": "directory", "oid": "0" * 40, "size": 0, "path": f} for f in folders]
        return tops + [self.entry(name) for name in listed]

    def paths_info(self, posted):
        if (self.headers.get("Content-Type") or "").startswith("application/json"):
            paths = json.loads(posted)["paths"]
        else:
            paths = parse_qs(posted.decode())["paths"]
        paths = [paths] if isinstance(paths, str) else paths
        found = [self.entry(path) for path in paths if path in self.files]
        for path in paths:
            if any(name.startswith(f"{path}/") for name in self.files):
                found.append({"type": "directory", "oid": "0" * 40, "size": 0, "path": path})
        return found

    def send_json(self, value):
        self.send(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def send_file(self, name):
        if name not in self.files:
            self.missing("EntryNotFound")
            return
        data = self.files[name]
        headers = {
            "ETag": f'"{hashlib.sha1(data).hexdigest()}"',
            "X-Repo-Commit": COMMIT,
            "Accept-Ranges": "bytes",
            "Content-Type": "application/octet-stream",
        }
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        if not asked:
            self.send(200, data, headers)
            return
        first, last = int(asked[1]), min(int(asked[2] or len(data)), len(data) - 1)
        headers["Content-Range"] = f"bytes {first}-{last}/{len(data)}"
        self.send(206, data[first : last + 1], headers)

    def missing(self, code):
        self.send(404, b'{"error": "not found"}', {"X-Error-Code": code})

    def send(self, status, body, headers):
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


@contextmanager
def serve(repository, files):
    """Yield ``(endpoint, requests seen)`` of a hub that has one dataset, `files` by path."""
    asked = []
    bound = {"repository": repository, "files": files, "asked": asked}
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), bound))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
