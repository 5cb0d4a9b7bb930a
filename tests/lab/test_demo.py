"""The demo's recording says what happened when it was made; needs no virtual machine."""

import json

import demo
import pytest


@pytest.fixture(scope="module")
def truth():
    """What the VPSes and the schedule say."""
    return json.loads((demo.PLACE / "GROUND_TRUTH.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def usage():
    """What nasacct says after a replay."""
    return demo.replayed(demo.PLACE / demo.NAME)


def test_replayed_usage_is_what_the_vpses_moved(truth, usage):
    """To the byte, for each of the servers, also the one that was restarted."""
    assert demo.differences(truth, usage) == []
    assert set(usage) == set(truth["servers"])


def test_replayed_usage_is_exact(truth, usage):
    """Nothing is guessed: every server was there from the first cycle, and its restart was quiesced."""
    assert {server: row["read_bytes_quality"] for server, row in usage.items()} == dict.fromkeys(usage, "exact")
    assert any(about["lives"] == 2 for about in truth["servers"].values())


def test_the_recording_is_small(truth):
    """It stays below 2 MB and spans more than ten minutes, six servers and four members."""
    assert (demo.PLACE / demo.NAME).stat().st_size <= demo.MOST_BYTES
    assert truth["recording"]["seconds"] >= 600
    assert len(truth["servers"]) >= 6
    assert len({about["member"] for about in truth["servers"].values()}) >= 4
