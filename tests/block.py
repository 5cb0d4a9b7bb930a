"""A made-up /sys of block devices, a machine that has them, and a collector of one source on it."""

import time

from zfs import Clock

from nasacct.collect.machine import Disk, Listing
from nasacct.collect.sampler import Sampler
from nasacct.store.standing import Standing


class Machine(Clock):
    """A machine with whole disks (the kernel's names), and files as a test writes them."""

    def __init__(self, folder, *disks, rotational=True):
        super().__init__()
        self.folder, self.sys_root = folder, folder / "sys"
        self.listed, self.files = {}, {}
        (self.sys_root / "class/block").mkdir(parents=True)
        (self.sys_root / "dev/block").mkdir(parents=True)
        for device in disks:
            self.disk(device, rotational=rotational)

    def disk(self, device, *, rotational=True, life=1):
        """Put a disk in, with two partitions; another one of that name has another life."""
        self.listed[device] = Disk(device, f"serial:{device}-{life}", f"boot/disk/{device}-{life}", rotational)
        self.device(device)
        for number in (1, 2):
            self.device(f"{device}{number}", within=device)
            (self.sys_root / "devices" / device / f"{device}{number}" / "partition").write_text(f"{number}\n")

    def device(self, name, *slaves, within="", number="", array=False):
        """A device that stands on others."""
        place = self.sys_root / "devices" / within / name
        (place / "slaves").mkdir(parents=True, exist_ok=True)
        for slave in slaves:
            (place / "slaves" / slave).mkdir()
        if array:
            (place / "md").mkdir()
        for link in [self.sys_root / "class/block" / name] + [self.sys_root / "dev/block" / number] * bool(number):
            if not link.is_symlink():
                link.symlink_to(place)

    def disks(self):
        return list(self.listed.values())

    def file(self, path):
        if path not in self.files:
            raise FileNotFoundError(2, "No such file or directory", path)
        return self.files[path].encode()


class Program:
    """What stands in the place of a program: it prints what a test says, and notes what it was asked."""

    def __init__(self, folder):
        self.path, self.asked = folder / "program", folder / "asked"
        self._folder = folder

    def says(self, text, errors="", status=0, knows_json=True):
        """Of old, it knows no JSON."""
        (self._folder / "text").write_text(text)
        (self._folder / "errors").write_text(errors)
        old = 'case " $* " in *" -j "*) echo "invalid option \'j\'" >&2; exit 2;; esac\n'
        self.path.write_text(
            f'#!/bin/sh\necho "$@" >> {self.asked}\n{"" if knows_json else old}'
            f"cat {self._folder}/text; cat {self._folder}/errors >&2; exit {status}\n"
        )
        self.path.chmod(0o755)


class Collector:
    """A sampler with one source, which `build` makes of what admits its subjects."""

    def __init__(self, machine, build, standing=None):
        self.standing, self.frames = standing or Standing(), []
        self.sampler = Sampler(machine, self.standing, lambda admit: [build(admit)])
        self.source = self.sampler.sources[0]

    def cycle(self, *servers):
        """Cycles until the source has brought something; its batch."""
        for _ in range(1000):
            frame = self.sampler.cycle(Listing(tuple(servers)))
            self.standing.apply(frame)
            self.frames.append(frame)
            if frame.batches:
                return frame.batches[0]
            time.sleep(0.01)
        raise AssertionError("the source brings nothing")

    def rows(self, batch, stream):
        """By the keys of its subject, each row's measures that are there."""
        names = [m.name for m in stream.measures]
        by_sid = {s.sid: tuple(s.keys.values()) for s in batch.listed}
        found = batch.rows.get(stream.name)
        if found is None:
            return {}
        return {
            by_sid[sid]: {name: value for name, value in zip(names, row, strict=True) if value != -1}
            for sid, row in zip(found.sids.tolist(), found.values.tolist(), strict=True)
        }

    def end(self):
        self.source.close()
        self.sampler.end()
