"""What is wrong with a file of the web server, or of a client of it."""


class WebConfigError(Exception):
    """The file cannot be used; ``str()`` names the file, the line, the key and a remedy."""
