"""What to do about refused datagrams, by the reason."""

from collections.abc import Mapping
from typing import Final

#: The remedy of each reason, as in docs/wire.md.
REMEDIES: Final[Mapping[str, str]] = {
    "too_large": "Split the report.",
    "unknown_form": "Send JSON in UTF-8 without a byte order mark, or a packed datagram.",
    "unknown_dictionary": "Update the exporter, or use an older dictionary.",
    "not_deflate": "Use negative window bits, and send all that the compressor returns.",
    "not_json": "Check the line that the detail names.",
    "invalid_field": "Check the field that the detail names.",
    "unequal_columns": "Give each row a text and a number, or null.",
    "unequal_numbers": "Count rows times columns of each section, minus its absent cells.",
    "repeated_row": "Send each series once.",
    "reserved_name": "Choose another name.",
    "malformed": "Check its length and its name.",
    "unknown_key": "Enrol the host again, and give the exporter --seal.key-file.",
    "bad_seal": "Enrol the host again.",
    "wrong_name": "Leave host out.",
    "revoked": "Remove the line of the key file, or enrol the host again.",
    "conflict": "Give each host or section its own name.",
    "unproven": "Nothing: it learns the challenge from the answer.",
    "replayed": "Let session grow with each start.",
    "plain_of_sealed": "Give the agent its key file.",
    "not_sealed": "Enrol the host, and give its agent the key file.",
    "host_limit": "Raise --limit.hosts.",
    "new_name_limit": "Nothing: it is accepted when it is heard again.",
    "series_limit": "Disable collectors, or raise --limit.series-per-host.",
    "section_limit": "Use one section with * for families with the same rows.",
    "bytes_limit": "Raise --limit.bytes if the machine has memory.",
    "family_limit": "Use labels instead of names, or raise --limit.families.",
    "layout_limit": "Do not send texts that change often, or raise --limit.layouts.",
}
