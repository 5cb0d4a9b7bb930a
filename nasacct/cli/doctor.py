"""`nasacct doctor`: who uses the NAS now."""

EXAMPLES = {}
STATUSES = (0,)


def doctor() -> None:
    """Who uses the NAS now."""
