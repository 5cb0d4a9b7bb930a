"""The life of the nfsd module."""

from pathlib import Path

from nasacct.collect import nfsd_module


def test_another_loading_is_another_life(tmp_path):
    """The module's folder in /sys is another one after each loading, and is not there without the module."""
    assert nfsd_module.life(tmp_path) is None
    folder = tmp_path / "module/nfsd"
    folder.mkdir(parents=True)
    first = nfsd_module.life(tmp_path)
    assert nfsd_module.life(tmp_path) == first
    folder.rename(tmp_path / "module/before")
    folder.mkdir()
    assert nfsd_module.life(tmp_path) not in (None, first)


def test_an_epoch_names_boot_and_life():
    """Where the life is not known, it is as long as the boot."""
    assert nfsd_module.epoch("b", "1f") == "b/nfsd/1f"
    assert nfsd_module.epoch("b", nfsd_module.UNKNOWN) == nfsd_module.epoch("b", None) == "b/nfsd"


def test_the_kernels_own_folders_have_lives_of_their_own():
    """On the real /sys each module's folder has a number that stays, and no two have the same."""
    numbers = [folder.stat().st_ino for folder in Path("/sys/module").iterdir()]
    assert len(set(numbers)) == len(numbers)
    assert numbers == [folder.stat().st_ino for folder in Path("/sys/module").iterdir()]
