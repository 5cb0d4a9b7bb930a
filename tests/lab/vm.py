"""One command inside a throw-away QEMU virtual machine with a real Debian kernel.

Direct kernel boot, an initramfs of busybox and a few modules, a read-only squashfs root under a tmpfs overlay: each
run starts clean. There is no network device. Input is a tar on a virtio disk, what the command leaves under
`$LAB_OUT` comes back as a tar on another, stdout, stderr and the exit status are three virtio-serial ports.
"""

from __future__ import annotations

import fcntl
import io
import os
import re
import socket
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

HERE = Path(__file__).resolve().parent
GUEST = HERE / "guest"
KVM_CREATE_VM = 0xAE01
KERNEL_LINE = "console=ttyS0 quiet loglevel=4 panic=-1 psi=1 tsc=reliable random.trust_cpu=on mitigations=off"
#: `Outcome.status` when the VM could not be prepared or died, and when it did not end in time.
DIED, TIMED_OUT = 125, 124
_UNITS = {"": 0, "K": 10, "M": 20, "G": 30, "T": 40}


class LabError(Exception):
    """A sentence that says what the lab lacks and how to mend it."""


def cache() -> Path:
    """Where images are kept: $NASLAB_CACHE, else ~/.cache/nasacct-lab."""
    given = os.environ.get("NASLAB_CACHE")
    return Path(given) if given else Path.home() / ".cache" / "nasacct-lab"


def bytes_of(text: str) -> int:
    """The bytes of a size like 512M or 4G; ValueError for anything else."""
    found = re.fullmatch(r"(\d+)([KMGT]?)", text)
    if not found:
        raise ValueError(f"a size is like 512M or 4G, not {text!r}")
    return int(found[1]) << _UNITS[found[2]]


