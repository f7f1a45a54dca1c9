"""Asks an exporter's HTTP API what it knows of this host.

What it answers is shown, and not trusted.
"""

import json
import re
import ssl
from ast import literal_eval
from collections.abc import Mapping, Sequence
from http.client import BadStatusLine, HTTPException, HTTPResponse, RemoteDisconnected
from ipaddress import ip_address
from math import isfinite
from time import monotonic
from typing import Any, NamedTuple
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import (
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
    build_opener,
)

from pombo_cli.addresses import Address
from pombo_cli.human import printable
from pombo_wire.sealing import SEALED

from pombo_agent.servers import HttpOptions, Url
from pombo_agent.transport.connection import authorization, tls_context

_MOST_BYTES = 2**20
_EXCERPT_BYTES = 120  # of a refused datagram, which the exporter shows
_RECENT_SECONDS = 60.0

#: The most characters of a word and of a sentence that are shown of an answer.
_MOST_WORD, _MOST_SENTENCE = 120, 500

_SHOWN_BYTES = re.compile(r"""(?:[ -\[\]-~]|\\(?:x[0-9a-f]{2}|[\\'nrt]))*""")

#: Where in a sealed datagram its name begins, and where the id and the generation of its key end.
_NAME_AT, _KEY_END = 35, 6

_NO_HTTP = "it does not speak HTTP"


class Refusal(NamedTuple):
    """Why an exporter has refused a datagram, and from which address it came.

    ``start`` is the beginning of the last one that was refused for this reason from this address.
    """

    reason: str
    detail: str
    address: str
    seconds_ago: float
    start: bytes


class Knowledge(NamedTuple):
    """What an exporter's API says.

    ``fault`` is why it could not be asked, in words; then all else is empty. ``host`` is None where
    it shows no host of the name.
    """

    url: str
    fault: str = ""
    host: Mapping[str, Any] | None = None
    refusals: Sequence[Refusal] = ()

    @property
    def conflict(self) -> Refusal | None:
        """The other agent that has reported under the name within the last minute."""
        return next((each for each in self.refusals if each.reason == "conflict"), None)

    def refusal_of(self, datagrams: Sequence[bytes]) -> Refusal | None:
        """Return why one of these datagrams was refused; None where none is known to be.

        A sealed one also counts as refused where another of the same name and key was: the agent
        that runs here is refused as the probes are, and an exporter shows only the last of them.
        """
        starts = {each[:_EXCERPT_BYTES] for each in datagrams}
        owners = {_owner(each) for each in starts} - {None}
        return next(
            (
                each
                for each in self.refusals
                if each.start in starts or _owner(each.start) in owners
            ),
            None,
        )


def base_of(server: Address | Url) -> str:
    """Return where the API of a server is: HTTP has the number of its UDP port."""
    if isinstance(server, Address):
        return f"http://{server}"
    return str(server).removesuffix("/report")


class _NoRedirects(HTTPRedirectHandler):
    """Follows no redirect: another server would get the password, and is not the exporter."""

    def redirect_request(self, *_: Any) -> None:
        """Return nothing, so that the answer is an error."""


class Api:
    """Asks one exporter.

    A password is sent only where ``options`` are for this URL: to a server over HTTP, or to the URL
    of a flag.
    """

    def __init__(self, server: Address | Url, options: HttpOptions, given: str = "") -> None:
        """Take the server, and the URL of its API if that is given."""
        self.url = given.rstrip("/") or base_of(server)
        self._may_try_https = isinstance(server, Address) and not given
        self._sends_password = bool(given) or isinstance(server, Url)
        self._options = options
        self._proxy = server.proxy if isinstance(server, Url) and not given else None

    def ask(self, name: str, end: float) -> Knowledge:
        """Return what the exporter knows of a host.

        ``end`` is until when to ask, in seconds of the monotonic clock.
        """
        status, fault = self._json("/api/v1/status", end)
        if fault == _NO_HTTP and self._may_try_https:
            self.url = self.url.replace("http:", "https:", 1)
            status, fault = self._json("/api/v1/status", end)
        if fault:
            return Knowledge(self.url, fault)
        if not isinstance(status, dict) or not isinstance(status.get("recent_refusals"), list):
            return Knowledge(self.url, "what answers is no exporter of Pombo")
        host, fault = self._json(f"/api/v1/hosts/{quote(name, safe='')}", end)
        if fault and not fault.startswith("404"):
            return Knowledge(self.url, fault)
        known = host if isinstance(host, dict) and _is_word(host.get("state")) else None
        return Knowledge(self.url, "", known, [*_refusals(status, name)])

    def _json(self, path: str, end: float) -> tuple[Any, str]:
        """Return the answer to a request, or why there is none."""
        left = end - monotonic()
        if left <= 0:
            return None, "no time was left to ask"
        request = Request(self.url + path, headers={"Accept": "application/json"})  # noqa: S310
        try:
            if self._sends_password and (password := authorization(self._options)):
                request.add_header(*password.strip().split(": ", 1))
            with self._opener().open(request, timeout=left) as response:
                return _decoded(_read(response, end)), ""
        except HTTPError as error:
            with error:
                said = str(error.reason)[:_MOST_WORD]
                return None, f"{error.code} {self._remedy(error.code) or said}"
        except URLError as error:
            return None, _words(error.reason)
        except (OSError, HTTPException, ValueError, RecursionError) as error:
            return None, _words(error)

    def _remedy(self, status: int) -> str:
        """Return what to do about the status of an answer; empty where nothing is known."""
        if status != 401:
            return ""
        api = "" if self._sends_password else f"--api={self.url} with "
        return f"it asks for a password: give {api}--http.username and --http.password-file"

    def _opener(self) -> OpenerDirector:
        proxies = {}
        if self._proxy is not None:
            proxies = dict.fromkeys(("http", "https"), f"http://{self._proxy}")
        handlers: list[Any] = [ProxyHandler(proxies), _NoRedirects()]
        if self.url.startswith("https:"):
            handlers.append(HTTPSHandler(context=tls_context(self._options)))
        return build_opener(*handlers)


