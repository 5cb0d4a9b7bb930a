"""From which confidence on somebody is named as the cause of an episode, and how little history lowers it."""

#: Culprits are named from this confidence on; "caused by" and not only "probably" from the other.
NAMED, SURE = 0.5, 0.8
#: With less history than that (seconds) nobody is named as surely.
HISTORY_S = 86_400


def below_sure(confidence: float) -> float:
    """Confidence without a day of history: the same who are named, none of them surely, in the same order."""
    if confidence <= NAMED:
        return confidence
    return NAMED + (confidence - NAMED) * (SURE - 0.01 - NAMED) / (1 - NAMED)
