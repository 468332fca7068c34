"""Sending a report to a real mail server and a real HTTP server on this machine: once a week, and no secret told."""

from __future__ import annotations

import asyncio
import email
import email.policy
import json
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, HTTPServer
from io import BytesIO
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dashboard import send
from dashboard.send import Mail, Report, SendError, Webhook, letter, notice, targets

NOW = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
PASSWORD = "open-sesame-300"
OPENSSL = shutil.which("openssl")


def picture(colour: str) -> bytes:
    content = BytesIO()
    Image.new("RGB", (16, 9), colour).save(content, "PNG")
    return content.getvalue()


def manifest(**changes: Any) -> dict[str, Any]:
    def sheet(number: int, name: str, title: str) -> dict[str, Any]:
        stem = f"0{number}-sheet"
        return {
            "name": name,
            "chart": "market-share",
            "title": title,
            "link": f"https://ev.example.org/charts/market-share?market={name}",
            "files": {f"{stem}.csv": "0", f"{stem}.png": "0"},
        }

    content = {
        "week": "2026-W47",
        "as_of": "2026-11-22",
        "news_since": "2026-11-15",
        "stale": False,
        "findings": [
            {"text": "Škoda passed 比亚迪 by 100 cars.", "link": "https://ev.example.org/charts/rank-bump?market=CN"}
        ],
        "sheets": [sheet(1, "China", "比亚迪 has 30.0 %"), sheet(2, "Norway", "Tesla & <b>Volvo</b> lead")],
        "left_out": [{"name": "Prices", "chart": "price-gap", "reason": "no news of price:CN this week"}],
    }
    return content | changes


def written(folder: Path, content: dict[str, Any]) -> Path:
    folder.mkdir(parents=True)
    for sheet in content["sheets"]:
        for name in sheet["files"]:
            (folder / name).write_bytes(picture("red") if name.endswith(".png") else b"value\n100\n")
    (folder / "digest.png").write_bytes(picture("blue"))
    (folder / "report.json").write_text(json.dumps(content), encoding="utf-8")
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return written(tmp_path / "reports" / "2026-W47", manifest())


# A mail server


