"""Sending a finished report: as a mail with the digest in it, and as JSON to a chat's webhook.

The only place of the dashboard that uses the network. What is sent is what lies in the report's folder. A record beside
the folder says what was sent when and to which kind of target, so that a report goes out once a week; neither it nor
any message holds an address or a secret.
"""

from __future__ import annotations

import html
import json
import logging
import os
import smtplib
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from email.errors import HeaderParseError
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, getaddresses, make_msgid
from functools import partial
from hashlib import sha256
from pathlib import Path
from time import sleep as wait
from typing import Any, Final, Protocol

import httpx
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_exponential

from dashboard import style

ATTEMPTS: Final = 4
"""How often a target is tried that fails for the moment, with 2, 4 and 8 seconds between."""

TIMEOUT_SECONDS: Final = 30.0
"""For each step of a connection."""

_PORTS: Final = {"starttls": 587, "implicit": 465, "none": 25}


class SendError(Exception):
    """Something was not sent, or its settings are wrong. The text is one line, without secrets."""


class _Unsent(SendError):
    """One attempt failed; `is_passing` where another one may do."""

    def __init__(self, message: str, *, is_passing: bool) -> None:
        super().__init__(message)
        self.is_passing = is_passing


@dataclass(frozen=True)
class Report:
    """What lies in a report's folder: the manifest, read, and the files themselves."""

    folder: Path
    manifest: Mapping[str, Any]
    checksum: str

    @classmethod
    def at(cls, folder: Path) -> Report:
        """The report in a folder. Raises `SendError` where there is none."""
        try:
            content = (folder / "report.json").read_bytes()
            return cls(folder, json.loads(content), sha256(content).hexdigest())
        except (OSError, ValueError) as error:
            raise SendError(f"{folder} holds no report to send") from error

    @property
    def title(self) -> str:
        """What the report is called."""
        return f"Electric cars, week {self.manifest['week']}"

    @property
    def lines(self) -> list[str]:
        """The report in lines of plain text: the days, what is missing, the findings and the titles of the sheets."""
        known = f"As known on {self.manifest['as_of']}, news since {self.manifest['news_since']} (days in UTC)."
        stale = ["The download of new figures failed before this report was made."] if self.manifest["stale"] else []
        return [*stale, *(finding["text"] for finding in self.manifest["findings"]), known]

    def file(self, name: str) -> bytes:
        """One of its files; raises `SendError` where it has gone."""
        try:
            return (self.folder / name).read_bytes()
        except OSError as error:
            raise SendError(f"{self.folder / name} cannot be read ({error.strerror})") from error


class Target(Protocol):
    """Where a report goes to."""

    @property
    def kind(self) -> str:
        """What the record calls it: `mail` or `webhook`."""
        ...

    def take(self, report: Report, *, now: datetime) -> str:
        """Send a report once; what is to be said of it ('2 recipients'). Raises `SendError`."""
        ...


# Mail


