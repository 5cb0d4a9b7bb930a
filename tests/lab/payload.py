"""What the guest needs to run the project: its package from the working tree, and what its base install requires.

The required packages are found from `pyproject.toml` and the metadata of what is installed here. Where this Python is
the guest's (Debian bookworm's 3.11), the installed files are taken as they are; elsewhere wheels for 3.11 are fetched.
They are packed once into a squashfs, kept under a digest of the packages' own file lists.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
import tomllib
from importlib import metadata
from pathlib import Path

import vm
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = Path(__file__).resolve().parents[2]
GUEST_PYTHON = "3.11"


def tree() -> Path:
    """The package in the working tree; the guest finds it as `nasacct` in its working directory."""
    return PROJECT / "nasacct"


def base_requirements() -> list[str]:
    """What `pyproject.toml` requires without extras."""
    return tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]


def closure(requirements: list[str]) -> list[metadata.Distribution]:
    """The installed packages that satisfy the requirements and whatever those require, sorted by name.

    LabError when one of them is not installed.
    """
    found: dict[str, metadata.Distribution] = {}
    done: set[tuple[str, str]] = set()
    queue = [Requirement(text) for text in requirements]
    while queue:
        wanted = queue.pop()
        name = canonicalize_name(wanted.name)
        for extra in ("", *sorted(wanted.extras)):
            if (name, extra) in done:
                continue
            done.add((name, extra))
            try:
                found[name] = metadata.distribution(wanted.name)
            except metadata.PackageNotFoundError:
                raise vm.LabError(
                    f"{wanted.name}, which nasacct requires, is not installed beside {sys.executable}; "
                    "install the project there: pip install -e '.[dev]'"
                ) from None
            more = [Requirement(text) for text in found[name].requires or ()]
            guest = {"extra": extra, "python_version": GUEST_PYTHON, "python_full_version": f"{GUEST_PYTHON}.2"}
            queue += [r for r in more if r.marker is None or r.marker.evaluate(guest)]
    return [found[name] for name in sorted(found)]


def site_packages() -> Path:
    """A squashfs of the base install's packages for the guest's Python, built when the cache has none like it."""
    packages = closure(base_requirements())
    host = ".".join(map(str, sys.version_info[:2]))
    key = hashlib.sha256(f"1 {host}".encode())
    for package in packages:
        key.update(f"{package.name}=={package.version}\n{package.read_text('RECORD')}".encode())
    image = vm.cache() / f"site-{key.hexdigest()[:12]}.sqfs"
    if image.exists():
        return image
    image.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="site.", dir=image.parent) as folder:
        site = Path(folder, "site")
        site.mkdir()
        if host == GUEST_PYTHON:
            _copy(packages, site)
        else:
            print(
                f"lab: this Python is {host}, the guest's {GUEST_PYTHON}: fetching wheels for {GUEST_PYTHON}",
                file=sys.stderr,
            )
            _fetch(packages, site)
        packed = Path(folder, "packed")
        squash = ["mksquashfs", site, packed, "-comp", "zstd", "-Xcompression-level", "3"]
        subprocess.run([*squash, "-all-root", "-noappend", "-quiet", "-no-progress"], stdout=sys.stderr, check=True)
        packed.rename(image)
    return image


def _copy(packages: list[metadata.Distribution], site: Path) -> None:
    for package in packages:
        for file in package.files or ():
            if ".." in file.parts:  # a script in bin/
                continue
            source, target = Path(str(file.locate())), site / file
            if source.is_file():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, target)  # with its time: the compiled files next to it stay valid


def _fetch(packages: list[metadata.Distribution], site: Path) -> None:
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    only = ["--target", str(site), "--python-version", GUEST_PYTHON, "--only-binary", ":all:"]
    wanted = [f"{package.name}=={package.version}" for package in packages]
    if subprocess.run([*pip, *only, *wanted], stdout=sys.stderr, check=False).returncode:
        raise vm.LabError(f"pip could not fetch wheels for Python {GUEST_PYTHON} (see above); the guest needs them")
