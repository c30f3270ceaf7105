"""The machine: CPU lists, CPUs shared out between server and client, and the profile that fits."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runners.errors import BadInput
from runners.matrix.model import Machine, Match
from runners.system.machine import (
    Layout,
    available_cores,
    choose_profile,
    fixed_layout,
    format_cpus,
    machine_facts,
    parse_cpus,
    share_cpus,
)


@st.composite
def topologies(draw: st.DrawFn) -> tuple[tuple[int, ...], ...]:
    """Return any machine's CPUs by core, with one to four CPUs each, numbered as it likes."""
    sizes = draw(st.lists(st.integers(1, 4), min_size=1, max_size=12))
    numbers = iter(draw(st.permutations(range(sum(sizes)))))
    return tuple(tuple(sorted(next(numbers) for _ in range(size))) for size in sizes)


@given(st.sets(st.integers(0, 200), min_size=1))
def test_a_cpu_list_reads_back_as_it_was_printed(numbers: set[int]) -> None:
    """Runs become ranges and are read as such."""
    assert set(parse_cpus(format_cpus(sorted(numbers)))) == numbers


@pytest.mark.parametrize(
    ("numbers", "text"), [((), ""), ((3,), "3"), ((1, 0, 2), "0-2"), ((0, 1, 3), "0-1,3"), ((0, 2, 4, 5), "0,2,4-5")]
)
def test_cpu_lists_are_short(numbers: tuple[int, ...], text: str) -> None:
    """Neighbours are joined."""
    assert format_cpus(numbers) == text


def test_overlapping_parts_of_a_cpu_list_count_once() -> None:
    """And the result is sorted."""
    assert parse_cpus("8,0-3,2-4") == (0, 1, 2, 3, 4, 8)


@given(cores=topologies(), threads=st.integers(1, 40))
def test_server_and_client_are_apart_wherever_there_are_cpus(cores: tuple[tuple[int, ...], ...], threads: int) -> None:
    """The server gets as many CPUs as it has threads, and the client never none."""
    layout = share_cpus(cores, threads)
    every = {cpu for core in cores for cpu in core}
    assert {*layout.server, *layout.client} <= every
    if threads < len(every):
        assert not layout.shared
        assert len(layout.server) == threads
        assert layout.client
    else:
        assert set(layout.server) == set(layout.client) == every


@given(cores=topologies(), threads=st.integers(1, 12))
def test_server_threads_get_cores_of_their_own(cores: tuple[tuple[int, ...], ...], threads: int) -> None:
    """As long as there are cores enough, and then the client never sits on their siblings."""
    layout = share_cpus(cores, threads)
    used = [core for core in cores if set(core) & set(layout.server)]
    if threads <= len(cores) and not layout.shared:
        assert len(used) == threads
    if threads < len(cores):
        assert not any(set(core) & set(layout.client) for core in used)
        assert len(layout.client) == sum(len(core) for core in cores if core not in used)


def test_two_cpus_are_one_for_each_side() -> None:
    """With two server threads, both sides share both."""
    assert share_cpus(((0,), (1,)), 1) == Layout((0,), (1,))
    assert share_cpus(((0,), (1,)), 2) == Layout((0, 1), (0, 1))
    assert share_cpus(((0,), (1,)), 2).shared


def test_on_a_single_core_with_two_threads_the_sides_take_one_each() -> None:
    """Siblings are better than the same CPU."""
    assert share_cpus(((0, 1),), 1) == Layout((0,), (1,))


def test_the_document_s_big_machine_keeps_the_client_on_other_cores() -> None:
    """16 cores with two threads each: 8 server threads leave 8 whole cores."""
    cores = tuple((number, number + 16) for number in range(16))
    layout = share_cpus(cores, 8)
    assert format_cpus(layout.server) == "0-7"
    assert format_cpus(layout.client) == "8-15,24-31"


def test_a_fixed_layout_is_taken_as_written() -> None:
    """Overlap is seen as sharing."""
    assert fixed_layout("0-1", "2,3") == Layout((0, 1), (2, 3))
    assert fixed_layout("0-1", "1-2").shared


def test_this_machine_s_cores_hold_the_cpus_that_we_may_use() -> None:
    """Each once."""
    cpus = [cpu for core in available_cores() for cpu in core]
    assert sorted(cpus) == sorted(os.sched_getaffinity(0))


def profile(**match: str) -> Machine:
    """Return a machine profile."""
    return Machine(threads=(1,), connections=(1,), match=Match(**match) if match else None)


FACTS = {"cpu": "Intel(R) Xeon(R) CPU E5-2680 0 @ 2.70GHz", "hostname": "db1"}


def test_the_first_profile_that_matches_is_chosen() -> None:
    """All its globs must match."""
    machines = {
        "local": profile(),
        "wrong": profile(cpu="*E5-2680*", hostname="web*"),
        "right": profile(cpu="*E5-2680*", hostname="db*"),
        "late": profile(cpu="*Xeon*"),
    }
    assert choose_profile(machines, None, FACTS) == "right"


def test_the_profile_without_a_match_is_the_fallback() -> None:
    """Wherever it stands."""
    assert choose_profile({"other": profile(cpu="ARM*"), "local": profile()}, None, FACTS) == "local"


def test_an_empty_match_matches_nothing() -> None:
    """A profile with `match = {}` is chosen by name only."""
    machines = {"odd": Machine(threads=(1,), connections=(1,), match=Match()), "local": profile()}
    assert choose_profile(machines, None, FACTS) == "local"


def test_a_wanted_profile_wins_over_what_matches() -> None:
    """An unknown one is bad input with the names there are."""
    machines = {"local": profile(), "xeon": profile(cpu="*E5-2680*")}
    assert choose_profile(machines, "local", FACTS) == "local"
    with pytest.raises(BadInput, match="no machine profile 'xen' in the matrix; it has: local, xeon"):
        choose_profile(machines, "xen", FACTS)


def test_no_matching_profile_is_bad_input() -> None:
    """The message names the processor, so that a profile can be written for it."""
    with pytest.raises(BadInput, match=r"E5-2680.*--machine"):
        choose_profile({"arm": profile(cpu="ARM*")}, None, FACTS)


def test_the_facts_hold_what_a_reader_needs_and_nothing_empty() -> None:
    """Facts that the machine does not tell are left out."""
    facts = machine_facts()
    assert {"hostname", "cpu", "cpus", "memory", "kernel", "python"} <= set(facts)
    assert all(facts.values())
