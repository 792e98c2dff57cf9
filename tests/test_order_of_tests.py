"""Each worker's share of the suite begins with slow files, as pytest-xdist cuts the shares."""

from itertools import chain

from hypothesis import given
from hypothesis import strategies as st
from xdist.scheduler.worksteal import WorkStealingScheduling

from order_of_tests import dealt


class Node:
    """What the scheduler knows of a worker: tests are sent to it."""

    shutting_down = False

    def __init__(self):
        self.sent = []

    def send_runtest_some(self, indices):
        self.sent += indices

    def send_steal(self, indices):
        """Nothing is run here, so nothing is stolen."""

    def shutdown(self):
        self.shutting_down = True


def shares(order, workers):
    """What pytest-xdist's own scheduler sends to each worker at the beginning."""
    nodes = [Node() for _ in range(workers)]
    scheduler = WorkStealingScheduling.__new__(WorkStealingScheduling)
    scheduler.collection, scheduler.pending = order, list(range(len(order)))
    scheduler.node2pending = {node: [] for node in nodes}
    scheduler.steal_requested_from_node = None
    scheduler.check_schedule()
    return [[order[index] for index in node.sent] for node in nodes]


@given(st.lists(st.integers(1, 5), max_size=9), st.integers(0, 60), st.integers(1, 4))
def test_nothing_is_lost_and_groups_stay_together(sizes, quick, workers):
    first = [[("slow", group, place) for place in range(size)] for group, size in enumerate(sizes)]
    rest = [("quick", number, 0) for number in range(quick)]
    order = dealt(first, rest, workers)
    assert sorted(order) == sorted([*chain(*first), *rest])
    for group in first:
        begun = order.index(group[0])
        assert order[begun : begun + len(group)] == group


@given(st.lists(st.integers(1, 5), min_size=4, max_size=9), st.integers(1, 4))
def test_every_worker_begins_with_its_groups(sizes, workers):
    """Where there is enough beside them to make shares of one size."""
    first = [[("slow", group, place) for place in range(size)] for group, size in enumerate(sizes)]
    rest = [("quick", number, 0) for number in range(5 * 9 * workers)]
    for worker, share in enumerate(shares(dealt(first, rest, workers), workers)):
        slow = list(chain(*first[worker::workers]))
        assert share[: len(slow)] == slow and all(kind == "quick" for kind, *_ in share[len(slow) :])