@dataclass(frozen=True)
class Mail:
    """A mail server and who gets the report. `tls` is `starttls`, `implicit` or `none`."""

    host: str
    port: int
    tls: str
    sender: str
    recipients: tuple[str, ...]
    user: str = ""
    password: str = field(default="", repr=False)
    kind: str = "mail"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Mail | None:
        """The mail that the environment asks for, None without SMTP_HOST; raises `SendError` for wrong settings."""
        host = environment.get("SMTP_HOST", "").strip()
        if not host:
            return None
        tls = environment.get("SMTP_TLS", "").strip().lower() or "starttls"
        if tls not in _PORTS:
            raise SendError(f"SMTP_TLS is none of {', '.join(_PORTS)}")
        port = environment.get("SMTP_PORT", "").strip() or str(_PORTS[tls])
        if not port.isdecimal() or not 0 < int(port) < 65536:
            raise SendError("SMTP_PORT is no port such as 587")
        user, password = environment.get("SMTP_USER", ""), environment.get("SMTP_PASSWORD", "")
        if bool(user) != bool(password):
            raise SendError("SMTP_USER and SMTP_PASSWORD go together")
        if password and tls == "none" and host not in ("localhost", "127.0.0.1", "::1"):
            raise SendError("SMTP_PASSWORD would go over the network unencrypted: set SMTP_TLS to starttls or implicit")
        senders = _addresses(environment, "MAIL_FROM")
        if len(senders) != 1:
            raise SendError("MAIL_FROM is to be one address")
        return cls(
            host=host,
            port=int(port),
            tls=tls,
            sender=senders[0],
            recipients=_addresses(environment, "MAIL_TO"),
            user=user,
            password=password,
        )

    def take(self, report: Report, *, now: datetime) -> str:
        """Hand the report to the mail server once; without the sheets where they are more than the server takes.

        That it refuses some of the recipients is an error for good.
        """
        written = partial(letter, report, sender=self.sender, recipients=self.recipients, now=now)
        said = style.count_text(len(self.recipients), "recipient")
        with _explained(), self._connection() as server:
            mail = written()
            limit, size = server.esmtp_features.get("size", ""), len(mail.as_bytes())
            if limit.isdecimal() and 0 < int(limit) < size:
                why = f"the server takes {int(limit) / 1e6:.1f} MB and they make {size / 1e6:.1f}"
                mail, said = written(without_sheets=why), f"{said}, without the sheets: {why}"
            refused = server.send_message(mail)
        if refused:
            codes = ", ".join(sorted({str(code) for code, _ in refused.values()}))
            raise _Partly(f"the server refused {len(refused)} of {len(self.recipients)} recipients ({codes})")
        return said

    @contextmanager
    def _connection(self) -> Iterator[smtplib.SMTP]:
        context = ssl.create_default_context()
        if self.tls == "implicit":
            server: smtplib.SMTP = smtplib.SMTP_SSL(self.host, self.port, timeout=TIMEOUT_SECONDS, context=context)
        else:
            server = smtplib.SMTP(self.host, self.port, timeout=TIMEOUT_SECONDS)
        with server:
            if self.tls == "starttls":
                server.starttls(context=context)
            server.ehlo_or_helo_if_needed()
            if self.user:
                server.login(self.user, self.password)
            yield server


class _Partly(SendError):
    """Sent to some recipients and not to others: it counts as sent, and is an error all the same."""


def _addresses(environment: Mapping[str, str], name: str) -> tuple[str, ...]:
    """The addresses in a setting, with the names before them."""
    text = environment.get(name, "").strip()
    found = []
    if not text.isprintable():
        raise SendError(f"{name} holds what is no address such as ann@example.org")
    for shown, address in getaddresses([text]):
        try:
            found.append(str(Address(display_name=shown, addr_spec=address)))
        except (ValueError, HeaderParseError, IndexError) as error:
            raise SendError(f"{name} holds what is no address such as ann@example.org") from error
        if "@" not in address:
            raise SendError(f"{name} holds what is no address such as ann@example.org")
    if not found:
        raise SendError(f"{name} is empty: set it to an address such as ann@example.org")
    return tuple(found)


def letter(
    report: Report, *, sender: str, recipients: Sequence[str], now: datetime, without_sheets: str = ""
) -> EmailMessage:
    """The mail: text and HTML with the digest inline, and the sheets attached as PNG in the order of the report.

    `without_sheets` is why they are not attached, where they are not; the mail says it.
    """
    mail = EmailMessage()
    mail["Subject"] = report.title + (" (download failed)" if report.manifest["stale"] else "")
    mail["From"] = sender
    mail["To"] = ", ".join(recipients)
    mail["Date"] = format_datetime(now)
    domain = sender.rpartition("@")[2].rstrip(">")
    mail["Message-ID"] = make_msgid(domain=domain)
    mail["Auto-Submitted"] = "auto-generated"
    lines = [*report.lines, *([f"The sheets are not attached: {without_sheets}."] if without_sheets else [])]
    mail.set_content(_text(report, lines))
    picture = make_msgid("digest", domain=domain)
    mail.add_alternative(_html(report, lines, picture=picture[1:-1]), subtype="html")
    body = mail.get_payload()[1]  # type: ignore[index]
    assert isinstance(body, EmailMessage)
    body.add_related(
        report.file("digest.png"), "image", "png", cid=picture, filename="digest.png", disposition="inline"
    )
    for sheet in [] if without_sheets else report.manifest["sheets"]:
        name = next(name for name in sheet["files"] if name.endswith(".png"))
        mail.add_attachment(report.file(name), "image", "png", filename=name)
    return mail


