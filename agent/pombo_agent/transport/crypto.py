"""The cryptography of sealed datagrams, from PyNaCl, which is imported only by sealing agents."""

import os

from nacl import bindings
from nacl.exceptions import CryptoError
from pombo_wire.sealing import KEY_BYTES, Crypto


def _blake2b(data: bytes, key: bytes) -> bytes:
    found: bytes = bindings.crypto_generichash_blake2b_salt_personal(data, KEY_BYTES, key)
    return found


def _seal(key: bytes, nonce: bytes, plaintext: bytes, associated: bytes) -> bytes:
    found: bytes = bindings.crypto_aead_chacha20poly1305_ietf_encrypt(
        plaintext, associated, nonce, key
    )
    return found


def _open(key: bytes, nonce: bytes, ciphertext: bytes, associated: bytes) -> bytes | None:
    try:
        found: bytes = bindings.crypto_aead_chacha20poly1305_ietf_decrypt(
            ciphertext, associated, nonce, key
        )
    except CryptoError:
        return None
    return found


CRYPTO = Crypto(blake2b=_blake2b, seal=_seal, open=_open, random=os.urandom)
