"""The bounds of a datagram, and reserved names. None depends on the exporter's flags."""

from collections.abc import Sequence
from typing import Final

#: The longest datagram that is sent or accepted, in bytes of UDP payload. It fits into one
#: Ethernet frame, also in a tunnel, so that no report depends on IP fragmentation.
MAX_DATAGRAM_BYTES: Final = 1200

#: The most bytes of a packed datagram after it was inflated.
MAX_INFLATED_BYTES: Final = 16 * 1024

#: The most bytes of the header of a packed datagram.
MAX_HEADER_BYTES: Final = 512

#: The most datagrams of one report.
MAX_PARTS: Final = 256

#: The most sections of a datagram.
MAX_SECTIONS: Final = 128

#: The most sections, rows, columns and label columns of a datagram, counted together. A section
#: counts as several, for it costs the exporter as much as these when it first reads a layout.
MAX_LAYOUT_ITEMS: Final = 1024
SECTION_ITEMS: Final = 16

#: The most label columns of a section.
MAX_LABEL_COLUMNS: Final = 16

#: The most characters of a text, and of the name of a label, a column and a family.
MAX_TEXT: Final = 255
MAX_LABEL_NAME: Final = 64
MAX_COLUMN_NAME: Final = 64
MAX_FAMILY_NAME: Final = 200

#: The most bytes of label texts that one exposition of a datagram has: in each section the bytes
#: of its texts, once for each of its columns.
MAX_LABEL_BYTES: Final = 2**20

#: The most rows of the table of processes, and half of it the most by CPU and by memory.
MAX_PROCESSES: Final = 64

#: Names and prefixes that open families must not have, since Prometheus or Pombo uses them. Nor
#: may they have a name of the exporter's own table.
RESERVED_FAMILIES = ("up",)
RESERVED_FAMILY_PREFIXES = (
    "ALERTS",
    "__",
    "host_",
    "pombo_",
    "process_",
    "python_",
    "scrape_",
)

#: Names that the labels of an open family must not have.
RESERVED_FAMILY_LABELS = frozenset({"instance", "job"})


def label_bytes(
    labels: Sequence[str], texts: Sequence[Sequence[str]], columns: Sequence[str]
) -> int:
    """Return the bytes of label texts in an exposition of rows with these labels and columns."""
    size = sum(
        len("".join(column).encode()) + len(column) * len(name)
        for name, column in zip(labels, texts, strict=True)
    )
    return size * max(1, len(columns))
