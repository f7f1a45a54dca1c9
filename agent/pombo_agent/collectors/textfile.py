"""Metrics in text files, which other programs write: the ``*.prom`` files of directories."""

from pombo_wire.section import Section

from pombo_agent.collecting.collector import Collector
from pombo_agent.collecting.flags import texts
from pombo_agent.collecting.sources import Sources
from pombo_agent.collecting.tables import record


def collect(sources: Sources) -> list[Section]:
    """Return what ``text_files`` makes of the files; without a directory, that there is no error.

    A file that is faulty in one place is skipped as a whole, since its program may have written a
    part of it only.
    """
    directories = [each for each in sources.flags.texts("directory") if each]
    if not directories:
        return record("textfile", {"scrape_error": 0})
    from pombo_agent.collecting.text_files import sections_of  # noqa: PLC0415 - few agents need it

    return sections_of(sources, directories)


FLAGS = (
    texts(
        "directory", "Directory to read text files with metrics from; may be repeated or a glob."
    ),
)
# What it reads may be on a network, and a file does not replace what a collector has.
COLLECTORS = [Collector("textfile", collect, flags=FLAGS, waits=True)]
