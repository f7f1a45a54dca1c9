"""The web configuration file: what is in it, and what is wrong with it."""

import re
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pombo_cli.yaml_file import Entry, YamlError, by_key, decoded, file_entries

from pombo_exporter.web.toolkit import tls
from pombo_exporter.web.toolkit.errors import WebConfigError
from pombo_exporter.web.toolkit.files import Files
from pombo_exporter.web.toolkit.values import Reader, count, duration, one_of, version

_EXAMPLE: Final = "basic_auth_users:"
_SECTIONS: Final = ("tls_server_config", "http_server_config", "basic_auth_users", "rate_limit")
_TLS: Final = (
    *("cert_file", "key_file", "cert", "key"),
    *("client_auth_type", "client_ca_file", "client_ca", "client_allowed_sans"),
    *("min_version", "max_version", "cipher_suites", "prefer_server_cipher_suites"),
    "curve_preferences",
)

#: The headers that may be set, and the values that they may have; () is any.
_HEADERS: Final[Mapping[str, tuple[str, ...]]] = {
    "Content-Security-Policy": (),
    "X-Frame-Options": ("deny", "sameorigin"),
    "X-Content-Type-Options": ("nosniff",),
    "X-XSS-Protection": (),
    "Strict-Transport-Security": (),
}

_UNVERIFIED: Final = ("RequestClientCert", "RequireAnyClientCert", "RequireClientCert")

_HASH: Final = re.compile(r"\$2[aby]\$([0-9]{2})\$[./A-Za-z0-9]{53}")
_COSTS: Final = range(4, 15)  # bcrypt's least; 14 takes a second, 10 takes 60 ms


@dataclass(frozen=True)
class RateLimit:
    """One request every ``interval`` seconds on average, and ``burst`` at once."""

    interval: float
    burst: int


@dataclass(frozen=True)
class WebConfig:
    """What the file says. ``users`` are bcrypt hashes by name; without any, all are let in.

    ``expires`` is when the first of the server's certificates does, in Unix seconds.
    """

    tls: ssl.SSLContext | None = None
    expires: float | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    users: Mapping[str, bytes] = field(default_factory=dict)
    rate_limit: RateLimit | None = None


def read_web_config(path: Path, files: Files) -> WebConfig:
    """Read the file, and the certificates that it names, by ``files``.

    Raises:
        WebConfigError: when something in it cannot be used.
    """
    try:
        text = decoded(files.read(path))
        return _config(text, Reader(path.parent, files))
    except YamlError as error:
        raise WebConfigError(error.in_file(path)) from None
    except OSError as error:
        remedy = "name a file that the exporter may read"
        raise WebConfigError(f"{path}: {error.strerror}: {remedy}") from None


def _config(text: str, reader: Reader) -> WebConfig:
    sections = by_key(file_entries(text, _EXAMPLE), _SECTIONS)

    def section(name: str, known: Sequence[str] | None, example: str) -> dict[str, Entry]:
        entry = sections.get(name)
        return by_key(entry.entries(example), known) if entry else {}

    http = section("http_server_config", ("http2", "headers"), "http2: false")
    if "http2" in http:
        http["http2"].switch()  # there is no HTTP/2, but true is the default of every exporter
    found = section("tls_server_config", _TLS, "cert_file: server.crt")
    context, expires = _tls(found, reader) if found else (None, None)
    return WebConfig(
        context,
        expires,
        _headers(http.get("headers")),
        _users(section("basic_auth_users", None, "NAME: HASH")),
        _rate_limit(section("rate_limit", ("interval", "burst"), "burst: 10")),
    )


