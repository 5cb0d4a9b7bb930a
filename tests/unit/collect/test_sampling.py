"""Sampling: what many samples add up to is what was in flight, and nothing is guessed where none could be taken."""

import errno
import random
from types import SimpleNamespace

import pytest

from nasacct.collect.machine import Server
from nasacct.collect.operation import NFS
from nasacct.collect.pace import SECOND_NS, Pace
from nasacct.collect.rpc_status import Call
from nasacct.collect.sampling import Sampling

MS = 1_000_000
CLIENT = b"\n\0\0\1"


def call(client=CLIENT, procedure=6):
    return Call(client, NFS, 3, procedure, ())


class Nas:
    """Servers whose calls in flight are a function of the time (ns); the test's clock goes on while they are asked."""

    def __init__(self, in_flight=lambda _: [], threads=8):
        self.ns, self.in_flight, self.threads = 1_000 * SECOND_NS, in_flight, threads
        self.takes_ns, self.errno, self.open, self.asked = 0, 0, [], 0

    def clock(self):
        return self.ns

    def calls_in_flight(self, server):
        if self.errno == errno.EPERM:
            raise PermissionError(errno.EPERM, "not allowed")
        self.open.append(Status(self, server))
        return self.open[-1]


class Status:
    """What the kernel tells of one server."""

    def __init__(self, nas, server):
        self.nas, self.server, self.closed = nas, server, False

    def calls(self):
        assert not self.closed
        self.nas.asked += 1
        self.nas.ns += self.nas.takes_ns
        if self.nas.errno:
            raise OSError(self.nas.errno, "trouble")
        return self.nas.in_flight(self.nas.ns)

    def threads(self):
        if self.nas.threads is None:
            raise OSError(errno.EOPNOTSUPP, "not supported")
        return self.nas.threads

    def close(self):
        self.closed = True


class Run:
    """One server that is sampled."""

    def __init__(self, nas, seed=1, cpu=lambda: 0):
        self.nas, self.server = nas, Server("a", "boot/a")
        pace = Pace(SECOND_NS, 0.01, random.Random(seed).random, nas.ns, 0)
        self.sampling = Sampling(pace, nas.clock, cpu)
        with self.sampling.lock:
            self.one = self.sampling.meet(nas, self.server)

    def go(self, seconds):
        until = self.nas.ns + int(seconds * SECOND_NS)
        while self.nas.ns < until:
            wait_s = self.sampling.step()
            self.nas.ns = min(until, self.nas.ns + max(int(wait_s * SECOND_NS), MS))
        with self.sampling.lock:
            self.sampling.settle()
        return self.one.waiting

    def in_flight_s(self):
        return sum(flow.in_flight_us for flow in self.one.waiting.flows.values()) / 1e6


def test_a_steady_load_is_what_it_is():
    """Three calls for 100 s are 300 s in flight, all of the time was sampled, and nobody was full."""
    run = Run(Nas(lambda _: [call()] * 3))
    waiting = run.go(100)
    assert waiting.sampled_us == pytest.approx(100e6, rel=0.11)
    assert run.in_flight_s() == pytest.approx(3 * waiting.sampled_us / 1e6)
    assert waiting.full_us == 0
    (flow,) = waiting.flows.values()
    assert flow.sampled_calls == 3 * run.nas.asked - 3 * (run.one.waiting._window is not None)


def test_a_load_that_repeats_itself_is_seen_right():
    """In flight for 5 of each 100 ms, in step with the windows: a steady clock would see all or nothing of it."""
    run = Run(Nas(lambda ns: [call()] if ns % (100 * MS) < 5 * MS else []))
    waiting = run.go(20_000)
    assert run.in_flight_s() / (waiting.sampled_us / 1e6) == pytest.approx(0.05, rel=0.1)


def test_bursts_that_change_the_pace_are_seen_right():
    """Windows are ten times as long where nothing was in flight: that makes nothing of what follows more or less."""
    dice = random.Random(3)
    edges, at = [], 1_000 * SECOND_NS
    for _ in range(4000):
        begin = at + int(dice.expovariate(1 / 20) * SECOND_NS)
        at = begin + int(dice.expovariate(1 / 4) * SECOND_NS)
        edges.append((begin, at))
    which = iter(edges)
    now = [next(which)]

    def in_flight(ns):
        while ns >= now[0][1]:
            now[0] = next(which)
        return [call()] * 2 if ns >= now[0][0] else []

    run = Run(Nas(in_flight))
    run.one.moves = False
    run.go((edges[3500][1] - run.nas.ns) / SECOND_NS)
    true_s = 2 * sum(end - begin for begin, end in edges[:3501]) / SECOND_NS
    assert run.in_flight_s() == pytest.approx(true_s, rel=0.05)
    # and it was asked far less often than each second
    assert run.nas.asked < run.nas.ns / SECOND_NS / 2


def test_who_is_full_is_told():
    """As many calls as threads: for how long, that is; latency means nothing then."""
    run = Run(Nas(lambda ns: [call()] * (8 if ns % (100 * SECOND_NS) < 30 * SECOND_NS else 7)))
    waiting = run.go(5000)
    assert waiting.full_us / waiting.sampled_us == pytest.approx(0.3, rel=0.05)


