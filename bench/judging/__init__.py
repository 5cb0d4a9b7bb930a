"""What judging a day takes, and what a list of a month's episodes does, with a made-up node of many servers."""
