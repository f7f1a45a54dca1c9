"""The commands of the documents, run as a reader would, page by page.

Each page is one session of a shell: in a new folder, with the real programs, and in a network of
its own, in which the default ports are free and the names of exporters are this machine. /etc/pombo
has the files that an installation has.
"""

import os
import subprocess
from pathlib import Path
from shlex import quote

import pytest
from cryptography import x509
from support.certificates import Authority
from support.documents import PAGES, Block, done_blocks
from support.processes import BIN, ROOT

_SESSION = Path(__file__).with_name("session.sh")
_TIMEOUT = 120.0  # seconds

RUN = {page: [each for each in done_blocks(page) if not each.reason] for page in PAGES}
NOT_RUN = [each for page in PAGES for each in done_blocks(page) if each.reason]


def commands(block: Block) -> str:
    """Return what a reader does with a block, as commands of a shell."""
    if block.file:
        return f"printf %s {quote(block.text)} > {block.file}"
    return f"{{\n{block.text}}}" + (f" < <({block.input})" if block.input else "")


@pytest.mark.integration
@pytest.mark.parametrize("page", [page for page, found in RUN.items() if found])
def test_commands_of_a_page_succeed(page: str, tmp_path: Path) -> None:
    folders = {name: tmp_path / name for name in ("files", "home", "logs")}
    for folder in folders.values():
        folder.mkdir()
    name = x509.DNSName("exporter.example.org")
    Authority(folders["files"]).issue("server", name)
    lines = [_SESSION.read_text(encoding="utf-8")]
    for block in RUN[page]:
        lines += [f"echo {block.place} >&2", commands(block)]
    script = tmp_path / "script"
    script.write_text("\n".join(lines) + "\n", encoding="utf-8")
    # All that is started ends with the first process of the namespace.
    namespaces = ["--user", "--map-root-user", "--net", "--mount", "--pid", "--mount-proc"]
    done = subprocess.run(
        ["unshare", *namespaces, "--fork", "--kill-child", "bash", script],
        cwd=folders["home"],
        env={
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "LANG": "C.UTF-8",
            **{name.upper(): str(folder) for name, folder in folders.items()},
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_TIMEOUT,
        check=False,
    )
    assert done.returncode == 0, f"{done.stderr}\n{done.stdout}"


@pytest.mark.parametrize("block", NOT_RUN, ids=lambda block: block.place)
def test_command_that_is_not_run_has_a_reason(block: Block) -> None:
    assert len(block.reason.split()) >= 3
    assert all((ROOT / path).is_file() for path in elsewhere(block))


def elsewhere(block: Block) -> list[str]:
    """Return the tests that run the commands of a block, as its reason says."""
    return [word for word in block.reason.split() if word.startswith("tests/")]


def test_few_commands_are_not_run_by_any_test() -> None:
    untested = [block for block in NOT_RUN if not elsewhere(block)]
    assert len(untested) < sum(map(len, RUN.values())) / 2