def _read(response: HTTPResponse, end: float) -> bytes:
    """Return the body of an answer, as far as it is read.

    Raises:
        TimeoutError: when it has not ended by then.
    """
    body = bytearray()
    while len(body) < _MOST_BYTES and (data := response.read1(_MOST_BYTES - len(body))):
        body += data
        if monotonic() > end:
            raise TimeoutError
    return bytes(body)


def _decoded(body: bytes) -> Any:
    """Return the JSON of an answer.

    Raises:
        ValueError: when it is none. ``json`` takes numbers that are none, or cannot be printed.
    """

    def number(text: str) -> float:
        found = float(text)
        if not isfinite(found):
            raise json.JSONDecodeError("no number", text, 0)
        return int(text) if text.lstrip("-").isdigit() else found

    return json.loads(body, parse_constant=number, parse_float=number, parse_int=number)


def _is_word(value: object) -> bool:
    return isinstance(value, str) and len(value) <= _MOST_WORD


def _refusals(status: Mapping[str, Any], name: str) -> list[Refusal]:
    """Return the refusals of the last minute, of conflicts only those about a host."""
    found = []
    for each in status["recent_refusals"]:
        try:
            refusal = Refusal(
                str(each["reason"])[:_MOST_WORD],
                printable(str(each["detail"])[:_MOST_SENTENCE]),
                shown_address(each["address"]),
                float(each["last_age_seconds"]),
                _bytes_of(str(each["datagram_start"])),
            )
        except (KeyError, TypeError, ValueError, SyntaxError):
            continue
        is_other = refusal.reason == "conflict" and not refusal.detail.startswith(repr(name))
        if refusal.seconds_ago <= _RECENT_SECONDS and not is_other:
            found.append(refusal)
    return found


def _owner(datagram: bytes) -> tuple[bytes, bytes] | None:
    """Return the key and the name of a sealed datagram, of which this is the start, else None."""
    if datagram[:1] != bytes((SEALED,)) or len(datagram) < _NAME_AT:
        return None
    length = datagram[_NAME_AT - 1]
    return datagram[:_KEY_END], datagram[_NAME_AT - 1 : _NAME_AT + length]


def _bytes_of(text: str) -> bytes:
    """Return the bytes of which the exporter shows the text that Python has for them.

    Raises:
        SyntaxError, ValueError: when it is no such text.
    """
    if len(text) > 4 * _EXCERPT_BYTES or not _SHOWN_BYTES.fullmatch(text):
        raise ValueError("no bytes as Python shows them")
    try:
        found = literal_eval(f"b'{text}'")
    except SyntaxError:  # it has quotes, which are shown as they are in a text in double ones
        found = literal_eval(f'b"{text}"')
    return bytes(found) if isinstance(found, bytes) else b""


def shown_address(address: object) -> str:
    """Return an address of the API for people: IPv4 as such, where it is mapped into IPv6."""
    text = str(address)[:_MOST_WORD]
    try:
        found = ip_address(text)
    except ValueError:
        return printable(text)
    return str(getattr(found, "ipv4_mapped", None) or found)


def _words(error: object) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"{error.verify_message}: give --http.ca-file"
    if isinstance(error, TimeoutError) or "timed out" in str(error):
        return "no answer in time"
    if isinstance(error, (RemoteDisconnected, BadStatusLine, ConnectionResetError)):
        return _NO_HTTP
    if isinstance(error, (json.JSONDecodeError, UnicodeDecodeError, RecursionError)):
        return "what answers is no exporter of Pombo"
    return printable(str(getattr(error, "strerror", None) or error))
