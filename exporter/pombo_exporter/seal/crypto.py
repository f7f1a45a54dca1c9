"""The cryptography of sealed datagrams, from cryptography and the standard library."""

import os
from hashlib import blake2b

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from pombo_wire.sealing import KEY_BYTES, Crypto


def _blake2b(data: bytes, key: bytes) -> bytes:
    return blake2b(data, digest_size=KEY_BYTES, key=key).digest()


def _seal(key: bytes, nonce: bytes, plaintext: bytes, associated: bytes) -> bytes:
    return ChaCha20Poly1305(key).encrypt(nonce, plaintext, associated)


def _open(key: bytes, nonce: bytes, ciphertext: bytes, associated: bytes) -> bytes | None:
    try:
        return ChaCha20Poly1305(key).decrypt(nonce, ciphertext, associated)
    except InvalidTag:
        return None


CRYPTO = Crypto(blake2b=_blake2b, seal=_seal, open=_open, random=os.urandom)
