"""TLS of the web server: certificates and what clients have to show, as an ``SSLContext``."""

import os
import re
import ssl
import tempfile
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import IO, Final

#: Versions by their names in Go.
VERSIONS: Final = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}

#: What OpenSSL calls the cipher suites of Go's ``tls.CipherSuites``, up to TLS 1.2.
CIPHERS: Final = {
    f"TLS_ECDHE_{key}_WITH_{name}": f"ECDHE-{key}-{openssl}"
    for name, openssl in (
        ("AES_128_GCM_SHA256", "AES128-GCM-SHA256"),
        ("AES_256_GCM_SHA384", "AES256-GCM-SHA384"),
        ("CHACHA20_POLY1305_SHA256", "CHACHA20-POLY1305"),
        ("AES_128_CBC_SHA", "AES128-SHA"),
        ("AES_256_CBC_SHA", "AES256-SHA"),
    )
    for key in ("ECDSA", "RSA")
}

#: Cipher suites of TLS 1.3, which are always on, as in Go.
ALWAYS_ON: Final = (
    "TLS_AES_128_GCM_SHA256",
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
)

#: What OpenSSL calls the curves of Go.
CURVES: Final = {
    "CurveP256": "prime256v1",
    "CurveP384": "secp384r1",
    "CurveP521": "secp521r1",
    "X25519": "X25519",
}

#: What Python's ssl can ask clients for.
CLIENT_AUTH: Final = {
    "NoClientCert": ssl.CERT_NONE,
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}

_CERTIFICATE: Final = re.compile(
    rb"-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----", re.DOTALL
)
_KEY: Final = re.compile(rb"-----BEGIN ([A-Z0-9 ]*)PRIVATE KEY-----")
_ENCRYPTED: Final = b"Proc-Type: 4,ENCRYPTED"


class PemError(Exception):
    """A certificate or a key cannot be used; ``is_key`` is whether it is the key."""

    def __init__(self, text: str, *, is_key: bool = False) -> None:
        super().__init__(text)
        self.is_key = is_key


def allow_names(context: ssl.SSLContext, allowed: Collection[str]) -> None:
    """Let a handshake fail if the client's certificate has none of these names.

    They are compared with its Subject Alternative Names: DNS, IP, e-mail and URI.
    """

    class Connection(ssl.SSLObject):
        """A connection whose client has one of the names."""

        def do_handshake(self) -> None:
            super().do_handshake()
            certificate = self.getpeercert(binary_form=True)
            if certificate is None or not _has_name(certificate, allowed):
                text = "no name of the client's certificate is in client_allowed_sans"
                raise ssl.SSLCertVerificationError(text)

    context.sslobject_class = Connection


def load_pair(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    """Let a context use a certificate, with those that it is signed by, and its key, both PEM.

    Raises:
        PemError: when one of them cannot be used, or they do not belong together.
    """
    if not _CERTIFICATE.search(certificate):
        raise PemError("it has no certificate in PEM")
    kind = _KEY.search(key)
    if not kind:
        raise PemError("it has no private key in PEM", is_key=True)
    if kind[1] == b"ENCRYPTED " or _ENCRYPTED in key:
        remedy = "store it without a passphrase, where only the exporter may read it"
        raise PemError(f"the key is encrypted: {remedy}", is_key=True)
    try:
        with _as_file(certificate) as chain, _as_file(key) as private:
            context.load_cert_chain(chain, private)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            text = "the key is not that of the certificate: name two files that belong together"
            raise PemError(text, is_key=True) from None
        reason = f"OpenSSL cannot use the certificate and its key ({_reason(error)})"
        raise PemError(f"{reason}: make them again") from None


def expiry(pem: bytes) -> float:
    """Return when the first of the certificates in a PEM file expires, in Unix seconds.

    Raises:
        PemError: when one cannot be read.
    """
    # Only where there is TLS.
    from cryptography import x509  # noqa: PLC0415

    try:
        found = x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise PemError(f"a certificate cannot be read ({error}): make it again") from None
    return min(each.not_valid_after_utc.timestamp() for each in found)


def authorities(pem: bytes) -> str:
    """Return the certificates in a PEM file, without what stands between them.

    Raises:
        PemError: when there is none.
    """
    found = _CERTIFICATE.findall(pem)
    if not found:
        raise PemError("it has no certificate in PEM")
    return b"\n".join(found).decode("ascii", errors="replace")


def trust(context: ssl.SSLContext, pem: bytes) -> None:
    """Let a context trust the certificates in a PEM file.

    Raises:
        PemError: when there is none, or OpenSSL cannot read one.
    """
    text = authorities(pem)
    try:
        context.load_verify_locations(cadata=text)
    except (ssl.SSLError, ValueError) as error:
        raise PemError(f"OpenSSL cannot read a certificate ({_reason(error)})") from None


def set_ciphers(context: ssl.SSLContext, names: Sequence[str]) -> str:
    """Let a context offer these of ``CIPHERS``, in this order; return one that OpenSSL lacks."""
    wanted = [CIPHERS[name] for name in names]
    try:
        context.set_ciphers(":".join(wanted))
    except ssl.SSLError:
        return names[0]
    offered = {cipher["name"] for cipher in context.get_ciphers()}
    return next((name for name in names if CIPHERS[name] not in offered), "")


def _reason(error: Exception) -> str:
    return str(getattr(error, "reason", None) or error).replace("_", " ").lower()


def _has_name(certificate: bytes, allowed: Collection[str]) -> bool:
    # Only where client_allowed_sans is set.
    from cryptography import x509  # noqa: PLC0415

    try:
        parsed = x509.load_der_x509_certificate(certificate)
        found = parsed.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound):
        return False
    kinds = (x509.DNSName, x509.RFC822Name, x509.IPAddress, x509.UniformResourceIdentifier)
    return any(str(name) in allowed for kind in kinds for name in found.get_values_for_type(kind))


@contextmanager
def _as_file(data: bytes) -> Iterator[str]:
    """Yield the path of a file with this content, since OpenSSL loads pairs from files only.

    So one version of a file is compared and loaded. On Linux, no key gets onto a disk.
    """
    with _new_file() as file:
        file.write(data)
        file.flush()
        yield f"/proc/self/fd/{file.fileno()}" if isinstance(file.name, int) else file.name


def _new_file() -> IO[bytes]:
    with suppress(OSError, AttributeError):  # not on Linux, or forbidden
        return os.fdopen(os.memfd_create("pem"), "wb")
    return tempfile.NamedTemporaryFile()
