"""Programs that the cases start as processes of their own."""
