"""How ``top`` reaches an exporter with a password or TLS: the file that promtool has as well.

Source: https://prometheus.io/docs/prometheus/latest/configuration/configuration/#http_config
"""

import ssl
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pombo_cli.yaml_file import Entry, YamlError, by_key, decoded, file_entries

from pombo_exporter.web.toolkit import tls
from pombo_exporter.web.toolkit.errors import WebConfigError
from pombo_exporter.web.toolkit.files import Files
from pombo_exporter.web.toolkit.values import Reader, version

_EXAMPLE: Final = "basic_auth:"
_NOT_HERE: Final = (
    *("oauth2", "http_headers", "bearer_token", "bearer_token_file"),
    *("proxy_url", "no_proxy", "proxy_from_environment", "proxy_connect_header"),
)
_KEYS: Final = ("basic_auth", "authorization", "tls_config", "follow_redirects", "enable_http2")
_BASIC: Final = ("username", "username_file", "password", "password_file")
_AUTHORIZATION: Final = ("type", "credentials", "credentials_file")
_TLS: Final = (
    *("ca", "ca_file", "cert", "cert_file", "key", "key_file"),
    *("server_name", "insecure_skip_verify", "min_version", "max_version"),
)


@dataclass(frozen=True)
class HttpConfig:
    """What requests have: headers, TLS other than the default, and whether they are redirected.

    ``server_name`` is the name in the exporter's certificate, where it is not that of the URL.
    """

    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    context: ssl.SSLContext | None = None
    server_name: str | None = None
    follow_redirects: bool = True


def read_http_config(path: Path) -> HttpConfig:
    """Read the file, and those that it names, which are relative to it.

    Raises:
        WebConfigError: when something in it cannot be used.
    """
    files = Files()
    try:
        entries = by_key(file_entries(decoded(files.read(path)), _EXAMPLE), (*_KEYS, *_NOT_HERE))
        return _config(entries, Reader(path.parent, files))
    except YamlError as error:
        raise WebConfigError(error.in_file(path)) from None
    except OSError as error:
        remedy = "name a file that you may read"
        raise WebConfigError(f"{path}: {error.strerror}: {remedy}") from None


def _config(found: Mapping[str, Entry], reader: Reader) -> HttpConfig:
    for name in _NOT_HERE:
        if name in found:
            raise found[name].error("top has no such setting: write basic_auth or authorization")
    for name in ("follow_redirects", "enable_http2"):
        if name in found:
            found[name].switch()
    entry = found.get("tls_config")
    names = by_key(entry.entries("ca_file: ca.crt"), _TLS) if entry else {}
    server_name = names.get("server_name")
    redirects = found.get("follow_redirects")
    return HttpConfig(
        _headers(found, reader),
        _context(names, reader) if names else None,
        server_name.scalar() if server_name else None,
        redirects.switch() if redirects else True,
    )


def _headers(found: Mapping[str, Entry], reader: Reader) -> dict[str, str]:
    basic, authorization = found.get("basic_auth"), found.get("authorization")
    if basic and authorization:
        raise authorization.error(f"basic_auth is in line {basic.line}: remove one of them")
    if basic:
        keys = by_key(basic.entries("username: prometheus"), _BASIC)
        user, password = (_secret(keys, key, reader, basic) for key in ("username", "password"))
        pair = b64encode(f"{user}:{password}".encode()).decode()
        return {"Authorization": f"Basic {pair}"}
    if authorization:
        keys = by_key(authorization.entries("credentials_file: token"), _AUTHORIZATION)
        kind = keys["type"].scalar() if "type" in keys else "Bearer"
        if kind.lower() == "basic":
            raise keys["type"].error("write basic_auth for this, with username and password_file")
        return {"Authorization": f"{kind} {_secret(keys, 'credentials', reader, authorization)}"}
    return {}


def _secret(keys: Mapping[str, Entry], key: str, reader: Reader, section: Entry) -> str:
    """Return a text of the file, or of the file that it names, without white space around it."""
    content = reader.read(keys, key)
    if content is None:
        raise section.error(f"it has no {key}: add {key} or {key}_file")
    entry, data = content
    try:
        text = data.decode().strip()
    except UnicodeDecodeError:
        raise entry.error("the file is not UTF-8: save it as UTF-8") from None
    if not text.isprintable():
        raise entry.error("it has more than one line: write one")
    return text


def _context(found: Mapping[str, Entry], reader: Reader) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority = reader.read(found, "ca")
    if authority is None:
        context.load_default_certs()
    else:
        entry, pem = authority
        try:
            tls.trust(context, pem)
        except tls.PemError as error:
            raise entry.error(str(error)) from None
    own, private = reader.read(found, "cert"), reader.read(found, "key")
    if own and private:
        (certificate, certificate_pem), (key, key_pem) = own, private
        try:
            tls.load_pair(context, certificate_pem, key_pem)
        except tls.PemError as error:
            raise (key if error.is_key else certificate).error(str(error)) from None
    elif alone := own or private:
        raise alone[0].error("a certificate needs its key: add cert_file and key_file")
    if "insecure_skip_verify" in found and found["insecure_skip_verify"].switch():
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if "min_version" in found:
        context.minimum_version = version(found["min_version"])
    if "max_version" in found:
        context.maximum_version = version(found["max_version"])
    return context
