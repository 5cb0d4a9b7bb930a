"""A process whose threads do nothing; their files below /proc are those that are read of nfsd's threads."""

import sys
import threading


def main() -> None:
    """Make so many threads, say so, and wait until the standard input ends."""
    threading.stack_size(65536)
    done = threading.Event()
    for _ in range(int(sys.argv[1])):
        threading.Thread(target=done.wait, daemon=True).start()
    print("up", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
