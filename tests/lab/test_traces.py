"""Traces are those of the plots, whole and small; needs no virtual machine."""

import pytest
import traced
import traces
from plots import PLOTS

PLOT = {plot.name: plot for plot in PLOTS}


def test_every_plot_was_recorded():
    """None is missing, and none is left of a plot that is no more."""
    assert traced.names() == sorted(PLOT)


@pytest.mark.parametrize("name", traced.names())
def test_a_trace_is_of_its_plot(name):
    """Its truth says what is played, which saturated the disk; its store is small."""
    truth, plot = traced.truth(name), PLOT[name]
    assert (truth["verdict"], truth["culprits"], truth["how"]) == (plot.verdict, plot.culprits, plot.how)
    assert {load["who"] for load in truth["loads"]} == {load.who for load in plot.loads}
    assert traces.wrong(truth) == ""
    assert (traced.PLACE / plot.name / traced.STORE).stat().st_size <= traces.MOST_BYTES


def test_a_trace_in_which_the_disk_was_idle_is_none():
    """Nor is one of a collector that failed, or of a load that did nothing."""
    truth = {"collector_status": 0, "loads": [{"what": "metadata", "done": 5}], "disk_busy_percent": 90}
    assert traces.wrong(truth) == ""
    assert "42 %" in traces.wrong(truth | {"disk_busy_percent": 42})
    assert "status 1" in traces.wrong(truth | {"collector_status": 1})
    assert "metadata" in traces.wrong(truth | {"loads": [{"what": "metadata", "done": 0}]})
