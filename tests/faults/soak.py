"""Ten thousand schedules, on every processor: `python -m faults.soak [how many]`, with tests/ on PYTHONPATH.

A schedule that fails is made smaller and told; the seed of each process is told too.
"""

from __future__ import annotations

import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed

from faults.play import place, play
from faults.schedule import SCHEDULES
from faults.tally import TALLY, Tally
from hypothesis import HealthCheck, given, seed, settings

#: Schedules of one task: so often there is a line of progress, and hypothesis forgets what it has tried.
BATCH = 250


def batch(number: int, count: int) -> Tally:
    """Play so many schedules; AssertionError, with the smallest that fails, when the truth is outside of bounds."""
    TALLY.clear()

    @seed(number)
    @settings(max_examples=count, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(schedule=SCHEDULES)
    def every(schedule):
        play(schedule)

    every()
    return TALLY


def main() -> int:
    """Play them all; exit status 1 when one failed."""
    many = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    start = int(os.environ.get("NASACCT_SOAK_SEED", time.time_ns() // 1_000_000_000))
    print(f"{many:,} fault schedules, seeds from {start} (NASACCT_SOAK_SEED)", flush=True)
    whole, failed, began = Tally(), 0, time.monotonic()
    # before the workers are forked: they end without a farewell, and this process tidies up
    place()
    with ProcessPoolExecutor() as pool:
        numbers = range(-(-many // BATCH))
        tasks = {pool.submit(batch, start + n, min(BATCH, many - n * BATCH)): start + n for n in numbers}
        for task in as_completed(tasks):
            try:
                whole.add(task.result())
            except Exception as error:  # noqa: BLE001  whatever a schedule ends in is told, and the others go on
                failed += 1
                print(f"seed {tasks[task]}: {error!r}", *getattr(error, "__notes__", ()), sep="\n")
            print(f"{whole.schedules:,} schedules in {time.monotonic() - began:,.0f} s", flush=True)
    print(*whole.lines(), sep="\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
