"""What is stored as typed structs, for people and programs."""
