"""Files with keys: read only where no stranger on the machine may."""

import os
import stat

_MAX_BYTES = 2**20
_OTHERS = stat.S_IROTH | stat.S_IWOTH


def read_secret_file(path: str | os.PathLike[str]) -> str:
    """Return the text of a file that only its owner and its group may read and write.

    Raises:
        ValueError: when it cannot be read, others may read or write it, it is longer than 1 MiB,
            or it is not UTF-8; the text names the file.
    """
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - pathlib costs the agent memory
            # Of the open file: the path may lead to another one in the next moment.
            if os.name == "posix" and os.fstat(file.fileno()).st_mode & _OTHERS:
                raise ValueError(f"{path}: others may read or write it: run chmod o= {path}")
            data = file.read(_MAX_BYTES + 1)
    except PermissionError as error:
        remedy = "let the user of this process read it"
        user = f" (id {os.geteuid()})" if os.name == "posix" else ""
        raise ValueError(f"{path}: {error.strerror}: {remedy}{user}") from None
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror or error}") from None
    if len(data) > _MAX_BYTES:
        raise ValueError(f"{path}: longer than {_MAX_BYTES} bytes")
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise ValueError(f"{path}: not UTF-8") from None
