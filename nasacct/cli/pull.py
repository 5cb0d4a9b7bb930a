"""`nasacct pull`: copies a store from another host, once or for ever."""

from typing import Annotated

import typer

from nasacct.cli.options import ConfigFile, Root, configured, span
from nasacct.errors import CANT_CREATE, CONFIG, DATA, IO, NO_INPUT, OK, PERMISSION, TEMPORARY, UNAVAILABLE, USAGE
from nasacct.store.pulling.remote import SSH

EXAMPLES = {
    "nasacct pull nas1:/tank/nasacct --root /srv/nasacct --every 10s": "follow a node, into a copy of several",
    "nasacct pull nasacct@nas1:/ --root DIR --ssh 'ssh -i KEY'": "once, where authorized_keys has rrsync -ro",
}
STATUSES = (OK, USAGE, DATA, NO_INPUT, UNAVAILABLE, CANT_CREATE, IO, TEMPORARY, PERMISSION, CONFIG)


def pull(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="The store: HOST:ROOT, USER@HOST:ROOT or a path.")],
    root: Root = None,
    config: ConfigFile = None,
    every: Annotated[
        str | None, typer.Option("--every", metavar="LENGTH", help="Again after so long, until SIGTERM or SIGINT.")
    ] = None,
    node: Annotated[str | None, typer.Option("--node", metavar="NAME", help="Only this node.")] = None,
    ssh: Annotated[str, typer.Option("--ssh", metavar="COMMAND", help="The ssh to use, with its options.")] = SSH,
    limit: Annotated[
        int | None,
        typer.Option("--limit", metavar="KIB", min=1, help="Copy segments with so many KiB a second at most."),
    ] = None,
    moved: Annotated[
        bool, typer.Option("--moved", help="What was pulled from another place before is at this one now.")
    ] = False,
    volatile: Annotated[
        bool, typer.Option("--volatile", help="Allow a copy on a file system that forgets at reboot (tmpfs).")
    ] = False,
) -> int:
    """Copy a store by rsync over ssh, while it is written.

    Several sources may be pulled into one --root. Ended anywhere, the next pull goes on from there, and whoever reads
    the copy gets right answers at any moment. With --every, a source that cannot be reached is tried again; what is
    shown of its nodes says up to when it reaches.
    """
    settings = configured(config, root)
    every_s = span(every, "--every", least=1)
    from nasacct.collect import logs
    from nasacct.store.pulling.follow import run
    from nasacct.units import in_bytes, in_count

    if every_s is not None:
        logs.begin()
    done = run(settings, source, ssh=ssh, every_s=every_s, node=node, limit=limit, moved=moved, volatile=volatile)
    if every_s is None:
        nodes = ", ".join(sorted(done.nodes)) or "no node"
        print(f"pulled {nodes} from {source}: {in_count(done.files)} files, {in_bytes(done.bytes)}")
    return OK
