"""What pages name exists: flags, links, symptoms. What they promise about themselves holds."""

import re
import subprocess

import pytest
from ruamel.yaml import YAML
from support.documents import PAGES, blocks, text_of
from support.processes import BIN, ROOT

#: Flags of other programs that documents name.
OTHER_FLAGS = {
    "--data-binary",  # curl
    "--detach",  # docker compose
    *("--system", "--no-create-home", "--shell", "--now"),  # useradd, systemctl
    *("--require-hashes", "--no-deps", "--no-build-isolation"),  # pip
    *("--dmesg", "--grep", "--boot", "--human-readable", "--max-depth", "--one-file-system"),
    *("--inodes", "--summary", "--all", "--detail", "--remove"),  # du, ss, smartctl, mdadm
    *("--permanent", "--add-port", "--add-rich-rule", "--reload"),  # firewall-cmd
    *("--inventory", "--limit"),  # ansible-playbook
    *("--no-index", "--find-links", "--pip-args", "--with", "--apparent-size"),  # pip, pipx, uv, du
    *("--upgrade", "--reinstall"),  # pip, uv
    *("--network", "--pid", "--uts", "--read-only", "--cap-drop", "--security-opt", "--memory"),
    *("--pids-limit", "--volume", "--restart", "--force"),  # docker
    *("--from", "--dry-run", "--uninstall", "--user"),  # install.sh, systemctl
    *("--sign", "--annotate", "--message"),  # git tag
    *("--receive.replication-factor", "--tsdb.out-of-order.time-window"),  # thanos receive
    "--query.replica-label",  # thanos query
    "--unit",  # journalctl
    *("--full", "--row"),  # python -m bench
    *("--namespace", "--output", "--from-file", "--kustomize", "--filename"),  # kubectl
    "--verifytypes",  # basedpyright
    "--no-collector",  # of --no-collector.NAME
}

COMMANDS = (
    ("pombo-agent",),
    ("pombo-agent", "check"),
    ("pombo-exporter",),
    ("pombo-exporter", "top"),
    ("pombo-exporter", "decode"),
    ("pombo-exporter", "keygen"),
    ("pombo-exporter", "enroll"),
)

FLAG = re.compile(r"(?<![\w-])--[a-z][a-z.-]*[a-z]")


@pytest.fixture(scope="module")
def flags() -> set[str]:
    """Every flag in the help of our commands."""
    helps = [
        subprocess.run([BIN / name, *rest, "--help"], check=True, capture_output=True, text=True)
        for name, *rest in COMMANDS
    ]
    return {flag for each in helps for flag in FLAG.findall(each.stdout)}


@pytest.mark.parametrize("page", ["CHANGELOG.md", *PAGES])
def test_every_flag_that_is_named_exists(page: str, flags: set[str]) -> None:
    assert {*FLAG.findall(text_of(page))} - flags - OTHER_FLAGS == set()


@pytest.mark.parametrize("page", PAGES)
def test_every_link_within_the_repository_has_a_target(page: str) -> None:
    links = re.findall(r"\]\(([^)#\s]+)", text_of(page))
    paths = [(ROOT / page).parent.joinpath(link).resolve() for link in links if "://" not in link]
    assert [path for path in paths if not path.exists()] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_block_of_yaml_is_valid(page: str) -> None:
    for block in blocks(page):
        if block.language == "yaml":
            YAML(typ="safe").load(block.text)


def test_readme_is_shorter_than_120_lines() -> None:
    assert len(text_of("README.md").splitlines()) < 120


def symptoms() -> list[str]:
    """Return each text of the product in the first columns of the tables of troubleshooting."""
    rows = re.findall(r"^\| (.*?) \|", text_of("docs/troubleshooting.md"), re.MULTILINE)
    return [text for cell in rows for text in re.findall(r"`([^`]+)`", cell)]


@pytest.fixture(scope="module")
def shown() -> str:
    """What our programs may show: their sources, the metrics and the alerts."""
    folders = ("agent", "cli", "exporter", "wire", "prometheus")
    suffixes = {".py", ".js", ".html", ".yml"}
    paths = [path for folder in folders for path in (ROOT / folder).rglob("*")]
    texts = [path.read_text("utf-8") for path in paths if path.suffix in suffixes]
    return "\n".join([*texts, text_of("docs/metrics.md")])


#: What other programs show.
OF_OTHERS = {
    "Connection refused",
    "exported_instance",
    'up{job="pombo"}',
    "sample limit exceeded",
    "body size limit exceeded",
}


@pytest.mark.parametrize("text", symptoms())
def test_every_symptom_is_one_that_the_product_shows(text: str, shown: str) -> None:
    words = text.removesuffix(" is 1").removesuffix("*")
    assert words in shown or words in OF_OTHERS or words.startswith(("pombo-", "honor_labels"))
