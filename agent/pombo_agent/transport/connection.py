"""A connection with a server over HTTP: kept alive, with TLS, a proxy, a password, and deadlines.

Imported only by agents that report over HTTP.
"""

import io
import os
import select
import socket
import ssl
from binascii import b2a_base64
from http.client import HTTPException, HTTPResponse
from time import monotonic
from typing import Any, NamedTuple

from pombo_cli.addresses import Address
from pombo_cli.secret_file import read_secret_file
from pombo_wire.framing import FRAMED, unframed

from pombo_agent import __version__
from pombo_agent.servers import HttpOptions, Url
from pombo_agent.transport.udp import resolve

#: Seconds without a request after which a connection is not used again: what is between both ends
#: may have forgotten it, and a body is never sent twice.
_IDLE_SECONDS = 60.0

_CHECK_SECONDS = 0.25  # between two looks at the deadline, while nothing arrives

_MOST_ANSWER_BYTES = 64 * 1024
_MOST_CAUSE = 200  # characters of what a server says

#: What the header ``Host`` leaves out, as some servers want it.
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}

#: What to do about a status of an answer.
_REMEDIES = {
    401: "check --http.username and --http.password-file",
    404: "check the path of --server",
    405: "check the path of --server",
    407: "the proxy wants a password, which cannot be given: let it pass the agent",
    413: "let what is in front of the exporter pass 64 KiB",
}


class Answer(NamedTuple):
    """The answer to a request; a longer body than 64 KiB is cut."""

    status: int
    reason: str
    content_type: str
    retry_after: str
    body: bytes

    @property
    def datagrams(self) -> list[bytes]:
        """The acknowledgements of the exporter, in an answer whose status is 200.

        Raises:
            ValueError: when it is no exporter's.
        """
        if self.content_type != FRAMED:
            text = f"the answer is not from an exporter: its type is {self.content_type}"
            raise ValueError(text[:_MOST_CAUSE])
        return unframed(self.body) if self.body else []


def cause_of(answer: Answer) -> str:
    """Return why a server has taken nothing, and the remedy; its status is not 200."""
    remedy = _REMEDIES.get(answer.status, answer.body.decode(errors="replace").strip())
    if 300 <= answer.status < 400:
        remedy = "a redirect is not followed: give the address that it names"
    return f"{answer.status} {answer.reason}: {remedy}"[:_MOST_CAUSE]


def tls_context(options: HttpOptions) -> ssl.SSLContext:
    """Return what verifies servers, and what shows them the client certificate, if there is one.

    Without a CA file, the CAs of the system are trusted.

    Raises:
        ValueError: when a file cannot be used; the text names the flag and the file.
    """
    try:
        context = ssl.create_default_context(cafile=options.ca_file or None)
    except OSError as error:
        raise _unusable("--http.ca-file", options.ca_file, error) from None
    # Python 3.13 demands extensions that certificates of many CAs lack, and Prometheus does not.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if options.insecure_skip_verify:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if options.cert_file:
        try:
            read_secret_file(options.key_file)
        except ValueError as error:
            raise ValueError(f"--http.key-file: {error}") from None
        try:
            context.load_cert_chain(options.cert_file, options.key_file, _no_password)
        except OSError as error:
            flags = "--http.cert-file and --http.key-file"
            raise _unusable(flags, f"{options.cert_file}, {options.key_file}", error) from None
    return context


def authorization(options: HttpOptions) -> str:
    """Return the header ``Authorization``, empty where no user is given.

    Raises:
        ValueError: when the password cannot be read; the text names the flag and the file.
    """
    if not options.username:
        return ""
    try:
        password = read_secret_file(options.password_file).strip()
    except ValueError as error:
        raise ValueError(f"--http.password-file: {error}") from None
    encoded = b2a_base64(f"{options.username}:{password}".encode(), newline=False).decode()
    return f"Authorization: Basic {encoded}\r\n"


