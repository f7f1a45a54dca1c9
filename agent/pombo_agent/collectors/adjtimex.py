"""``adjtimex(2)``, used to read the state of the kernel's clock and never to change it."""

import ctypes
import os

_LONGS = (
    *("offset", "freq", "maxerror", "esterror"),
    *("constant", "precision", "tolerance", "tv_sec", "tv_usec", "tick"),
    *("ppsfreq", "jitter"),
    *("stabil", "jitcnt", "calcnt", "errcnt", "stbcnt"),
)
_INTS = ("status", "shift", "tai")


class _Timex(ctypes.Structure):
    """``struct timex``; ``modes`` selects what to change, and 0 changes nothing."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        *((name, ctypes.c_long) for name in _LONGS[:4]),
        ("status", ctypes.c_int),
        *((name, ctypes.c_long) for name in _LONGS[4:12]),
        ("shift", ctypes.c_int),
        *((name, ctypes.c_long) for name in _LONGS[12:]),
        ("tai", ctypes.c_int),
        ("reserved", ctypes.c_int * 11),
    )


_adjtimex = ctypes.CDLL(None, use_errno=True).adjtimex


def adjtimex() -> tuple[int, dict[str, int]]:
    """Return the clock's state and the fields of ``struct timex``, in the kernel's units.

    Raises:
        OSError: when the call is forbidden, for example by a seccomp filter.
    """
    timex = _Timex(modes=0)
    state = _adjtimex(ctypes.byref(timex))
    if state < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return state, {name: getattr(timex, name) for name in (*_LONGS, *_INTS)}