@dataclass(frozen=True, slots=True)
class Disk:
    """An empty data disk, /dev/disk/lab/NAME in the guest; `throttle` is QEMU's throttling.* (`iops-total=30`)."""

    name: str
    size: str
    throttle: str = ""

    @classmethod
    def parse(cls, text: str) -> Disk:
        """A disk written as NAME:SIZE[:THROTTLE]; ValueError says what is wrong with it."""
        name, _, rest = text.partition(":")
        size, _, throttle = rest.partition(":")
        if not re.fullmatch(r"\w{1,16}", name):
            raise ValueError(f"a disk is NAME:SIZE[:THROTTLE], not {text!r}")
        bytes_of(size)
        return cls(name, size, throttle)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended: the command's exit status (or DIED, TIMED_OUT), its seconds, the kernel console's end."""

    status: int
    accelerator: str
    started_after_s: float | None
    lived_s: float
    console: str


@dataclass(slots=True)
class Machine:
    """A virtual machine to be: its kernel (6.12, 6.1), memory, processors, disks, and what goes in.

    `site` is a squashfs of packages for the guest's Python, `zfs` one that build-zfs made.
    """

    kernel: str = "6.12"
    memory: str = "1536M"
    cpus: int = 2
    accelerator: str = ""
    disks: Sequence[Disk] = ()
    inputs: Sequence[Path] = ()
    site: Path | None = None
    zfs: Path | None = None
    out_size: str = "2G"
    append: str = ""
    stdout: BinaryIO = field(default_factory=lambda: sys.stdout.buffer)
    stderr: BinaryIO = field(default_factory=lambda: sys.stderr.buffer)

    def run(self, command: Sequence[str], out: Path | None = None, timeout_s: float = 600) -> Outcome:
        """Boot, run `command`, unpack what it left under $LAB_OUT into `out`; LabError when it cannot be tried."""
        images = _images(self.kernel)
        with tempfile.TemporaryDirectory(prefix="run.", dir=cache()) as folder:
            return self._boot(Path(folder), images, command, out, timeout_s)

    def _boot(
        self, work: Path, images: list[Path], command: Sequence[str], out: Path | None, timeout_s: float
    ) -> Outcome:
        kernel, initrd, modules, root = images
        console, result = work / "console", work / "out.tar"
        _pack(work / "in.tar", self.inputs, command)
        _sparse(result, self.out_size)
        accelerator = self.accelerator or os.environ.get("NASLAB_ACCEL") or ("kvm" if kvm_works() else "tcg")
        ports = {name: Port(work / f"{name}.sock") for name in ("out", "err", "rc")}
        ports["out"].sink, ports["err"].sink = self.stdout, self.stderr
        # fmt: off
        argv = [
            # QEMU ends with us, however we end
            "setpriv", "--pdeathsig", "KILL",
            "qemu-system-x86_64", "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none",
            "-M", "q35", "-accel", "kvm" if accelerator == "kvm" else "tcg,thread=multi",
            "-cpu", "host" if accelerator == "kvm" else "max", "-smp", str(self.cpus), "-m", self.memory,
            "-kernel", str(kernel), "-initrd", str(initrd),
            "-append", f"{KERNEL_LINE} {self.append}",
            "-serial", f"file:{console}", "-device", "virtio-rng-pci", "-device", "virtio-serial-pci,max_ports=8",
            *self._drives(work, modules, root),
        ]
        # fmt: on
        for name, port in ports.items():
            argv += ["-chardev", f"socket,id=c-{name},path={port.path}"]
            argv += ["-device", f"virtserialport,chardev=c-{name},name=lab.{name}"]
        began = time.monotonic()
        qemu = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=sys.stderr.fileno())
        in_time = True
        try:
            qemu.wait(timeout_s)
        except subprocess.TimeoutExpired:
            in_time = False
        finally:
            if qemu.poll() is None:
                qemu.kill()
                qemu.wait()
        lived = time.monotonic() - began
        for port in ports.values():
            port.close()
        status = re.search(rb"(\d+)\n", ports["rc"].seen)
        if out is not None and status:
            out.mkdir(parents=True, exist_ok=True)
            subprocess.run(["tar", "-xf", result, "-C", out], check=True)
        said = console.read_bytes().decode("utf-8", "replace") if console.exists() else ""
        first = ports["rc"].first
        return Outcome(
            (int(status[1]) if status else DIED) if in_time else TIMED_OUT,
            accelerator,
            None if first is None else first - began,
            lived,
            said[-6000:],
        )

    def _drives(self, work: Path, modules: Path, root: Path) -> Iterator[str]:
        # no host cache flushes: the lab measures the guest's accounting, not this machine's disk
        drives = [("root", root, "readonly=on"), ("modules", modules, "readonly=on")]
        drives += [("site", self.site, "readonly=on")] if self.site else []
        drives += [("d-zfs", self.zfs, "readonly=on")] if self.zfs else []
        drives += [("lab-in", work / "in.tar", "readonly=on"), ("lab-out", work / "out.tar", "cache=unsafe")]
        for disk in self.disks:
            path = work / f"disk.{disk.name}"
            _sparse(path, disk.size)
            limits = "".join(f",throttling.{limit}" for limit in disk.throttle.split(",") if limit)
            drives.append((f"d-{disk.name}", path, "cache=unsafe,discard=unmap,detect-zeroes=off" + limits))
        for i, (serial, path, more) in enumerate(drives):
            yield from ("-drive", f"if=none,id=d{i},file={path},format=raw,{more}")
            yield from ("-device", f"virtio-blk-pci,drive=d{i},serial={serial}")


class Port:
    """One way out of the guest: a socket QEMU connects to; what arrives goes to `sink`, or is kept in `seen`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.sink: BinaryIO | None = None
        self.seen = b""
        self.first: float | None = None
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(path))
        self._server.listen(1)
        self._thread = threading.Thread(target=self._pump, daemon=True)
        self._thread.start()

    def _pump(self) -> None:
        with suppress(OSError):
            connection, _ = self._server.accept()
            with connection:
                while data := connection.recv(65536):
                    self.first = self.first or time.monotonic()
                    if self.sink is None:
                        self.seen += data
                    else:
                        self.sink.write(data)
                        self.sink.flush()

    def close(self) -> None:
        """Take what is still under way, at most 5 s; a QEMU that never connected does not hold us up."""
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)
        self._server.close()


def kvm_works() -> bool:
    """True when /dev/kvm can run an ordinary kernel.

    A device on which KVM_CREATE_VM succeeds is not enough: a page-table-only KVM (module kvm_pvm, no vmx or svm) runs
    only kernels patched for it. $NASLAB_ACCEL=kvm|tcg forces the choice.
    """
    if not any(Path("/sys/module", name).is_dir() for name in ("kvm_intel", "kvm_amd")):
        return False
    try:
        device = os.open("/dev/kvm", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        os.close(fcntl.ioctl(device, KVM_CREATE_VM, 0))
    except OSError:
        return False
    else:
        return True
    finally:
        os.close(device)


def _images(kernel: str) -> list[Path]:
    built = subprocess.run([HERE / "build-images", kernel], stdout=subprocess.PIPE, text=True, check=False)
    if built.returncode:
        raise LabError(f"the virtual machine's images could not be built (tests/lab/build-images {kernel}, see above)")
    return [Path(word) for word in built.stdout.split()]


def _sparse(path: Path, size: str) -> None:
    with path.open("wb") as file:
        file.truncate(bytes_of(size))


def _pack(path: Path, inputs: Sequence[Path], command: Sequence[str]) -> None:
    def wanted(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
        return None if "__pycache__" in member.name else member

    with tarfile.open(path, "w") as tar:
        for item in (GUEST, *inputs):
            tar.add(item, item.resolve().name, filter=wanted)
        # NUL between arguments: one a line would break on newlines
        data = b"".join(word.encode() + b"\0" for word in command)
        member = tarfile.TarInfo(".lab-command")
        member.size = len(data)
        tar.addfile(member, io.BytesIO(data))
