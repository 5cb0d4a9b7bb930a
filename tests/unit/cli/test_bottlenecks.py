"""`nasacct episodes` tells what members waited for that is no disk."""

from waits import store


def test_episodes_show_it_below_and_programs_get_it_among_them(nasacct, tmp_path):
    """By its kind; without an episode, too."""
    where = store(tmp_path, link=0.95)
    asked = ("--since", "2026-11-23", "--until", "2026-11-24", "--root", where)
    text = nasacct("episodes", *asked).stdout
    assert "what members waited for that is no disk" in text
    assert "5 min  link eth0 carried 950 Mbit/s of 1.00 Gbit/s" in text
    assert '"kind": "link"' in nasacct("episodes", *asked, "--json").stdout
    lines = nasacct("episodes", *asked, "--csv").stdout.splitlines()
    assert len(lines) == 2
    assert lines[1].startswith("link,")
    assert '"kind"' not in nasacct("episodes", *asked, "--json", "--what-if", "busy=0.9").stdout
