"""By client: whose payload it was, what is nobody's, and addresses for ids."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st
from journals import Recorder

from nasacct.reports import usage_rows
from nasacct.store import addresses
from nasacct.store.keep import Rules, keep
from nasacct.store.tree import Tree

MEASURES = ("received_bytes", "sent_bytes")
#: What connections may do in a cycle.
STEP = st.sampled_from(["move", "move", "fail", "end", "end unread"])


class Nas:
    """Two servers with links, and connections of three clients; `truth` is what each client moved, and both links."""

    def __init__(self, root):
        self.recorder = Recorder(root, interval_s=100)
        self.links = {name: self.recorder.thing("links", server=name, link=f"nfs-{name}") for name in ("a", "b")}
        self.moved = dict.fromkeys(self.links, 0)
        self.open, self.truth = {}, {}
        self.made = 0
        self.cycle([])

    def connect(self, server, client):
        self.made += 1
        epoch = f"boot/{server}/{self.made}"
        thing = self.recorder.thing("clients", epoch, server=server, client=client)
        thing.about = {"address": f"192.0.2.{client.removeprefix('id')}"}
        self.open[thing] = 0
        self.truth.setdefault(client, 0)

    def move(self, thing, amount):
        server, client = thing.keys["server"], thing.keys["client"]
        self.open[thing] += amount
        self.moved[server] += amount + 40
        self.truth[client] = self.truth.get(client, 0) + amount

    def cycle(self, failed):
        read = {link: {"received_bytes": self.moved[name], "sent_bytes": 0} for name, link in self.links.items()}
        read |= {t: None if t in failed else {"received_bytes": n, "sent_bytes": 0} for t, n in self.open.items()}
        self.recorder.cycle(read, sources=["clients"])


def rows_of(root, **asked):
    return {row["client"]: row for row in usage_rows.usage(root, "client", **asked)}


@settings(max_examples=15, deadline=None)
@given(
    cycles=st.lists(
        st.lists(
            st.tuples(st.sampled_from(["a", "b"]), st.sampled_from(["id1", "id2", "id3"]), st.integers(1, 10**6), STEP),
            max_size=4,
        ),
        min_size=1,
        max_size=8,
    ),
    kept=st.booleans(),
)
def test_every_byte_is_a_clients_or_nobodys(cycles, kept):
    """What is certain and what is possible hold the truth; without a doubt both are the truth; steps add up."""
    with TemporaryDirectory() as folder:
        root, doubt = Path(folder), False
        nas = Nas(root)
        for events in cycles:
            failed, ending = [], []
            for server, client, amount, what in events:
                nas.connect(server, client)
                thing = list(nas.open)[-1 if what == "move" else 0]
                nas.move(thing, amount)
                failed += [thing] if what == "fail" else []
                ending += [(thing, what)] if what.startswith("end") and thing.subject and thing not in ending else []
            for thing, what in dict(ending).items():
                if what == "end":
                    nas.recorder.final(thing, {"received_bytes": nas.open[thing], "sent_bytes": 0})
                else:
                    doubt = True
                nas.open.pop(thing)
            nas.cycle(failed)
        nas.cycle([])
        if kept:
            nas.recorder.rotate()
            nas.cycle([])
            keep(Tree(root, "nas1"), 1e10, Rules({"readings": 40, "usage": 400}, 1e12))
        found = rows_of(root)
        truth = {f"192.0.2.{client[2:]}": moved for client, moved in nas.truth.items()}
        truth[None] = sum(nas.moved.values()) - sum(truth.values())
        assert found.keys() == truth.keys()
        for client, moved in truth.items():
            row = found[client]
            assert row["received_bytes"] <= moved <= row["received_bytes_max"]
            assert doubt or row["received_bytes"] == moved == row["received_bytes_max"]
            assert row["sent_bytes"] == 0
        steps = usage_rows.usage(root, "client", step="5m")
        for client in truth.keys() - {None}:
            mine = [row for row in steps if row["client"] == client]
            # a step in which it had no connection says nothing
            assert sum(row["received_bytes"] or 0 for row in mine) == found[client]["received_bytes"]
        for server, moved in nas.moved.items():
            mine = usage_rows.usage(root, "client", server=server)
            assert sum(row["received_bytes"] for row in mine) <= moved <= sum(r["received_bytes_max"] for r in mine)


def doubted(recorder, server, before, after):
    """Somebody may have come to this server and gone unheard of, between a cycle and the next but one."""
    recorder.cycle(before)
    thing = recorder.thing("clients", f"boot/{server}/unseen", server=server, client=None)
    recorder.cycle({**before, thing: None})
    recorder.cycle(after, sources=["clients"])


def test_while_somebody_was_unseen_a_client_may_have_moved_what_is_left_of_its_link(tmp_path):
    """No more than the link less all that clients moved for certain; other servers' clients are as exact as before."""
    recorder = Recorder(tmp_path)
    links = [recorder.thing("links", server=name, link=f"nfs-{name}") for name in "ab"]
    mine = [recorder.thing("clients", f"boot/a/{n}", server="a", client=f"id{n}") for n in (1, 2)]
    other = recorder.thing("clients", "boot/b/3", server="b", client="id3")

    def read(n):
        link = {"received_bytes": 1000 * n, "sent_bytes": 70 * n}
        moved = {"received_bytes": 300 * n, "sent_bytes": 0}
        return dict.fromkeys(links, link) | dict.fromkeys([*mine, other], moved)

    recorder.cycle(read(0))
    doubted(recorder, "a", read(1), read(2))
    for _ in range(2):
        found = rows_of(tmp_path)
        shown = ("received_bytes", "received_bytes_max", "sent_bytes_max")
        told = {who: tuple(row[name] for name in shown) for who, row in found.items()}
        assert told == {
            "id1": (600, 1400, 140),
            "id2": (600, 1400, 140),
            "id3": (600, 600, 0),
            None: (1400, 2200, 280),
        }
        assert [found[who]["quality"] for who in told] == ["bounded", "bounded", "exact", "bounded"]
        assert list(rows_of(tmp_path, server="b")) == ["id3", None]
        recorder.rotate()
        recorder.cycle(read(2))
        keep(Tree(tmp_path, "nas1"), 1e10, Rules({"readings": 40, "usage": 400}, 1e12))