def test_where_the_kernel_does_not_count_threads_nobody_is_full():
    """threads-get is younger than rpc-status-get."""
    run = Run(Nas(lambda _: [call()] * 100, threads=None))
    assert run.go(50).full_us == 0
    assert not run.one.trouble


def test_a_stall_is_no_time_in_flight():
    """Another server's start holds dumps up for 1.5 s: no window becomes longer by it, and the gap is in no sum."""
    nas = Nas(lambda _: [call()])
    run = Run(nas)
    run.go(50)
    before, at = run.one.waiting.sampled_us, nas.ns
    nas.takes_ns = 30 * SECOND_NS
    run.go(90)
    nas.takes_ns = 0
    lost = (nas.ns - at) / 1000 - (run.one.waiting.sampled_us - before)
    assert lost > 75e6
    assert run.in_flight_s() == pytest.approx(run.one.waiting.sampled_us / 1e6)


def test_who_is_a_little_late_leaves_no_gap():
    """On a busy machine each dump takes 50 ms: all of the time is sampled all the same, and what is seen is right."""
    nas = Nas(lambda ns: [call()] * (ns // SECOND_NS % 2))
    run = Run(nas)
    nas.takes_ns = 50 * MS
    waiting, at = run.one.waiting, nas.ns
    run.go(20_000)
    assert waiting.sampled_us == pytest.approx((nas.ns - at) / 1000, rel=0.005)
    assert run.in_flight_s() / (waiting.sampled_us / 1e6) == pytest.approx(0.5, rel=0.03)


def test_without_nfsd_the_namespace_is_let_go_and_tried_again():
    """It is no trouble, and no time that was sampled; when nfsd is back, sampling goes on."""
    nas = Nas(lambda _: [call()])
    run = Run(nas)
    run.go(30)
    sampled = run.one.waiting.sampled_us
    nas.errno = errno.ENODEV
    run.go(200)
    assert all(status.closed for status in nas.open)
    assert (run.one.trouble, run.one.waiting.sampled_us - sampled <= SECOND_NS // 1000) == ("", True)
    assert len(nas.open) < 10
    nas.errno = 0
    run.go(200)
    assert run.one.waiting.sampled_us > sampled + 50e6
    assert not nas.open[-1].closed


def test_a_server_that_cannot_be_asked_is_tried_ever_more_rarely():
    """And says why."""
    nas = Nas()
    nas.errno = errno.EPERM
    run = Run(nas)
    run.go(600)
    assert run.one.trouble == "not allowed"
    assert run.one.waiting.sampled_us == 0


def test_a_torn_answer_closes_the_socket():
    """The kernel would refuse the next question on it."""
    nas = Nas()
    run = Run(nas)
    run.go(20)
    nas.errno = errno.EMSGSIZE
    run.go(20)
    assert nas.open[0].closed
    assert run.one.trouble == "trouble"


def test_who_ends_is_let_go_at_once():
    """Its last window counts; nothing asks it again."""
    nas = Nas(lambda _: [call()])
    run = Run(nas)
    run.go(30)
    with run.sampling.lock:
        left = run.sampling.leave(run.server.epoch)
    assert left is run.one
    assert nas.open[0].closed
    asked = nas.asked
    nas.ns += 60 * SECOND_NS
    assert run.sampling.step() is None
    assert nas.asked == asked


@pytest.mark.parametrize("seed", range(20))
def test_of_a_window_in_which_somebody_ends_counts_what_there_was(seed):
    """No more time is sampled than has passed, also of one that was idle and had a long window."""
    nas = Nas()
    run = Run(nas, seed)
    met_ns = nas.ns
    run.go(random.Random(seed).uniform(1, 25))
    with run.sampling.lock:
        run.sampling.leave(run.server.epoch)
    assert run.one.waiting.sampled_us <= (nas.ns - met_ns) // 1000


def test_who_ends_while_it_is_asked_is_let_go_when_it_has_answered():
    """Nobody waits for the kernel: a dump cannot be interrupted."""
    nas = Nas()
    run = Run(nas)

    def ends(_):
        with run.sampling.lock:
            run.sampling.leave(run.server.epoch)
        assert not nas.open[0].closed
        return [call()]

    nas.in_flight = ends
    nas.ns += 20 * SECOND_NS
    run.sampling.step()
    assert nas.open[0].closed
    assert run.one.waiting.flows == {}


def test_a_fault_keeps_no_namespace_alive():
    """Whatever goes wrong while a server is asked, its socket is closed."""
    run = Run(Nas(lambda _: [None]))
    run.nas.ns += 20 * SECOND_NS
    with pytest.raises(AttributeError):
        run.sampling.step()
    assert run.nas.open[0].closed


def test_sampling_that_costs_too_much_ends_by_itself():
    """A thread that burns whole CPUs in each step asks no more."""
    nas = Nas(lambda _: [call()])
    run = Run(nas, cpu=lambda: nas.ns)
    run.go(300)
    assert run.sampling.given_up
    asked = nas.asked
    run.go(300)
    assert nas.asked == asked


def test_the_steps_say_what_they_cost():
    """In CPU time of their thread."""
    nas, spent = Nas(), SimpleNamespace(ns=0)

    def cpu():
        spent.ns += 1000
        return spent.ns

    run = Run(nas, cpu=cpu)
    run.go(50)
    assert 0 < run.sampling.cpu_ns <= spent.ns