@dataclass
class Postbox:
    """What a mail server got, and what it answers: `answers` are given to the first mails in turn, then 250."""

    answers: list[str] = field(default_factory=list)
    refuses: dict[str, str] = field(default_factory=dict)
    mails: list[EmailMessage] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)
    logins: list[bytes] = field(default_factory=list)
    tried: int = 0
    port: int = 0

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:
        if address in self.refuses:
            return self.refuses[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        self.tried += 1
        answer = self.answers.pop(0) if self.answers else "250 OK"
        if answer.startswith("250"):
            mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
            assert isinstance(mail, EmailMessage)
            self.mails.append(mail)
            self.recipients.append(envelope.rcpt_tos)
        return answer

    def login(self, _server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
        self.logins.append(data.password)
        return AuthResult(success=data.password == PASSWORD.encode(), handled=False)


@contextmanager
def mail_server(postbox: Postbox, **options: Any) -> Iterator[None]:
    """A mail server in a thread of its own, at `postbox.port`."""
    is_up, loop = Event(), asyncio.new_event_loop()
    is_over = asyncio.Event()
    sessions: list[SMTP] = []

    def session() -> SMTP:
        sessions.append(SMTP(postbox, loop=loop, **options))
        return sessions[-1]

    async def serve() -> None:
        server = await loop.create_server(session, "127.0.0.1", 0)
        postbox.port = server.sockets[0].getsockname()[1]
        is_up.set()
        await is_over.wait()
        server.close()
        for each in sessions:
            if each.transport:
                each.transport.abort()
        others = asyncio.all_tasks(loop) - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await asyncio.sleep(0)

    def run() -> None:
        loop.run_until_complete(serve())
        loop.close()

    thread = Thread(target=run, daemon=True)
    thread.start()
    assert is_up.wait(10)
    try:
        yield
    finally:
        loop.call_soon_threadsafe(is_over.set)
        thread.join(10)
        assert not thread.is_alive()


def mail_to(postbox: Postbox, **changes: Any) -> Mail:
    settings = {
        "host": "localhost",
        "port": postbox.port,
        "tls": "none",
        "sender": "EV <ev@example.org>",
        "recipients": ("Ann <ann@example.org>", "bo@example.org"),
    }
    return Mail(**(settings | changes))


def send_at_once(folder: Path, *to: send.Target, again: bool = False) -> tuple[list[str], list[float]]:
    """Send; what was told, and the waits that were asked for."""
    told: list[str] = []
    waits: list[float] = []
    send.send(folder, to, now=NOW, again=again, tell=told.append, sleep=waits.append)
    return told, waits


def test_a_mail_shows_the_digest_in_its_text_and_has_the_sheets_attached(folder: Path) -> None:
    postbox = Postbox()
    with mail_server(postbox):
        told, waits = send_at_once(folder, mail_to(postbox))
    assert (told, waits) == (["sent by mail: 2 recipients"], [])
    assert postbox.recipients == [["ann@example.org", "bo@example.org"]]
    mail = postbox.mails[0]
    assert mail["Subject"] == "Electric cars, week 2026-W47"
    assert mail["Date"] == "Mon, 23 Nov 2026 06:00:00 +0000"
    assert [part.get_filename() for part in mail.iter_attachments()] == ["01-sheet.png", "02-sheet.png"]
    assert next(mail.iter_attachments()).get_content() == picture("red")
    shown = mail.get_body(("related",))
    assert shown is not None
    page, digest = shown.iter_parts()
    assert digest.get_content() == picture("blue")
    assert f'src="cid:{digest["Content-ID"][1:-1]}"' in page.get_content()
    for kind in ("plain", "html"):
        body = mail.get_body((kind,))
        assert body is not None
        assert "Škoda passed 比亚迪 by 100 cars." in body.get_content()
        assert "no news of price:CN this week" in body.get_content()
        assert "days in UTC" in body.get_content()


def test_titles_are_text_in_a_mail_and_never_markup(folder: Path) -> None:
    mail = letter(Report.at(folder), sender="ev@example.org", recipients=("ann@example.org",), now=NOW)
    body = mail.get_body(("html",))
    assert body is not None
    assert "Tesla &amp; &lt;b&gt;Volvo&lt;/b&gt; lead" in body.get_content()


@given(st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=40))
def test_whatever_a_finding_says_a_chat_is_given_no_markup(text: str) -> None:
    content = manifest(findings=[{"text": text, "link": "/charts/rank-bump"}])
    shown = notice(Report(Path("2026-W47"), content, "0"))["text"]
    assert "<" not in shown
    assert ">" not in shown


def test_a_failed_download_is_in_the_subject_and_in_every_text(tmp_path: Path) -> None:
    report = Report.at(written(tmp_path / "2026-W47", manifest(stale=True)))
    mail = letter(report, sender="ev@example.org", recipients=("ann@example.org",), now=NOW)
    assert mail["Subject"].endswith("(download failed)")
    for kind in ("plain", "html"):
        body = mail.get_body((kind,))
        assert body is not None
        assert "download of new figures failed" in body.get_content()
    assert "download of new figures failed" in notice(report)["text"]


def test_a_server_that_fails_for_the_moment_is_tried_again(folder: Path) -> None:
    postbox = Postbox(answers=["451 later", "421 later"])
    with mail_server(postbox):
        told, waits = send_at_once(folder, mail_to(postbox))
    assert (postbox.tried, len(postbox.mails)) == (3, 1)
    assert waits == [2, 4]
    assert told == ["sent by mail: 2 recipients"]


def test_a_server_that_fails_for_good_is_not_tried_again(folder: Path) -> None:
    postbox = Postbox(answers=["554 no"])
    with mail_server(postbox), pytest.raises(SendError, match=r"not sent: mail: the mail server answered 554$"):
        send_at_once(folder, mail_to(postbox))
    assert postbox.tried == 1
    assert (folder / "report.json").exists()
    assert not list(folder.parent.glob("*.sent.json"))


def test_a_server_that_is_not_there_is_tried_four_times(folder: Path) -> None:
    postbox = Postbox()
    with mail_server(postbox):
        pass
    waits: list[float] = []
    with pytest.raises(SendError, match="cannot be reached"):
        send.send(folder, [mail_to(postbox)], now=NOW, sleep=waits.append)
    assert waits == [2, 4, 8]


def test_one_refused_recipient_is_said_and_the_others_get_no_second_mail(folder: Path) -> None:
    postbox = Postbox(refuses={"bo@example.org": "550 nobody <bo@example.org>"})
    with mail_server(postbox):
        with pytest.raises(SendError, match=r"the server refused 1 of 2 recipients \(550\)") as failed:
            send_at_once(folder, mail_to(postbox))
        told, _ = send_at_once(folder, mail_to(postbox))
    assert "bo@" not in str(failed.value)
    assert postbox.recipients == [["ann@example.org"]]
    assert told[0].startswith("already sent by mail")


@pytest.mark.parametrize(("code", "tries"), [("550", 1), ("450", 4)])
def test_when_every_recipient_is_refused_nothing_counts_as_sent(folder: Path, code: str, tries: int) -> None:
    postbox = Postbox(refuses={"ann@example.org": f"{code} no"})
    waits: list[float] = []
    with mail_server(postbox), pytest.raises(SendError, match=rf"refused every recipient \({code}\)"):
        send.send(folder, [mail_to(postbox, recipients=("ann@example.org",))], now=NOW, sleep=waits.append)
    assert len(waits) == tries - 1
    assert not list(folder.parent.glob("*.sent.json"))


def test_sheets_that_are_more_than_the_server_takes_stay_at_home_and_the_mail_says_so(tmp_path: Path) -> None:
    folder = written(tmp_path / "2026-W47", manifest())
    (folder / "01-sheet.png").write_bytes(bytes(300_000))
    postbox = Postbox()
    with mail_server(postbox, data_size_limit=100_000):
        told, _ = send_at_once(folder, mail_to(postbox))
    assert told == ["sent by mail: 2 recipients, without the sheets: the server takes 0.1 MB and they make 0.4"]
    body = postbox.mails[0].get_body(("plain",))
    assert body is not None
    assert "The sheets are not attached: the server takes 0.1 MB" in body.get_content()
    assert not list(postbox.mails[0].iter_attachments())


# Encryption and login


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for localhost that nobody has signed, with its key."""
    if not OPENSSL:
        pytest.skip("needs openssl")
    path = tmp_path / "localhost.pem"
    asked = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    names = ["-addext", "subjectAltName=DNS:localhost", "-keyout", path, "-out", tmp_path / "c"]
    subprocess.run([OPENSSL, *asked.split(), *names], check=True, capture_output=True)
    path.write_bytes(path.read_bytes() + (tmp_path / "c").read_bytes())
    return path


def encrypted(certificate: Path, postbox: Postbox) -> dict[str, Any]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    return {"tls_context": context, "require_starttls": True, "authenticator": postbox.login, "auth_required": True}


def test_a_login_goes_over_a_verified_encrypted_connection(
    folder: Path, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    postbox = Postbox()
    with mail_server(postbox, **encrypted(certificate, postbox)):
        told, _ = send_at_once(folder, mail_to(postbox, tls="starttls", user="ev", password=PASSWORD))
    assert postbox.logins == [PASSWORD.encode()]
    assert told == ["sent by mail: 2 recipients"]


def test_a_server_whose_certificate_nobody_signed_is_told_no_password(folder: Path, certificate: Path) -> None:
    postbox = Postbox()
    with (
        mail_server(postbox, **encrypted(certificate, postbox)),
        pytest.raises(SendError, match="certificate is refused: self-signed"),
    ):
        send_at_once(folder, mail_to(postbox, tls="starttls", user="ev", password=PASSWORD))
    assert postbox.logins == []
    assert postbox.mails == []


def test_a_server_without_encryption_is_told_no_password(folder: Path) -> None:
    postbox = Postbox()
    with (
        mail_server(postbox, authenticator=postbox.login, auth_require_tls=False),
        pytest.raises(SendError, match="cannot do what is asked: STARTTLS"),
    ):
        send_at_once(folder, mail_to(postbox, tls="starttls", user="ev", password=PASSWORD))
    assert postbox.logins == []


def test_a_refused_login_names_the_settings_and_not_the_password(folder: Path) -> None:
    postbox = Postbox()
    with (
        mail_server(postbox, authenticator=postbox.login, auth_require_tls=False),
        pytest.raises(SendError, match=r"refused the login \(535\): see SMTP_USER and SMTP_PASSWORD") as failed,
    ):
        send_at_once(folder, mail_to(postbox, user="ev", password="wrong-200"))
    assert "wrong-200" not in str(failed.value)
    assert postbox.logins[0] == b"wrong-200"


# A webhook


@dataclass
class Hook:
    """What an HTTP server was posted, and the codes that it answers in turn, then 200."""

    codes: list[int] = field(default_factory=list)
    posted: list[dict[str, Any]] = field(default_factory=list)
    url: str = ""


@contextmanager
def http_server(hook: Hook) -> Iterator[None]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.headers["Content-Type"] == "application/json"
            hook.posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(hook.codes.pop(0) if hook.codes else 200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    hook.url = f"http://127.0.0.1:{server.server_port}/hooks/secret-100"
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_webhook_gets_the_findings_the_titles_and_the_links(folder: Path) -> None:
    hook = Hook()
    with http_server(hook):
        told, _ = send_at_once(folder, Webhook(hook.url))
    assert told == ["sent by webhook: answered 200"]
    [posted] = hook.posted
    assert (posted["week"], posted["as_of"], posted["stale"]) == ("2026-W47", "2026-11-22", False)
    assert posted["findings"][0]["text"] == "Škoda passed 比亚迪 by 100 cars."
    assert [sheet["title"] for sheet in posted["sheets"]] == ["比亚迪 has 30.0 %", "Tesla & <b>Volvo</b> lead"]
    assert posted["sheets"][0]["link"] == "https://ev.example.org/charts/market-share?market=China"
    assert "比亚迪 has 30.0 %\n  https://ev.example.org/charts/market-share?market=China" in posted["text"]
    assert "Tesla &amp; &lt;b&gt;Volvo&lt;/b&gt; lead" in posted["text"]


def test_without_a_public_address_a_webhook_gets_no_links(tmp_path: Path) -> None:
    content = manifest()
    for sheet in (*content["sheets"], *content["findings"]):
        sheet["link"] = "/charts/market-share"
    told = notice(Report.at(written(tmp_path / "2026-W47", content)))
    assert [sheet["link"] for sheet in told["sheets"]] == [None, None]
    assert told["findings"][0]["link"] is None
    assert "/charts" not in told["text"]


@pytest.mark.parametrize(("codes", "posts"), [([503, 429], 3), ([500, 502, 503, 504], 4), ([404], 1), ([302], 1)])
def test_a_webhook_is_asked_again_only_where_that_may_help(folder: Path, codes: list[int], posts: int) -> None:
    hook = Hook(codes=list(codes))
    with http_server(hook):
        if posts == 3:
            send_at_once(folder, Webhook(hook.url))
        else:
            with pytest.raises(SendError, match=f"webhook: the webhook answered {codes[-1]}$"):
                send_at_once(folder, Webhook(hook.url))
    assert len(hook.posted) == posts


def test_no_error_tells_the_address_of_a_webhook(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    hook = Hook(codes=[404])
    with http_server(hook), pytest.raises(SendError) as refused:
        send_at_once(folder, Webhook(hook.url))
    with pytest.raises(SendError, match="cannot be reached") as gone:
        send_at_once(folder, Webhook(hook.url))
    with pytest.raises(SendError, match="cannot be reached") as no_host:
        send_at_once(folder, Webhook("http://[secret-100"))
    for error in (refused.value, gone.value, no_host.value):
        assert "secret-100" not in str(error)
    assert "secret-100" not in repr(Webhook(hook.url))
    assert not any("secret-100" in record.getMessage() for record in caplog.records if record.name == "httpx")


# Once a week


def test_a_week_goes_out_once_unless_asked_for_again(folder: Path) -> None:
    hook = Hook()
    with http_server(hook):
        send_at_once(folder, Webhook(hook.url))
        told, _ = send_at_once(folder, Webhook(hook.url))
        assert told == ["already sent by webhook on 2026-11-23T06:00:00+00:00; --again sends it once more"]
        assert len(hook.posted) == 1
        send_at_once(folder, Webhook(hook.url), again=True)
    assert len(hook.posted) == 2
    record = json.loads((folder.parent / "2026-W47.sent.json").read_text())
    assert [set(each) for each in record["sent"]] == [{"to", "at", "report"}] * 2
    assert "127.0.0.1" not in json.dumps(record)


def test_what_failed_is_sent_by_the_next_call_and_nothing_twice(folder: Path) -> None:
    postbox, hook = Postbox(answers=["554 no"]), Hook()
    with mail_server(postbox), http_server(hook):
        with pytest.raises(SendError, match=r"mail: the mail server answered 554$"):
            send_at_once(folder, mail_to(postbox), Webhook(hook.url))
        told, _ = send_at_once(folder, mail_to(postbox), Webhook(hook.url))
    assert (len(postbox.mails), len(hook.posted)) == (1, 1)
    assert [line.split(":")[0].split(" on ")[0] for line in told] == ["sent by mail", "already sent by webhook"]


def test_a_record_that_cannot_be_read_stops_sending(folder: Path) -> None:
    (folder.parent / "2026-W47.sent.json").write_text("{")
    hook = Hook()
    with http_server(hook), pytest.raises(SendError, match="nothing was sent"):
        send_at_once(folder, Webhook(hook.url))
    assert hook.posted == []


def test_a_folder_without_a_report_is_not_sent(tmp_path: Path) -> None:
    with pytest.raises(SendError, match="holds no report"):
        send_at_once(tmp_path, Webhook("http://127.0.0.1:1/"))


# Settings


MAIL = {
    "SMTP_HOST": "mail.example.org",
    "MAIL_FROM": "ev@example.org",
    "MAIL_TO": "Ann <ann@example.org>, bo@example.org",
}


def test_the_settings_come_from_the_environment() -> None:
    [mail] = targets(MAIL)
    assert isinstance(mail, Mail)
    assert (mail.port, mail.tls, mail.recipients) == (587, "starttls", ("Ann <ann@example.org>", "bo@example.org"))
    both = targets(MAIL | {"SMTP_TLS": "implicit", "WEBHOOK_URL": "https://chat.example.org/hooks/100"})
    assert [target.kind for target in both] == ["mail", "webhook"]
    secret = targets(MAIL | {"SMTP_USER": "ev", "SMTP_PASSWORD": PASSWORD})
    assert PASSWORD not in repr(secret)


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({}, "nowhere to send it: set SMTP_HOST or WEBHOOK_URL"),
        (MAIL | {"MAIL_TO": ""}, "MAIL_TO is empty"),
        (MAIL | {"MAIL_TO": "ann"}, "MAIL_TO holds what is no address"),
        (MAIL | {"MAIL_TO": "ann@example.org\nBcc: eve@example.org"}, "MAIL_TO holds what is no address"),
        (MAIL | {"MAIL_FROM": "a@example.org, b@example.org"}, "MAIL_FROM is to be one address"),
        (MAIL | {"SMTP_PORT": "mail"}, "SMTP_PORT is no port"),
        (MAIL | {"SMTP_TLS": "yes"}, "SMTP_TLS is none of starttls, implicit, none"),
        (MAIL | {"SMTP_USER": "ev"}, "go together"),
        (MAIL | {"SMTP_USER": "ev", "SMTP_PASSWORD": PASSWORD, "SMTP_TLS": "none"}, "unencrypted"),
        ({"WEBHOOK_URL": "chat.example.org/secret-100"}, "WEBHOOK_URL is no address"),
        ({"WEBHOOK_URL": "https:///secret-100"}, "WEBHOOK_URL is no address"),
    ],
)
def test_a_wrong_setting_is_named_without_its_value(environment: dict[str, str], says: str) -> None:
    with pytest.raises(SendError, match=says) as refused:
        targets(environment)
    assert PASSWORD not in str(refused.value)
    assert "secret-100" not in str(refused.value)
