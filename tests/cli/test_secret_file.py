"""Files with keys, and what is refused."""

from pathlib import Path

import pytest
from pombo_cli.secret_file import read_secret_file


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.write_text("é\n")
    path.chmod(0o660)
    return path


def test_text_of_a_file_that_only_owner_and_group_may_use_is_returned(path: Path) -> None:
    assert read_secret_file(path) == read_secret_file(str(path)) == "é\n"


@pytest.mark.parametrize("mode", [0o400, 0o440], ids=["owner", "owner and those of a list"])
def test_credential_of_systemd_is_read(path: Path, mode: int) -> None:
    path.chmod(mode)
    assert read_secret_file(path) == "é\n"


@pytest.mark.parametrize("mode", [0o604, 0o602, 0o606, 0o644])
def test_file_that_others_may_use_is_refused(path: Path, mode: int) -> None:
    path.chmod(mode)
    with pytest.raises(ValueError, match=f"^{path}: others may .*: run chmod o= {path}$"):
        read_secret_file(path)


def test_file_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"^{tmp_path}/none: No such file or directory$"):
        read_secret_file(tmp_path / "none")


def test_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"^{tmp_path}: Is a directory$"):
        read_secret_file(tmp_path)


def test_bytes_that_are_no_text_are_refused(path: Path) -> None:
    path.write_bytes(b"\xff")
    with pytest.raises(ValueError, match=f"^{path}: not UTF-8$"):
        read_secret_file(path)


def test_file_without_an_end_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^/dev/zero: others may"):
        read_secret_file("/dev/zero")


def test_long_file_is_refused(path: Path) -> None:
    path.write_bytes(bytes(2**20))
    assert len(read_secret_file(path)) == 2**20
    path.write_bytes(bytes(2**20 + 1))
    with pytest.raises(ValueError, match=f"^{path}: longer than 1048576 bytes$"):
        read_secret_file(path)
