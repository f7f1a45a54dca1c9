"""Runs a command for which the kernel refuses sockets of IPv6, as one without IPv6 does.

``python tests/support/no_ipv6.py COMMAND…``. A filter of system calls, seccomp(2), stays with the
process: socket() fails with EAFNOSUPPORT when its first argument is AF_INET6.
"""

import ctypes
import errno
import os
import socket
import struct
import sys
from pathlib import Path
from typing import Final

COMMAND: Final = [sys.executable, str(Path(__file__))]

# linux/prctl.h, linux/seccomp.h, linux/bpf_common.h
_PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS, _MODE_FILTER = 22, 38, 2
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_LOAD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_NUMBER_AT, _FIRST_ARGUMENT_AT = 0, 16  # offsets within struct seccomp_data

#: The number of socket() by machine, from asm/unistd.h.
_SOCKET = {"x86_64": 41, "aarch64": 198, "riscv64": 198}


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def _instruction(code: int, value: int, skip_if_true: int = 0, skip_if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, skip_if_true, skip_if_false, value)


def main() -> None:
    """Install the filter and become the command."""
    instructions = b"".join(
        [
            _instruction(_LOAD, _NUMBER_AT),
            _instruction(_JUMP_IF_EQUAL, _SOCKET[os.uname().machine], 0, 3),
            _instruction(_LOAD, _FIRST_ARGUMENT_AT),
            _instruction(_JUMP_IF_EQUAL, socket.AF_INET6, 0, 1),
            _instruction(_RETURN, _ERRNO | errno.EAFNOSUPPORT),
            _instruction(_RETURN, _ALLOW),
        ]
    )
    program = _Program(len(instructions) // 8, instructions)
    libc = ctypes.CDLL(None, use_errno=True)
    for arguments in (
        (_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
        (_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(program), 0, 0),
    ):
        if libc.prctl(*arguments) != 0:
            raise OSError(ctypes.get_errno(), "prctl")
    os.execvp(sys.argv[1], sys.argv[1:])


if __name__ == "__main__":
    main()
