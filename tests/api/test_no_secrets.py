"""No secret is in a log, an audit event, a list of backups or an error: all that were used are looked for in it."""

from __future__ import annotations

import base64
import os
import re
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import requests
from attrs import define, field

from tests.openid_provider import CLIENT_ID, CLIENT_SECRET, OpenIdProvider, back_from, openid_provider

ROOT = Path(__file__).parents[2]
ADMIN_KEY = "an-administrators-key-that-nobody-may-read"
AUDIT_KEY = "what-the-trail-is-signed-with-is-secret"
TOKEN_KEY = "what-tokens-are-signed-with-is-secret-too"  # noqa: S105
_ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+")


@define
class Told:
    """What came out of a server, and where."""

    where: str
    text: str
    for_him: frozenset[str] = frozenset()
    """Secrets that this answer is there to hand out."""


@define
class Session:
    """Talks with a server, and remembers every secret that was used and every answer."""

    url: str
    data: Path
    secrets: dict[str, str] = field(factory=dict)
    """By what it is."""
    told: list[Told] = field(factory=list)

    def secret(self, what: str, text: str) -> str:
        """Remember one."""
        assert len(text) >= 8
        if text not in self.secrets.values():
            self.secrets[f"{what} (secret {len(self.secrets)})"] = text
        return text

    def send(self, method: str, path: str, *, expect: int, hands_out: tuple[str, ...] = (), **options: Any) -> Any:
        """A request; what it hands out is a secret from now on."""
        answer = requests.request(method, self.url + path, timeout=60, **options)
        assert answer.status_code == expect, f"{method} {path}: {answer.status_code} {answer.text}"
        body = answer.json() if answer.headers.get("Content-Type") == "application/json" else {}
        new = frozenset(self.secret(f"{name} of {method} {path}", body[name]) for name in hands_out)
        self.told.append(Told(f"{method} {path} ({expect})", f"{dict(answer.headers)} {answer.text}", new))
        if cookies := answer.cookies.get_dict():
            values = [self.secret(f"cookie {name}", value) for name, value in cookies.items()]
            self.told[-1].for_him |= frozenset(values)
        return answer if options.get("stream") else body


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Session:
    """All that happened on a server, after it has ended."""
    with openid_provider() as provider:
        return whole_session(tmp_path_factory, provider)


