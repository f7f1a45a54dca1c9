"""Key files: what is wrong in one is said without a part of a key."""

from pathlib import Path

import pytest
from pombo_exporter.seal.crypto import CRYPTO
from pombo_exporter.seal.key_file import KeyFileError, read_key_file
from pombo_wire.keys import derived, fleet_key_text, host_key_text, new_fleet_key

FLEET = new_fleet_key(CRYPTO)
FLEET_KEY = fleet_key_text(CRYPTO, FLEET)
HOST_KEY = host_key_text(CRYPTO, derived(CRYPTO, FLEET, 0, "pi"))


@pytest.mark.parametrize(
    "line",
    [
        FLEET_KEY,
        HOST_KEY,
        FLEET_KEY.removeprefix("pfk1_"),
        f"key{FLEET_KEY}",
        f"key {FLEET_KEY[:-1]}",
        f"key {HOST_KEY}",
        f'deny "{FLEET_KEY}',
        f"generation pi {FLEET_KEY}",
    ],
    ids=[
        *("a fleet key", "a host key", "no prefix", "no space", "cut", "of a host", "quoted"),
        "in place of a number",
    ],
)
def test_error_has_the_line_and_no_part_of_a_key(line: str, tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text(f"key {FLEET_KEY}\n{line}\n")
    path.chmod(0o600)
    with pytest.raises(KeyFileError) as caught:
        read_key_file(path, CRYPTO)
    said = str(caught.value)
    assert "line 2" in said
    keys = FLEET_KEY.removeprefix("pfk1_"), HOST_KEY.removeprefix("phk1_")
    assert not [key for key in keys for at in range(len(key) - 4) if key[at : at + 4] in said]