def _tls(found: Mapping[str, Entry], reader: Reader) -> tuple[ssl.SSLContext, float]:
    """Return what the section ``tls_server_config`` says, and when a certificate expires."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["http/1.1"])
    expires = _set_pair(context, found, reader)
    _set_clients(context, found, reader)
    _set_versions(context, found)
    if entry := found.get("cipher_suites"):
        _set_ciphers(context, entry)
    if (entry := found.get("prefer_server_cipher_suites")) and not entry.switch():
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    if entry := found.get("curve_preferences"):
        _set_curve(context, entry)
    if entry := found.get("client_allowed_sans"):
        if context.verify_mode != ssl.CERT_REQUIRED:
            remedy = "add client_auth_type: RequireAndVerifyClientCert"
            raise entry.error(f"clients need no certificate: {remedy}")
        tls.allow_names(context, frozenset(item.scalar() for item in entry.items()))
    return context, expires


def _set_pair(context: ssl.SSLContext, found: Mapping[str, Entry], reader: Reader) -> float:
    pair = []
    for key in ("cert", "key"):
        content = reader.read(found, key)
        if content is None:
            first = next(iter(found.values()))
            remedy = f"add {key}_file, or remove tls_server_config to serve without TLS"
            raise YamlError(first.line, f"tls_server_config has no {key}_file: {remedy}")
        pair.append(content)
    (certificate, certificate_pem), (key_entry, key_pem) = pair
    try:
        tls.load_pair(context, certificate_pem, key_pem)
        return tls.expiry(certificate_pem)
    except tls.PemError as error:
        raise (key_entry if error.is_key else certificate).error(str(error)) from None


def _set_clients(context: ssl.SSLContext, found: Mapping[str, Entry], reader: Reader) -> None:
    entry = found.get("client_auth_type")
    kind = "NoClientCert"
    if entry:
        kind = entry.scalar()
        if kind in _UNVERIFIED:
            text = f"{kind} accepts any certificate, and Python's ssl cannot do that"
            raise entry.error(f"{text}: write RequireAndVerifyClientCert, with a client_ca_file")
        kind = one_of(entry, tls.CLIENT_AUTH)
    authority = reader.read(found, "client_ca")
    if authority:
        named, pem = authority
        if kind == "NoClientCert":
            remedy = "add client_auth_type: RequireAndVerifyClientCert"
            raise named.error(f"no client is asked for a certificate: {remedy}")
        try:
            tls.trust(context, pem)
        except tls.PemError as error:
            raise named.error(str(error)) from None
        # As in Go, each certificate in the file is trusted, also one that another has signed.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    elif entry and kind != "NoClientCert":
        raise entry.error(f"{kind} needs the authority of the clients: add client_ca_file")
    context.verify_mode = tls.CLIENT_AUTH[kind]


def _set_versions(context: ssl.SSLContext, found: Mapping[str, Entry]) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.maximum_version = ssl.TLSVersion.TLSv1_3
    if entry := found.get("min_version"):
        context.minimum_version = version(entry)
    if entry := found.get("max_version"):
        context.maximum_version = version(entry)
        if context.maximum_version < context.minimum_version:
            raise entry.error("it is below min_version: write the same version, or a later one")


def _set_ciphers(context: ssl.SSLContext, entry: Entry) -> None:
    items = entry.items()
    names = [one_of(item, [*tls.CIPHERS, *tls.ALWAYS_ON]) for item in items]
    to_set = [name for name in names if name not in tls.ALWAYS_ON]
    if not to_set:
        # In Go, too, such a list leaves nothing for TLS 1.2.
        if context.maximum_version < ssl.TLSVersion.TLSv1_3:
            raise entry.error(
                "these are for TLS 1.3, which max_version forbids: remove one of the two"
            )
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        return
    if missing := tls.set_ciphers(context, to_set):
        item = items[names.index(missing)]
        raise item.error(f"this OpenSSL does not offer {missing}: remove it")


def _set_curve(context: ssl.SSLContext, entry: Entry) -> None:
    items = entry.items()
    names = [one_of(item, tls.CURVES) for item in items]
    if len(names) > 1:
        remedy = "write one, or remove the key: OpenSSL then offers X25519 and the three others"
        raise items[1].error(f"Python's ssl takes only one curve: {remedy}")
    try:
        context.set_ecdh_curve(tls.CURVES[names[0]])
    except (ValueError, ssl.SSLError):  # X25519, with older versions of Python
        remedy = "remove the key: OpenSSL then offers X25519 and the three others"
        raise items[0].error(f"this Python cannot offer {names[0]} alone: {remedy}") from None


def _headers(entry: Entry | None) -> dict[str, str]:
    """Return the headers that are set; one with an empty value is not."""
    headers = {}
    found = by_key(entry.entries("X-Frame-Options: deny"), tuple(_HEADERS)) if entry else {}
    for name, each in found.items():
        value = "" if each.is_empty else each.scalar()
        if value and _HEADERS[name]:
            one_of(each, _HEADERS[name])
        if not value.isascii() or not value.isprintable():
            raise each.error("a header has one line of ASCII: remove the other characters")
        if value:
            headers[name] = value
    return headers


def _users(found: Mapping[str, Entry]) -> dict[str, bytes]:
    users = {}
    for name, entry in found.items():
        remedy = f"write what `htpasswd -nBC 10 {name}` prints after the colon"
        if ":" in name:
            raise entry.error("a user name cannot contain a colon: write another one")
        found_hash = _HASH.fullmatch(entry.scalar())
        if not found_hash:
            raise entry.error(f"this is not a bcrypt hash: {remedy}")
        if int(found_hash[1]) not in _COSTS:
            least, most = _COSTS[0], _COSTS[-1]
            raise entry.error(f"the cost of the hash is not from {least} to {most}: {remedy}")
        users[name] = found_hash[0].encode()
    return users


def _rate_limit(found: Mapping[str, Entry]) -> RateLimit | None:
    interval = duration(found["interval"]) if "interval" in found else 0.0
    entry = found.get("burst")
    burst = count(entry) if entry else 0
    if not interval:
        return None
    if not burst:
        text = "this refuses every request: add burst, how many requests may come at once"
        raise (entry or found["interval"]).error(text)
    return RateLimit(interval, burst)
