"""`nasacct top`: who uses the NAS now."""

EXAMPLES = {}
STATUSES = (0,)


def top() -> None:
    """Who uses the NAS now."""
