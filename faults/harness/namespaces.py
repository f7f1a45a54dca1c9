"""Namespaces for a suite, in which it may do to network and mounts what it likes."""

import os
import subprocess
import sys

_INSIDE = "FAULTS_INSIDE"  # set within the namespaces


#: All processes end with the first one, however that ends.
_TOGETHER = ("--pid", "--mount-proc", "--fork", "--kill-child")


def enter_namespaces(module: str, *, end_together: bool = False) -> None:
    """Execute this process, ``python -m module``, again as root of namespaces of its own.

    These are of users, network and mounts. With ``end_together`` there is one of processes, too:
    whatever was started ends with this process.
    """
    if _INSIDE not in os.environ:
        os.environ[_INSIDE] = "1"
        unshare = ["unshare", "--user", "--map-root-user", "--net", "--mount"]
        if end_together:
            unshare += _TOGETHER
        os.execvp(unshare[0], [*unshare, sys.executable, "-m", module, *sys.argv[1:]])
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
