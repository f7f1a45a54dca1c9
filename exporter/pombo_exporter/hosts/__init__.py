"""Who reports, in what state, and what each host reported last."""
