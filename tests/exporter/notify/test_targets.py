"""URLs of flags and files: their names have no secret, and neither have errors."""

from base64 import b64encode
from pathlib import Path

import pytest
from pombo_exporter.notify.targets import Source, Target, TargetError, read_all, target


@pytest.mark.parametrize(
    ("text", "name", "url"),
    [
        ("http://there", "http://there", "http://there/"),
        ("https://there:8443/a/b?c=d", "https://there:8443", "https://there:8443/a/b?c=d"),
        ("https://[::1]:80/x#y", "https://[::1]:80", "https://[::1]:80/x"),
        ("https://there/%41%2F", "https://there", "https://there/%41%2F"),
    ],
)
def test_name_of_a_target_is_scheme_host_and_port(text: str, name: str, url: str) -> None:
    assert target(text) == Target(name, url)


def test_user_and_password_are_in_a_header_alone() -> None:
    found = target("https://me%40home:pass%3Aword@there/x")
    assert (found.name, found.url) == ("https://there", "https://there/x")
    expected = b64encode(b"me@home:pass:word").decode()
    assert found.authorization == f"Basic {expected}"


def test_text_of_a_target_and_of_its_source_has_no_secret(tmp_path: Path) -> None:
    path = tmp_path / "url"
    path.write_text("https://user:secret@secret.example/secret\n")
    path.chmod(0o600)
    for source in (Source("https://user:secret@there/secret"), Source(path=path)):
        assert "secret" not in repr(source) + repr(source.read()).replace(str(path), "")


INVALID = [
    "",
    "there",
    "ftp://there/secret",
    "https:///secret",
    "http://there:x/secret",
    "http://a b/",
]


@pytest.mark.parametrize("text", [*INVALID, "http://there/\x00", "http://[::1/"])
def test_error_of_an_invalid_url_does_not_have_it(text: str, tmp_path: Path) -> None:
    with pytest.raises(TargetError) as raised:
        target(text)
    path = tmp_path / "url"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(TargetError) as of_file:
        Source(path=path).read()
    assert str(of_file.value).startswith(f"{path}: ")
    assert "secret" not in f"{raised.value} {of_file.value}"


def test_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "url"
    path.write_text("https://there/secret")
    path.chmod(0o644)
    with pytest.raises(TargetError, match="chmod o="):
        Source(path=path).read()
    with pytest.raises(TargetError, match="No such file"):
        Source(path=tmp_path / "absent").read()


def test_target_of_a_file_has_its_name_and_two_of_one_name_are_numbered(tmp_path: Path) -> None:
    path = tmp_path / "url"
    path.write_text("  https://there/secret\n\n")
    path.chmod(0o600)
    sources = [Source("http://a/1"), Source("http://a/2"), Source(path=path), Source("http://a/3")]
    found = read_all(sources)
    assert [each.name for each in found] == ["http://a", "http://a (2)", str(path), "http://a (3)"]
    assert found[2].url == "https://there/secret"
