"""An S3 store over HTTP: moto's, in a thread. It does one thing after the other, so that each of them is atomic."""

from __future__ import annotations

import functools
import logging
import sys
import threading
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from uuid import uuid4

from attrs import define, field, frozen
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

from whispercore.files.bucket import Bucket

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

ACCESS_KEY = "an-access-key-for-tests"
SECRET_KEY = "a-secret-key-for-tests"  # noqa: S105 (it opens nothing)


@frozen
class S3Server:
    """A server, which takes any key unless it is told to be strict."""

    url: str

    def bucket(self, *, patience_s: float = 5.0) -> Bucket:
        """A new one, with nothing in it."""
        name = f"tests-{uuid4().hex}"
        request = urllib.request.Request(f"{self.url}/{name}", method="PUT")  # noqa: S310 (it is ours)
        with urllib.request.urlopen(request, timeout=60):  # noqa: S310 (as above)
            pass
        return Bucket(
            name=name,
            endpoint=self.url,
            region="us-east-1",
            access_key=ACCESS_KEY,
            secret_key=SECRET_KEY,
            patience_s=patience_s,
        )

    @contextmanager
    def strict(self) -> Iterator[None]:
        """No key is known while the block runs."""
        self._check_keys_after("0")
        try:
            yield
        finally:
            self._check_keys_after("inf")

    def _check_keys_after(self, calls: str) -> None:
        url, headers = f"{self.url}/moto-api/reset-auth", {"Content-Type": "text/plain"}
        request = urllib.request.Request(url, data=calls.encode(), headers=headers)  # noqa: S310 (it is ours)
        with urllib.request.urlopen(request, timeout=60):  # noqa: S310 (as above)
            pass


@define
class _OneByOne:
    app: WSGIApplication
    lock: threading.Lock = field(factory=threading.Lock)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        with self.lock:
            return list(self.app(environ, start_response))


@functools.cache
def s3_server() -> S3Server:
    """The one of this process, which runs until its end."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    app = _OneByOne(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, app, threaded=True)
    threading.Thread(target=server.serve_forever, name="s3 server", daemon=True).start()
    return S3Server(f"http://127.0.0.1:{server.server_port}")


if __name__ == "__main__":  # a process of its own, which ends with whoever started it
    made = s3_server().bucket()
    print(made.endpoint, made.name, flush=True)  # noqa: T201 (whoever started this reads it)
    sys.stdin.read()
