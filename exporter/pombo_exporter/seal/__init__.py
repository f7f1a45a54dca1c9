"""Keys, and the opening of sealed datagrams."""
