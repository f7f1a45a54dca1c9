"""The command ``pombo-agent``."""

from pombo_agent.reexecute import parsed_options


def main() -> None:
    """Parse the flags and execute this process again; when it is executed again, send reports."""
    options = parsed_options()
    # Each image of the process imports only what it needs.
    if options is None:
        from pombo_agent.start import command  # noqa: PLC0415

        command()
    else:
        from pombo_agent import loop, settings  # noqa: PLC0415

        loop.run(settings.from_text(options))


if __name__ == "__main__":
    main()
