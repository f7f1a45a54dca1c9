"""Runs first in a one-file agent, on any Python 3: looks for what the agent needs to start.

It needs a Python that the file has wheels for, and a folder to unpack them, once: compiled modules
cannot be loaded from an archive. Old Pythons read this, so its syntax is theirs.
"""
# mypy: allow-untyped-defs, allow-untyped-calls

import os
import stat
import subprocess
import sys

# What the build replaces.
MACHINE, LIBC = "@MACHINE@", "@LIBC@"

MINORS = (13, 12, 11, 10)

# Says whether a Python will do, by its exit code.
CHECK = "import sys; sys.exit(sys.version_info[:2] not in [(3, minor) for minor in %r])" % (MINORS,)


def fail(problem, remedy):
    sys.stderr.write("pombo-agent: %s.\n%s.\n" % (problem, remedy))
    sys.exit(1)


def use_right_python():
    """Execute the file again with another Python where this one is too old or too new."""
    if sys.version_info[:2] in [(3, minor) for minor in MINORS]:
        return
    for name in ["python3.%d" % minor for minor in MINORS]:
        for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
            python = os.path.join(folder, name)
            if os.access(python, os.X_OK) and not os.path.isdir(python):
                with open(os.devnull, "r+b") as null:
                    code = subprocess.call([python, "-c", CHECK], stdout=null, stderr=null)
                if code == 0:
                    os.execv(python, [python, *sys.argv])
    fail(
        "this file needs Python 3.10 to 3.13; %s is %s, and PATH has no other"
        % (sys.executable, sys.version.split()[0]),
        "Install one, such as python3.11, beside the Python that is there",
    )


def check_platform():
    """Fail on a machine or a C library that the wheels are not for."""
    # With 32-bit programs on a 64-bit kernel, uname names the kernel's machine.
    machine = getattr(sys.implementation, "_multiarch", "").split("-")[0] or os.uname()[4]
    try:
        libc = (os.confstr("CS_GNU_LIBC_VERSION") or "musl").split()[0]
    except (OSError, ValueError):
        libc = "musl"
    if (machine, libc) != (MACHINE, LIBC):
        fail(
            "this file is for %s with %s, and %s is for %s with %s"
            % (MACHINE, LIBC, sys.executable, machine, libc),
            "Take the file for that platform, or install pombo-agent with pip",
        )


def folders():
    """Yield where the wheels can be unpacked: caches of a service and of a user, and others."""
    if os.environ.get("CACHE_DIRECTORY"):  # from systemd
        yield os.environ["CACHE_DIRECTORY"].split(":")[0]
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    if os.path.isabs(cache):
        yield os.path.join(cache, "pombo-agent")
    for shared in ("/var/tmp", "/tmp", "/dev/shm"):  # noqa: S108
        yield os.path.join(shared, "pombo-agent-%d" % os.geteuid())


def is_safe(folder):
    """Return whether no other user can replace what belongs to this one in a folder.

    Otherwise what is loaded could differ from what was found here: with sudo, HOME may be another
    user's. Who owns the root, which is root itself but in a user namespace, can replace everything.
    """
    found = os.lstat(folder)
    own_group = (0, os.getegid())
    others_write = found.st_mode & stat.S_IWOTH or (
        found.st_mode & stat.S_IWGRP and found.st_gid not in own_group
    )
    if found.st_uid not in (0, os.geteuid(), os.lstat("/").st_uid):
        return False
    if others_write and not found.st_mode & stat.S_ISVTX:
        return False
    parent = os.path.dirname(folder)
    return parent == folder or is_safe(parent)


def problem_of(folder):  # noqa: PLR0911 - one for each problem
    """Return why nothing can be unpacked and loaded there, or nothing."""
    try:
        if not os.path.isdir(folder):
            os.makedirs(folder, 0o700)
        found = os.lstat(folder)
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
            return "it belongs to another user"
        if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            return "others may write to it"
        if not is_safe(os.path.dirname(os.path.realpath(folder))):
            return "another user may replace it"
        if not os.access(folder, os.W_OK | os.X_OK):
            return "it cannot be written to"
        if os.statvfs(folder).f_flag & os.ST_NOEXEC:
            return "it is mounted noexec"
    except (OSError, UnicodeError) as error:
        return getattr(error, "strerror", None) or str(error)
    return ""


def choose_folder():
    """Tell pex where to unpack, unless PEX_ROOT does."""
    if os.environ.get("PEX_ROOT"):
        return
    problems = []
    for folder in folders():
        problem = problem_of(folder)
        if not problem:
            # Without links, each of which another user may have made.
            os.environ["PEX_ROOT"] = os.path.realpath(folder)
            return
        problems.append("%s: %s" % (folder, problem))
    fail(
        "no folder to unpack into (%s)" % "; ".join(problems),
        "Set PEX_ROOT to a folder that belongs to this user and is not mounted noexec",
    )


use_right_python()
check_platform()
choose_folder()
# Of the unpacked file, only the small script of the command runs, since what pex starts otherwise
# stays in memory.
os.environ["PEX_SCRIPT"] = "pombo-agent"
