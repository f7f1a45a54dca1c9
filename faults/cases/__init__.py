"""The cases of the fault suite: one kind of fault in each file."""