def test_without_a_link_a_doubt_is_bounded_by_what_a_link_can_carry(tmp_path):
    """Which is more than anybody moved."""
    recorder = Recorder(tmp_path)
    mine = recorder.thing("clients", "boot/a/1", server="a", client="id1")
    recorder.cycle({mine: {"received_bytes": 0}})
    doubted(recorder, "a", {mine: {"received_bytes": 10}}, {mine: {"received_bytes": 20}})
    row = rows_of(tmp_path)["id1"]
    assert row["received_bytes"] == 20
    assert row["received_bytes_max"] >= 20 + 10 * recorder.link_bytes_s


def test_a_server_whose_link_is_not_known_has_no_part_in_what_is_nobodys(tmp_path):
    """Else its clients' bytes would be taken off another one's link."""
    recorder = Recorder(tmp_path)
    link = recorder.thing("links", server="a", link="nfs-a")
    known = recorder.thing("clients", "boot/a/1", server="a", client="id1")
    other = recorder.thing("clients", "boot/b/1", server="b", client="id1")
    for n in range(3):
        moved = {"received_bytes": 100 * n}
        recorder.cycle({link: {"received_bytes": 150 * n}, known: moved, other: {"received_bytes": 1000 * n}})
    found = rows_of(tmp_path)
    assert (found["id1"]["received_bytes"], found[None]["received_bytes"]) == (2200, 100)


def test_an_address_is_known_from_the_journal_and_from_the_book(tmp_path, caplog):
    """An id of which none is known is shown as itself, after the addresses, and a damaged book is told of."""
    recorder = Recorder(tmp_path)
    things = [recorder.thing("clients", f"boot/a/{n}", server="a", client=f"id{n}") for n in (1, 2, 3)]
    for thing, address in zip(things[:2], ("10.0.0.2", "9.0.0.1"), strict=True):
        thing.about = {"address": address}
    for n in range(3):
        recorder.cycle({thing: {"received_bytes": n} for thing in things})
    assert list(rows_of(tmp_path)) == ["9.0.0.1", "10.0.0.2", "id3"]
    for _ in range(2):
        # the newest file's head tells of nobody who had ended before it
        recorder.rotate()
        recorder.cycle({things[2]: {"received_bytes": 9}})
    tree = Tree(tmp_path, "nas1")
    keep(tree, 1e10, Rules({"readings": 40, "usage": 400}, 1e12))
    assert [(row["client"], row["id"]) for row in usage_rows.usage(tmp_path, "client")] == [
        ("9.0.0.1", "id2"),
        ("10.0.0.2", "id1"),
        ("id3", "id3"),
    ]
    book = tree.folder / addresses.FILE
    lines = book.read_text().splitlines()
    lost = json.loads(lines[1])["address"]
    book.write_text("\n".join([lines[0], lines[1].replace("0.0", "0.1"), *lines[2:]]) + "\n")
    assert lost not in rows_of(tmp_path)
    assert "addresses.jsonl is damaged" in caplog.text
