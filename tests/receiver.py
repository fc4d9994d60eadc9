"""A receiver of webhooks over HTTP that answers as it is told, and checks what comes with the library of the scheme."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from attrs import define, field
from standardwebhooks import Webhook


@define
class Received:
    """A request."""

    headers: Mapping[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    def verified(self, secret: str) -> dict[str, Any]:
        """The message, if it was signed with this secret, and just now."""
        message: dict[str, Any] = Webhook(secret).verify(self.body, dict(self.headers))
        return message


@define(eq=False)
class Receiver:
    """What came, the answers that are to be given first, and the one that is given then."""

    url: str = ""
    answers: list[int] = field(factory=list)
    usual: int = 200
    received: list[Received] = field(factory=list)
    hold: threading.Event | None = None
    """Nothing is answered before it is set."""
    in_hand: int = 0
    most_in_hand: int = 0
    lock: Any = field(factory=threading.Lock)

    def wait(self, enough: Callable[[list[Received]], bool], within_s: float = 60) -> list[Received]:
        """What came, once it is enough."""
        deadline = time.monotonic() + within_s
        while not enough(self.received):
            assert time.monotonic() < deadline, f"{len(self.received)} messages came"
            time.sleep(0.01)
        return self.received


@contextmanager
def receiver(usual: int = 200) -> Iterator[Receiver]:
    """One that listens on this machine until the block ends."""
    here = Receiver(usual=usual)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            with here.lock:
                here.received.append(Received(headers, body))
                here.in_hand += 1
                here.most_in_hand = max(here.most_in_hand, here.in_hand)
                status = here.answers.pop(0) if here.answers else here.usual
            if here.hold is not None:
                here.hold.wait(30)
            with here.lock:
                here.in_hand -= 1
            self.send_response(status)
            if status // 100 == 3:
                self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (its name above us)
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        here.url = f"http://127.0.0.1:{server.server_address[1]}/hook"
        try:
            yield here
        finally:
            server.shutdown()
            thread.join()
