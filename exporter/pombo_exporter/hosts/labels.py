"""Label texts: the labels of a sample as bytes, ready for the exposition."""

from collections.abc import Sequence


def escape(value: str) -> str:
    """Return ``value`` escaped for the quotes of a label (text format 0.0.4)."""
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def label_text(*pairs: tuple[str, str]) -> bytes:
    """Return labels up to and with the closing brace and the space before the value."""
    return (",".join(f'{name}="{escape(value)}"' for name, value in pairs) + "} ").encode()


def row_texts(labels: Sequence[str], texts: Sequence[Sequence[str]], rows: int) -> list[bytes]:
    """Return the labels of each row as bytes, each label with a comma after it.

    ``texts`` has the shape (labels, rows).
    """
    if not labels:
        return [b""] * rows
    columns = (
        [f'{name}="{escape(text)}",' for text in column]
        for name, column in zip(labels, texts, strict=True)
    )
    return ["".join(row).encode() for row in zip(*columns, strict=True)]
