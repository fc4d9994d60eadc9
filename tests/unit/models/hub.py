"""A real HTTP server that can misbehave in every way that a download meets."""

import threading
import time
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from attrs import Factory, define, field


@define(kw_only=True)
class Act:
    """How to answer one request; by default as a good server does."""

    status: int | None = None
    headers: dict[str, str] = Factory(dict)
    body: bytes | None = None
    cut_after: int | None = None
    stall_after: int | None = None
    pause_s: float = 0.0
    ignore_range: bool = False
    corrupt: bool = False
    etag: str | None = None
    with_length: bool = True


@define
class Asked:
    path: str
    range: str | None
    if_range: str | None


@define
class Hub:
    body: bytes
    etag: str = '"one"'
    acts: deque[Act] = field(factory=deque[Act])
    always: Act | None = None
    asked: list[Asked] = Factory(list)
    closing: threading.Event = Factory(threading.Event)
    url: str = ""
    server: ThreadingHTTPServer | None = None

    def start(self) -> None:
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                hub.answer(self)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = False

            def handle_error(self, request: object, client_address: object) -> None:
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}).start()

    def stop(self) -> None:
        assert self.server is not None
        self.closing.set()
        self.server.shutdown()
        self.server.server_close()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        asked = Asked(handler.path, handler.headers.get("Range"), handler.headers.get("If-Range"))
        self.asked.append(asked)
        act = self.acts.popleft() if self.acts else self.always or Act()
        body = self.body if act.body is None else act.body
        etag = act.etag or self.etag
        if act.corrupt:
            body = body[:-100] + bytes(255 - byte for byte in body[-100:])
        start = 0
        if asked.range and act.status in {None, 206} and not act.ignore_range and asked.if_range in {None, etag}:
            start = int(asked.range.removeprefix("bytes=").removesuffix("-"))
        handler.send_response(act.status or (206 if start else 200))
        handler.send_header("ETag", etag)
        if start and "Content-Range" not in act.headers:
            handler.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        if act.with_length and "Content-Length" not in act.headers:
            handler.send_header("Content-Length", str(len(body) - start))
        for name, value in act.headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        self._send(handler, act, body[start:])

    def _send(self, handler: BaseHTTPRequestHandler, act: Act, body: bytes) -> None:
        if act.stall_after is not None:
            handler.wfile.write(body[: act.stall_after])
            handler.wfile.flush()
            self.closing.wait(5)
        elif act.pause_s:
            handler.wfile.write(body[: len(body) // 2])
            handler.wfile.flush()
            time.sleep(act.pause_s)
            handler.wfile.write(body[len(body) // 2 :])
        else:
            handler.wfile.write(body if act.cut_after is None else body[: act.cut_after])


def leftovers(folder: Path) -> set[str]:
    """What lies in a folder but for locks, and for the checksums of large files that are kept for the next program.

    Those are kept only of files that have not changed for two seconds: a matter of how quick the machine is.
    """
    return {path.name for path in folder.iterdir() if not path.name.endswith(".lock")} - {"seen"}
