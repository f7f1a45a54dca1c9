"""The command to paste on a new host: it downloads the installer, verifies it and runs it.

Everybody may see it: it has no key. Whoever reads it sees each step, so it is no longer than that.
"""

import re
from shlex import quote
from typing import Final

#: ``|| exit`` is for those who write a condition around it, where ``set -e`` means nothing. Where
#: mktemp fails, the folder to remove would be the one in which the command is pasted.
_COMMAND: Final = """\
(
  set -e
  url={url}
  new=$(mktemp -d) && cd "$new" || exit; trap 'rm -r "$PWD"' EXIT
  if command -v curl >/dev/null; then curl -fsSLo install.sh "$url/install.sh"
  elif command -v wget >/dev/null; then wget -qO install.sh "$url/install.sh"
  else python3 -c 'import sys, urllib.request as r; r.urlretrieve(*sys.argv[1:])' \\
    "$url/install.sh" install.sh
  fi
  echo '{checksum}  install.sh' | sha256sum -c || exit
{variable}  sh install.sh --from="$url" --server={server} --name={name}{rest}
)"""


def command(url: str, checksum: str, server: str, name: str, *, sealed: bool) -> str:
    """Return the command for a POSIX shell, without a line feed at its end.

    ``url`` is where the exporter serves ``install.sh`` and the agents, ``checksum`` the SHA-256 of
    the former, ``server`` what the agent reports to.
    """
    variable, word = "", quote(name)
    if not name.isprintable():
        # A terminal would act upon some of these characters, and hide others.
        variable, word = f"  name=$(printf '{_octal(name)}.')\n", '"${name%.}"'
    return _COMMAND.format(
        url=quote(url),
        checksum=checksum,
        server=quote(server),
        variable=variable,
        name=word,
        rest="" if sealed else " --no-key",
    )


def _octal(text: str) -> str:
    """Return a text as printf has it: all but letters, digits and ``_-`` as octal escapes."""
    return re.sub(rb"[^\w-]", lambda found: b"\\%03o" % found[0][0], text.encode()).decode()
