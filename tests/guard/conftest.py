"""The corpus is read by the guard, never imported or executed by pytest."""

collect_ignore = ["corpus"]
