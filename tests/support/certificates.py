"""Authorities, and certificates that they sign, for TLS in tests; and hashes of passwords."""

import datetime as dt
from ipaddress import ip_address
from pathlib import Path

import bcrypt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_SALT = b"$2b$04$abcdefghijklmnopqrstuu"
_DAY = dt.timedelta(days=1)
_SIGNS = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)


class Authority:
    """A CA with a key of its own. ``path`` is its certificate."""

    def __init__(self, folder: Path, name: str = "ca") -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        own = self._key.public_key()
        builder = _builder(self._name, self._name, own)
        for extension, critical in (
            (x509.BasicConstraints(ca=True, path_length=None), True),
            (_SIGNS, True),
            (x509.SubjectKeyIdentifier.from_public_key(own), False),
        ):
            builder = builder.add_extension(extension, critical)
        self.path = folder / f"{name}.crt"
        self.path.write_bytes(_pem(builder.sign(self._key, hashes.SHA256())))

    def issue(self, name: str, *sans: x509.GeneralName, ip: str = "") -> "Pair":
        """Return a certificate with these alternative names, and its key, as ``NAME.crt, .key``."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = _builder(subject, self._name, key.public_key())
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        builder = builder.add_extension(issuer, False)  # noqa: FBT003
        names = [*sans, *([x509.IPAddress(ip_address(ip))] if ip else [])]
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), False)  # noqa: FBT003
        pair = Pair(self._folder / f"{name}.crt", self._folder / f"{name}.key")
        pair.key.write_bytes(_key_pem(key))
        pair.certificate.write_bytes(_pem(builder.sign(self._key, hashes.SHA256())))
        return pair


class Pair:
    """The paths of a certificate and its key."""

    def __init__(self, certificate: Path, key: Path) -> None:
        self.certificate, self.key = certificate, key


def encrypted(key: Path) -> bytes:
    """Return a key with a passphrase."""
    loaded = serialization.load_pem_private_key(key.read_bytes(), None)
    return loaded.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )


def password_hash(password: str) -> str:
    """Return the hash of a password, of the least cost, as htpasswd writes it.

    The salt is always the same, so that tests have the same names in each process.
    """
    return bcrypt.hashpw(password.encode(), _SALT).decode().replace("$2b$", "$2y$")


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.timezone.utc)  # noqa: UP017 - Python 3.10 has no dt.UTC
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _DAY)
        .not_valid_after(now + _DAY)
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