def _text(report: Report, lines: Sequence[str]) -> str:
    sheets = [f"{sheet['name']}: {sheet['title']}" + _after(_link(sheet)) for sheet in report.manifest["sheets"]]
    out = [f"Left out: {each['name']} ({each['reason']})" for each in report.manifest["left_out"]]
    return "\n".join([report.title, "", *lines, "", *sheets, *([""] if out else []), *out, ""])


def _after(link: str) -> str:
    return f"\n  {link}" if link else ""


def _link(told: Mapping[str, Any]) -> str:
    """The address of the live chart of a sheet or finding; nothing where the app has no public address."""
    return str(told["link"]) if str(told["link"]).startswith(("http://", "https://")) else ""


def _html(report: Report, lines: Sequence[str], *, picture: str) -> str:
    def item(sheet: Mapping[str, Any]) -> str:
        title, link = html.escape(f"{sheet['name']}: {sheet['title']}"), html.escape(_link(sheet))
        return f'<li><a href="{link}">{title}</a></li>' if link else f"<li>{title}</li>"

    words = "".join(f"<p>{html.escape(line)}</p>\n" for line in lines)
    sheets = "".join(f"{item(sheet)}\n" for sheet in report.manifest["sheets"])
    out = "".join(
        f"<li>{html.escape(each['name'])}: {html.escape(each['reason'])}</li>\n" for each in report.manifest["left_out"]
    )
    return (
        '<html lang="en"><body style="font-family: sans-serif">\n'
        f'<h1 style="font-size: 20px">{html.escape(report.title)}</h1>\n'
        f'{words}<p><img src="cid:{picture}" width="800" alt="All sheets on one page" '
        'style="width: 100%; max-width: 800px; height: auto"></p>\n'
        f"<ol>\n{sheets}</ol>\n" + (f"<p>Left out:</p>\n<ul>\n{out}</ul>\n" if out else "") + "</body></html>\n"
    )


@contextmanager
def _explained() -> Iterator[None]:
    """Turn what the mail server and the way to it can answer into one line, and whether it may pass."""
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        raise _Unsent(f"the mail server's certificate is refused: {error.verify_message}", is_passing=False) from error
    except smtplib.SMTPNotSupportedError as error:
        raise _Unsent(f"the mail server cannot do what is asked: {error}", is_passing=False) from error
    except smtplib.SMTPRecipientsRefused as error:
        codes = sorted({code for code, _ in error.recipients.values()})
        said = f"the mail server refused every recipient ({', '.join(map(str, codes))})"
        raise _Unsent(said, is_passing=all(400 <= code < 500 for code in codes)) from error
    except smtplib.SMTPAuthenticationError as error:
        said = f"the mail server refused the login ({error.smtp_code}): see SMTP_USER and SMTP_PASSWORD"
        raise _Unsent(said, is_passing=400 <= error.smtp_code < 500) from error
    except smtplib.SMTPServerDisconnected as error:
        raise _Unsent("the mail server closed the connection", is_passing=True) from error
    except smtplib.SMTPResponseException as error:
        said = f"the mail server answered {error.smtp_code}"
        raise _Unsent(said, is_passing=400 <= error.smtp_code < 500) from error
    except (smtplib.SMTPException, ssl.SSLError) as error:
        raise _Unsent(f"the mail server failed ({type(error).__name__})", is_passing=False) from error
    except OSError as error:
        raise _Unsent(f"the mail server cannot be reached ({error.strerror or error})", is_passing=True) from error


# Webhook


@dataclass(frozen=True)
class Webhook:
    """An address that takes JSON, such as a chat's incoming webhook: whoever knows it may write there."""

    url: str = field(repr=False)
    kind: str = "webhook"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Webhook | None:
        """The webhook that the environment asks for, None without WEBHOOK_URL; raises `SendError` for no address."""
        text = environment.get("WEBHOOK_URL", "").strip()
        if not text:
            return None
        try:
            url = httpx.URL(text)
        except httpx.InvalidURL:
            raise SendError("WEBHOOK_URL is no address such as https://chat.example.org/hooks/…") from None
        if url.scheme not in ("http", "https") or not url.host:
            raise SendError("WEBHOOK_URL is no address such as https://chat.example.org/hooks/…")
        return cls(text)

    def take(self, report: Report, *, now: datetime) -> str:  # noqa: ARG002
        """Post the report's JSON."""
        try:
            answer = httpx.post(self.url, json=notice(report), timeout=TIMEOUT_SECONDS)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            # Its text can hold the address.
            is_passing = isinstance(error, httpx.TransportError)
            raise _Unsent(f"the webhook cannot be reached ({type(error).__name__})", is_passing=is_passing) from None
        if not answer.is_success:
            is_passing = answer.status_code in (408, 425, 429) or answer.is_server_error
            raise _Unsent(f"the webhook answered {answer.status_code}", is_passing=is_passing)
        return f"answered {answer.status_code}"