class Connection:
    """Sends requests to one server, one after the other, over one connection.

    One thread uses it; ``hurry`` may be called by another one. The files of the flags are read
    again when they have changed.
    """

    def __init__(self, url: Url, options: HttpOptions) -> None:
        self._url, self._options = url, options
        self._socket: socket.socket | None = None
        self._used = 0.0  # when the last answer came
        self._end = 0.0  # of the request that is under way
        self._context: tuple[object, ssl.SSLContext] | None = None
        self._head = b""  # of each request, without the length of its body

    def post(self, body: bytes, end: float) -> Answer:
        """Send a body of datagrams, once, and return the answer.

        ``end`` is when that must be done, in seconds of ``time.monotonic``. A lookup may take
        longer.

        Raises:
            OSError: when the server cannot be reached, or does not answer in time.
            HTTPException: when its answer is no HTTP.
            ValueError: when a file of a flag cannot be used.
        """
        self._end = end
        self._close_if_stale()
        try:
            opened = self._socket or self._open()
            opened.settimeout(self._left())
            opened.sendall(b"%bContent-Length: %d\r\n\r\n%b" % (self._head, len(body), body))
            answer, is_kept = self._answer(opened)
        except BaseException:
            self.close()
            raise
        self._used = monotonic()
        if not is_kept or answer.status == 401:  # with the password that the file has then
            self.close()
        return answer

    def close(self) -> None:
        """Close the connection; the next request opens another one."""
        opened, self._socket = self._socket, None
        if opened is not None:
            opened.close()

    def hurry(self, end: float) -> None:
        """Wait no longer than until ``end`` for the answer to the request that is under way."""
        self._end = min(self._end, end)

    def _left(self) -> float:
        """Return the seconds until the end of the request.

        Raises:
            TimeoutError: when it is over.
        """
        left = self._end - monotonic()
        if left <= 0:
            raise TimeoutError("no answer in time")
        return left

    def _close_if_stale(self) -> None:
        """Close a connection that the server has closed, or that was not used for long."""
        opened = self._socket
        if opened is None:
            return
        # Nothing is to be read before a request, except that the other end has closed.
        if monotonic() - self._used > _IDLE_SECONDS or select.select([opened], [], [], 0)[0]:
            self.close()

    def _open(self) -> socket.socket:
        """Connect, through the proxy if there is one, and start TLS.

        Raises:
            OSError: when that is not possible.
            ValueError: when a file of a flag cannot be used.
        """
        url = self._url
        self._head = self._new_head().encode()
        context = self._tls() if url.scheme == "https" else None
        opened = self._connect(url.proxy or Address(url.host, url.port))
        if context is not None:
            if url.proxy is not None:
                self._ask_proxy(opened)
            opened.settimeout(self._left())
            # Given a text, Python would import its tables of international names.
            opened = context.wrap_socket(opened, server_hostname=url.host.encode())
            self._socket = opened
        return opened

    def _new_head(self) -> str:
        """Return the head of each request, without the length of its body."""
        url = self._url
        target = str(url) if url.proxy is not None and url.scheme == "http" else url.path
        authority = str(Address(url.host, url.port))
        return (
            f"POST {target} HTTP/1.1\r\n"
            f"Host: {authority.removesuffix(_DEFAULT_PORTS[url.scheme])}\r\n"
            f"User-Agent: pombo-agent/{__version__}\r\n"
            f"{authorization(self._options)}"
            f"Content-Type: {FRAMED}\r\n"
        )

    def _connect(self, address: Address) -> socket.socket:
        """Return a connected socket; each address of the name gets its share of the time."""
        found = resolve(*address)
        for count, (family, destination) in enumerate(found):
            self._socket = opened = socket.socket(family, socket.SOCK_STREAM)
            try:
                opened.settimeout(self._left() / (len(found) - count))
                opened.connect(destination)
                opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except OSError:
                self.close()
                if count == len(found) - 1:
                    raise
            else:
                return opened
        raise OSError("the name has no address")

    def _ask_proxy(self, opened: socket.socket) -> None:
        """Let the proxy connect with the server.

        Raises:
            OSError: when it does not.
        """
        authority = Address(self._url.host, self._url.port)
        opened.settimeout(self._left())
        opened.sendall(f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode())
        response = self._response(opened, "CONNECT")
        try:
            response.begin()
        finally:
            response.close()
        if response.status // 100 != 2:
            remedy = _REMEDIES.get(response.status, "it must let CONNECT pass to this port")
            said = f"{response.status} {response.reason[:_MOST_CAUSE]}"
            raise OSError(f"the proxy {self._url.proxy} answers {said}: {remedy}")

    def _answer(self, opened: socket.socket) -> tuple[Answer, bool]:
        """Return the answer, and whether the connection can be used again."""
        response = self._response(opened, "POST")
        try:
            response.begin()
            body = response.read(_MOST_ANSWER_BYTES)
            is_kept = response.isclosed() and not response.will_close
        finally:
            response.close()
        answer = Answer(
            status=response.status,
            reason=response.reason[:_MOST_CAUSE],
            content_type=response.headers.get_content_type(),
            retry_after=response.headers.get("Retry-After", ""),
            body=body,
        )
        return answer, is_kept

    def _response(self, opened: socket.socket, method: str) -> HTTPResponse:
        timed: Any = _Timed(opened, self)  # it needs nothing else of a socket
        return HTTPResponse(timed, method=method)

    def _tls(self) -> ssl.SSLContext:
        """Return the context for TLS; a new one if a file has changed."""
        options = self._options
        files = [each for each in (options.ca_file, options.cert_file, options.key_file) if each]
        try:
            stats = [os.stat(each) for each in files]
        except OSError as error:
            raise ValueError(f"{error.filename}: {error.strerror}") from None
        stamp = [(each.st_mtime_ns, each.st_ino, each.st_size) for each in stats]
        if self._context is None or self._context[0] != stamp:
            self._context = stamp, tls_context(options)
        return self._context[1]


class _Timed:
    """What a response takes for its socket: it is read until the deadline, however slowly."""

    def __init__(self, opened: socket.socket, connection: Connection) -> None:
        self._socket, self._connection = opened, connection

    def makefile(self, _: str) -> io.BufferedReader:
        return io.BufferedReader(_Reader(self._socket, self._connection))


class _Reader(io.RawIOBase):
    """Reads from a socket until the deadline of a request, which may come nearer meanwhile."""

    def __init__(self, opened: socket.socket, connection: Connection) -> None:
        self._socket, self._connection = opened, connection

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while True:
            left = self._connection._left()  # noqa: SLF001 - this is a part of it
            self._socket.settimeout(min(left, _CHECK_SECONDS))
            try:
                return self._socket.recv_into(buffer)
            except TimeoutError:
                continue


def reason_of(error: Exception) -> str:
    """Return why a request failed, and the remedy where there is one."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"{error.verify_message}: give --http.ca-file, or check the name in --server"
    if isinstance(error, HTTPException):
        return f"no answer in HTTP: {error or type(error).__name__}"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return str(error)


def _no_password() -> str:
    raise ValueError("--http.key-file: the key is encrypted: write it without a password")


def _unusable(flags: str, path: str, error: OSError) -> ValueError:
    return ValueError(f"{flags}: {path}: {error.strerror or error}")
