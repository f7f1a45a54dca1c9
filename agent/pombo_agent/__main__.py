"""The command ``pombo-agent``."""

import sys

from pombo_agent.reexecute import parsed_options


def main() -> None:
    """Parse the flags and execute this process again; when it is executed again, send reports.

    ``check`` is a command of its own.
    """
    options = parsed_options()
    # Each image of the process imports only what it needs.
    if sys.argv[1:2] == ["check"]:
        from pombo_agent.check import command as check  # noqa: PLC0415

        check.main(sys.argv[2:])
    elif options is None:
        from pombo_agent.start import command  # noqa: PLC0415

        command()
    else:
        from pombo_agent import loop, settings  # noqa: PLC0415

        loop.run(settings.from_text(options))


if __name__ == "__main__":
    main()
