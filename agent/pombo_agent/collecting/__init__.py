"""What collectors stand on, files, tables and flags, and what runs them with deadlines."""