def notice(report: Report) -> dict[str, Any]:
    """What a webhook gets: `text`, which chats show, and the same in parts.

    Links are there where the app has a public address. In `text` the three characters with which chats mark up are
    written as entities, as they ask for.
    """
    sheets = [
        {"name": sheet["name"], "title": sheet["title"], "chart": sheet["chart"], "link": _link(sheet) or None}
        for sheet in report.manifest["sheets"]
    ]
    titles = [f"• {sheet['name']}: {sheet['title']}" + _after(sheet["link"] or "") for sheet in sheets]
    return {
        "text": html.escape("\n".join([report.title, *report.lines, *titles]), quote=False),
        "week": report.manifest["week"],
        "as_of": report.manifest["as_of"],
        "stale": report.manifest["stale"],
        "findings": [{"text": each["text"], "link": _link(each) or None} for each in report.manifest["findings"]],
        "sheets": sheets,
        "left_out": report.manifest["left_out"],
    }


# Sending


def targets(environment: Mapping[str, str]) -> tuple[Target, ...]:
    """Where the environment wants reports sent to; raises `SendError` for wrong settings and where there are none."""
    found = (Mail.from_environment(environment), Webhook.from_environment(environment))
    wanted = tuple(target for target in found if target is not None)
    if not wanted:
        raise SendError("the report is written but there is nowhere to send it: set SMTP_HOST or WEBHOOK_URL")
    return wanted


def send(
    folder: Path,
    to: Sequence[Target],
    *,
    now: datetime,
    again: bool = False,
    tell: Callable[[str], None] = lambda _: None,
    sleep: Callable[[float], None] = wait,
) -> None:
    """Send the report in a folder to each target that has not had one of this week yet, or with `again` to each.

    What fails for the moment is tried four times. Raises `SendError` where any target did not get it, after all were
    tried; the report stays where it is, and the next call tries what is missing.
    """
    report = Report.at(folder)
    record = folder.with_name(f"{folder.name}.sent.json")
    sent = _sent(record)
    failures = []
    for target in to:
        before = next((each for each in reversed(sent) if each["to"] == target.kind), None)
        if before and not again:
            tell(f"already sent by {target.kind} on {before['at']}; --again sends it once more")
            continue
        try:
            tell(f"sent by {target.kind}: {_tried(target, report, now=now, sleep=sleep)}")
        except _Partly as partly:
            failures.append(f"{target.kind}: {partly}")
        except SendError as error:
            failures.append(f"{target.kind}: {error}")
            continue
        sent.append({"to": target.kind, "at": now.isoformat(timespec="seconds"), "report": report.checksum})
        _note(record, sent)
    if failures:
        raise SendError(f"{folder} is written but not sent: {'; '.join(failures)}")


def _tried(target: Target, report: Report, *, now: datetime, sleep: Callable[[float], None]) -> str:
    trying = Retrying(
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait_exponential(multiplier=2),
        retry=retry_if_exception(lambda error: isinstance(error, _Unsent) and error.is_passing),
        sleep=sleep,
        reraise=True,
    )
    return trying(target.take, report, now=now)


def _sent(record: Path) -> list[dict[str, str]]:
    try:
        return list(json.loads(record.read_text(encoding="utf-8"))["sent"])
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SendError(
            f"{record}, which says what was sent, cannot be read; nothing was sent: remove it to send anew"
        ) from error


def _note(record: Path, sent: Sequence[Mapping[str, str]]) -> None:
    draft = record.with_name(f".{record.name}.{os.getpid()}")
    try:
        draft.write_text(json.dumps({"sent": list(sent)}, indent=1) + "\n", encoding="utf-8")
        draft.replace(record)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise SendError(
            f"sent by {sent[-1]['to']}, but {record} cannot be written ({error.strerror}): it would be sent again"
        ) from error


# At INFO it names the address of each request.
logging.getLogger("httpx").setLevel(logging.WARNING)