def whole_session(tmp_path_factory: pytest.TempPathFactory, provider: OpenIdProvider) -> Session:
    folder = tmp_path_factory.mktemp("secrets")
    environment = {
        **os.environ,
        "WHISPERCORE_ADMIN_KEY": ADMIN_KEY,
        "WHISPERCORE_AUDIT_KEY": AUDIT_KEY,
        "WHISPERCORE_TOKEN_KEY": TOKEN_KEY,
        "WHISPERCORE_OIDC_ISSUER": provider.url,
        "WHISPERCORE_OIDC_CLIENT_ID": CLIENT_ID,
        "WHISPERCORE_OIDC_CLIENT_SECRET": CLIENT_SECRET,
        "WHISPERCORE_RATE_PROFILE": "none",
        "WHISPERCORE_DEFAULT_MODEL": "micro",
    }
    command = [sys.executable, "-m", "tests.talkative_server", "serve", "--data", str(folder / "data"), "--port", "0"]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        assert process.stdout is not None
        lines: list[str] = []
        url = ""
        while not url and (line := process.stderr.readline()):
            lines.append(line)
            found = _ADDRESS.search(line)
            url = found[0] if found else ""
        reading = threading.Thread(target=lines.extend, args=(process.stderr,))
        reading.start()
        session = Session(url, folder / "data")
        session.secret("the administrator's key", ADMIN_KEY)
        session.secret("the key of the trail", AUDIT_KEY)
        session.secret("the key of tokens", TOKEN_KEY)
        session.secret("the secret at the provider", CLIENT_SECRET)
        try:
            happens(session)
        finally:
            process.terminate()
            process.wait(60)
            reading.join()
        session.told.append(Told("the log", "".join(lines)))
        session.told.append(Told("what the server printed", process.stdout.read()))
    assert process.returncode == 0
    with closing(sqlite3.connect(session.data / "whispercore.db")) as database:
        for number, (secret,) in enumerate(database.execute("SELECT secret FROM signing_keys")):
            session.secret(f"signing key {number}", secret)
        for number, (hashed,) in enumerate(database.execute("SELECT password_hash FROM users")):
            if hashed is not None:
                session.secret(f"password hash {number}", hashed)
        tables = [row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            rows = database.execute(f'SELECT * FROM "{table}"').fetchall()  # noqa: S608
            session.told.append(Told(f"table {table}", repr(rows)))
    for name in ("settings", "doctor"):
        done = subprocess.run(
            [sys.executable, "-m", "whispercore_server.cli", name],
            env={**environment, "WHISPERCORE_DATA": str(folder / "data")},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        session.told.append(Told(f"whispercore {name}", done.stdout + done.stderr))
    return session


def happens(session: Session) -> None:
    """Logins, keys, tokens, wrong ones, errors."""
    account = {"username": "alice@example.com", "password": session.secret("password", "correct horse battery")}
    wrong = session.secret("wrong password", "wrong horse battery")
    accounts(session, account, wrong)
    tokens(session, account)
    browsers(session, account)
    sign_ins(session)
    by_token, account = changed_password(session, account, wrong)
    keys(session, by_token, wrong)
    links(session, by_token)
    webhooks(session, by_token)
    addresses(session, by_token)
    administrators(session)
    faults(session, account)


def accounts(session: Session, account: dict[str, str], wrong: str) -> None:
    send = session.send
    send("POST", "/auth/register", json=account, expect=201)
    send("POST", "/auth/register", json=account, expect=409)
    short = session.secret("a short password", "x7!kQ2#z")[:7]
    send("POST", "/auth/register", json={"username": "b@example.com", "password": short}, expect=400)
    send("POST", "/auth/login", json={**account, "password": wrong}, expect=401)
    typed = session.secret("password in the place of a name", "MyOtherPassw0rd-typed")
    send("POST", "/auth/login", json={"username": typed, "password": "x"}, expect=401)
    send("POST", "/auth/login", json={"username": ["alice"], "password": wrong}, expect=400)
    send("POST", "/auth/login", json={**account, "passwort": wrong}, expect=400)
    send("POST", "/auth/login", data=f'{{"username": "alice", "password": "{wrong}"', expect=415)
    json_type = {"Content-Type": "application/json"}
    send("POST", "/auth/login", data=f'{{"username": "a", "password": "{wrong}"', headers=json_type, expect=400)


def tokens(session: Session, account: dict[str, str]) -> None:
    send = session.send
    first = send("POST", "/auth/login", json=account, expect=200, hands_out=("access_token", "refresh_token"))
    by_token = {"Authorization": f"Bearer {first['access_token']}"}
    send("GET", "/auth/me", headers=by_token, expect=200)
    send("GET", "/admin/stats", headers=by_token, expect=403)
    broken = session.secret("a broken token", f"{first['access_token'][:-8]}AAAAAAAA")
    send("GET", "/auth/me", headers={"Authorization": f"Bearer {broken}"}, expect=401)
    refresh = {"refresh_token": first["refresh_token"]}
    newer = send("POST", "/auth/refresh", json=refresh, expect=200, hands_out=("access_token", "refresh_token"))
    send("POST", "/auth/refresh", json=refresh, expect=401)  # used again: the session ends
    send("POST", "/auth/refresh", json={"refresh_token": newer["refresh_token"]}, expect=401)
    send("GET", "/auth/me", headers={"Authorization": f"Bearer {newer['access_token']}"}, expect=401)


def browsers(session: Session, account: dict[str, str]) -> None:
    send = session.send
    cookie = requests.Session()
    entered = cookie.post(f"{session.url}/auth/login", json={**account, "session": True}, timeout=60)
    assert entered.status_code == 200, entered.text
    for name, value in cookie.cookies.get_dict().items():
        session.secret(f"cookie {name}", value)
    session.secret("csrf token", entered.json()["csrf_token"])
    cookies = cookie.cookies.get_dict()
    send("GET", "/auth/me", cookies=cookies, expect=200)
    forged = session.secret("a forged csrf token", "forged-token-of-somebody-else")
    send("POST", "/auth/logout", cookies=cookies, headers={"X-CSRF-Token": forged}, expect=403)
    send("POST", "/auth/logout", cookies=cookies, expect=403)


def sign_ins(session: Session) -> None:
    """With a provider: one that comes to something, and its parts used again."""
    begun = session.send(
        "GET",
        "/auth/oidc/start?session=false",
        expect=303,
        hands_out=("authorization_url",),
        allow_redirects=False,
    )
    session.secret("a token of the provider", "for-others")
    back = back_from(begun["authorization_url"])
    for name in ("state", "code"):
        session.secret(f"{name} of a sign-in", back[name])
    session.told[-1].for_him |= frozenset(back.values())
    cookie = next(value for what, value in session.secrets.items() if what.startswith("cookie whispercore_sign_in"))
    known: dict[str, Any] = {"params": back, "cookies": {"whispercore_sign_in": cookie}}
    session.send("GET", "/auth/oidc/callback", expect=200, hands_out=("access_token", "refresh_token"), **known)
    session.send("GET", "/auth/oidc/callback", expect=401, **known)


def changed_password(session: Session, account: dict[str, str], wrong: str) -> tuple[dict[str, str], dict[str, str]]:
    """Headers with a token, and the account as it is then."""
    send = session.send
    entered = send("POST", "/auth/login", json=account, expect=200, hands_out=("access_token", "refresh_token"))
    by_token = {"Authorization": f"Bearer {entered['access_token']}"}
    new = session.secret("new password", "a new horse battery")
    change = {"current_password": wrong, "new_password": new}
    send("POST", "/auth/change-password", json=change, headers=by_token, expect=400)
    change["current_password"] = account["password"]
    send("POST", "/auth/change-password", json=change, headers=by_token, expect=200)
    return by_token, {**account, "password": new}


def keys(session: Session, by_token: dict[str, str], wrong: str) -> None:
    send = session.send
    wish = {"name": "k", "permissions": ["jobs:read"]}
    key = send("POST", "/api/api-keys/", json=wish, headers=by_token, expect=201, hands_out=("api_key",))
    by_key = {"X-API-Key": key["api_key"]}
    send("GET", "/api/jobs/", headers=by_key, expect=200)
    send("GET", "/auth/me", headers=by_key, expect=403)
    path = f"/api/api-keys/{key['key_id']}"
    again = send("POST", f"{path}/regenerate", headers=by_token, expect=200, hands_out=("api_key",))
    send("GET", "/api/jobs/", headers=by_key, expect=401)
    send("GET", path, headers=by_token, expect=200)
    send("GET", "/api/api-keys/", headers=by_token, expect=200)
    send("DELETE", path, headers=by_token, expect=200)
    send("GET", "/api/jobs/", headers={"X-API-Key": again["api_key"]}, expect=401)
    invented = session.secret("an invented key", "wt_0123456789abcdefghijklmnopqrst")
    for headers in ({"X-API-Key": invented}, {"Authorization": f"Bearer {invented}"}):
        send("GET", "/api/jobs/", headers=headers, expect=401)
    basic = session.secret("basic credentials", base64.b64encode(f"alice:{wrong}".encode()).decode())
    send("GET", "/api/jobs/", headers={"Authorization": f"Basic {basic}"}, expect=401)


def links(session: Session, by_token: dict[str, str]) -> None:
    send = session.send
    recording = {"file": ("clip.wav", (ROOT / "tests" / "audio" / "clip01-en.wav").read_bytes())}
    file = send("POST", "/api/v1/files/upload", files=recording, data={"model": "micro"}, headers=by_token, expect=201)
    job_id = file["job_id"]
    send("GET", f"/api/progress/{job_id}/events", headers=by_token, expect=200)
    path = f"/api/transcripts/{job_id}/shares"
    made = send("POST", path, json={}, headers=by_token, expect=201, hands_out=("token", "url"))
    send("GET", f"/api/shared/{made['token']}", expect=200)
    send("GET", path, headers=by_token, expect=200)
    send("DELETE", f"{path}/{made['share']['share_id']}", headers=by_token, expect=200)
    send("GET", f"/api/shared/{made['token']}", expect=404)
    path = f"/api/v1/files/{file['id']}/links"
    made = send("POST", path, json={}, headers=by_token, expect=201, hands_out=("token", "url"))
    send("GET", f"/api/v1/links/{made['token']}", expect=200)
    send("GET", path, headers=by_token, expect=200)
    send("DELETE", f"{path}/{made['link']['id']}", headers=by_token, expect=200)
    send("GET", f"/api/v1/links/{made['token']}", expect=404)


def webhooks(session: Session, by_token: dict[str, str]) -> None:
    send = session.send
    wish = {"url": "http://127.0.0.1:9999/hook"}
    made = send("POST", "/api/webhooks/", json=wish, headers=by_token, expect=201, hands_out=("secret",))
    path = f"/api/webhooks/{made['webhook_id']}"
    send("POST", f"{path}/rotate-secret", headers=by_token, expect=200, hands_out=("secret",))
    sent = send("POST", f"{path}/test", headers=by_token, expect=202)
    while send("GET", f"{path}/deliveries", headers=by_token, expect=200)["deliveries"][0]["error"] is None:
        time.sleep(0.05)
    send("POST", f"{path}/deliveries/{sent['delivery_id']}/replay", headers=by_token, expect=202)
    for shown in (path, "/api/webhooks/"):
        send("GET", shown, headers=by_token, expect=200)


def addresses(session: Session, by_token: dict[str, str]) -> None:
    """Keys and passwords in addresses: of recordings that cannot be had, and of what is no address."""
    key = session.secret("address with a key", "the-key-of-a-bucket")
    password = session.secret("address with a password", "the-password-of-a-host")
    unheard = f"http://127.0.0.1:9999/a.wav?key={key}"
    refused = [f"http://eve:{password}@example.com/a.wav", f"http://[{key}/a.wav", f"http://example.com:22/?{key}"]

    def send(path: str, field: str, url: str, expect: int) -> Any:
        form = {field: (None, url), "model": (None, "micro")}
        return session.send("POST", path, files=form, headers=by_token, expect=expect)

    made = send("/api/jobs/", "url", unheard, 201)
    batches = [send("/api/v1/batch/upload", "urls[]", url, 201) for url in (unheard, *refused)]
    for url in refused:
        send("/api/jobs/", "url", url, 400)
        session.send("POST", "/api/webhooks/", json={"url": url}, headers=by_token, expect=400)
    session.send("GET", f"/api/progress/{made['job_id']}/events", headers=by_token, expect=200)
    for path in (f"/api/jobs/{made['job_id']}", *(f"/api/v1/batch/{one['batch_id']}" for one in batches)):
        session.send("GET", path, headers=by_token, expect=200)


def administrators(session: Session) -> None:
    send = session.send
    by_admin = {"X-API-Key": ADMIN_KEY}
    send("POST", "/admin/security/signing-keys/rotate", headers=by_admin, expect=201)
    send("POST", "/admin/backup/create", headers=by_admin, expect=202)
    for path in (
        "/admin/events?page_size=100",
        "/admin/events/export",
        "/admin/security/incidents",
        "/admin/security/lockouts",
        "/admin/security/dashboard",
        "/admin/security/api-keys",
        "/admin/users",
        "/admin/backup",
        "/admin/health",
        "/admin/stats",
        "/metrics",
        "/openapi.json",
    ):
        send("GET", path, headers=by_admin, expect=200)


def faults(session: Session, account: dict[str, str]) -> None:
    """What must not happen, and does: the log has the errors with all their details."""
    send = session.send
    with closing(sqlite3.connect(session.data / "whispercore.db", timeout=30, isolation_level=None)) as database:
        database.execute("ALTER TABLE users RENAME TO users_gone")
        try:
            send("POST", "/auth/login", json=account, expect=500)
            send("POST", "/auth/register", json={**account, "username": "c@example.com"}, expect=500)
            fresh = session.secret("a key that nobody knows yet", "wt_nobody_has_seen_this_key_before")
            send("GET", "/api/jobs/", headers={"X-API-Key": fresh}, expect=500)
        finally:
            database.execute("ALTER TABLE users_gone RENAME TO users")


def spellings(secret: str) -> set[str]:
    """How a secret may be written; whoever reads it can undo each of these."""
    encoded = base64.b64encode(secret.encode()).decode().rstrip("=")
    return {secret, quote(secret), repr(secret)[1:-1], encoded, secret[::-1], secret.encode().hex()}


def leaks(told: Told, secrets: dict[str, str]) -> list[str]:
    return [
        f"{what} in {told.where}"
        for what, secret in secrets.items()
        if secret not in told.for_him and any(spelling in told.text for spelling in spellings(secret))
    ]


def test_the_session_had_all_kinds_of_secrets(session: Session) -> None:
    assert len(session.secrets) >= 25
    log = next(told.text for told in session.told if told.where == "the log")
    assert "Traceback" in log
    assert "INSERT INTO signing_keys" in log
    for name in ("aiosqlite", "sqlalchemy", "asyncio", "whispercore_server"):
        assert f":{name}" in log, name


def test_no_secret_is_in_what_the_server_says(session: Session) -> None:
    kept = {"table signing_keys": "signing key", "table users": "password hash", "table jobs": "address"}
    found = []
    for told in session.told:
        allowed = kept.get(told.where)
        secrets = {what: text for what, text in session.secrets.items() if not (allowed and what.startswith(allowed))}
        found += leaks(told, secrets)
    assert found == []


def test_a_leak_would_be_found(session: Session) -> None:
    for secret in session.secrets.values():
        for spelling in spellings(secret):
            assert leaks(Told("here", f"x {spelling} y"), session.secrets)
