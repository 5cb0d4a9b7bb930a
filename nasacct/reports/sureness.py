"""From which confidence on somebody is named as the cause of an episode."""

#: Culprits are named from this confidence on; "caused by" and not only "probably" from the other.
NAMED, SURE = 0.5, 0.8
