"""The lab's own modules are beside its tests: `vm` (the virtual machine), `payload` (what it brings into the guest)."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
