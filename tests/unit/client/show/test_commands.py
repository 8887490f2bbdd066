"""The words after `show license`: their beginnings, their completion, and what is said of others."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartlic_client.errors import UsageError
from smartlic_client.show import commands

ALL = {" ".join(words) for words in commands.COMMANDS}


def test_there_are_the_nine_commands_of_the_protocol() -> None:
    """The list of protocol, "What people read"."""
    assert {
        "all",
        "eventlog",
        "history message",
        "rum id all",
        "status",
        "summary",
        "tech support",
        "udi",
        "usage",
    } == ALL


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("status", "status"),
        ("sta", "status"),
        ("SU", "summary"),
        ("tech s", "tech support"),
        ("h m", "history message"),
        ("r i a", "rum id all"),
        ("rum id all", "rum id all"),
        ("ud", "udi"),
        ("us", "usage"),
        ("e", "eventlog"),
    ],
)
def test_unique_beginnings_are_understood(words: str, meant: str) -> None:
    """As on a device, a word can be shortened as long as it can mean one thing only."""
    assert commands.resolve(words.split()) == (tuple(meant.split()), None)


def test_the_days_of_the_event_log() -> None:
    """A number after `eventlog` is a number of days; a very large one is all of them."""
    assert commands.resolve(["eventlog", "2"]) == (("eventlog",), 2)
    assert commands.resolve(["event", "9" * 400]) == (("eventlog",), 99999)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("", "it goes on with all or eventlog or history"),
        ("tech", "it goes on with support"),
        ("rum id", "it goes on with all"),
        ("u", "'u' can mean udi or usage"),
        ("s", "'s' can mean status or summary"),
        ("everything", "nothing with 'everything' is there"),
        ("status now", "nothing with 'now' is there"),
        ("statuses", "nothing with 'statuses' is there"),
        ("eventlog -1", "nothing with '-1' is there"),
        ("eventlog 2 3", "nothing with"),
        ("eventlog ²", "nothing with '²' is there"),
        ("\x1b[2J", "nothing with '\\x1b[2J' is there"),
    ],
)
def test_other_words_are_a_problem_with_a_name(words: str, why: str) -> None:
    """Unknown, ambiguous and unfinished commands are `show-unknown`, and what there is is said."""
    with pytest.raises(UsageError) as caught:
        commands.resolve(words.split(" ") if words else [])
    assert caught.value.code == "show-unknown"
    assert why in caught.value.sentence
    assert all(known in caught.value.mend for known in ALL)


@given(st.lists(st.text(max_size=8), max_size=5))
def test_any_words_are_known_or_a_problem(words: list[str]) -> None:
    """Whatever is typed, it is one of the commands or show-unknown; never something else."""
    try:
        found, _ = commands.resolve(words)
    except UsageError as error:
        assert error.code == "show-unknown"
    else:
        assert found in commands.COMMANDS


@pytest.mark.parametrize(
    ("words", "begun", "offered"),
    [
        ([], "", ["all", "eventlog", "history", "rum", "status", "summary", "tech", "udi", "usage"]),
        ([], "s", ["status", "summary"]),
        ([], "U", ["udi", "usage"]),
        (["rum"], "", ["id"]),
        (["rum", "id"], "", ["all"]),
        (["tech"], "s", ["support"]),
        (["t"], "", ["support"]),
        (["status"], "", []),
        (["u"], "", []),
        (["nothing"], "", []),
    ],
)
def test_completion(words: list[str], begun: str, offered: list[str]) -> None:
    """What can follow is offered, word by word; nothing after words that are not known."""
    assert commands.complete(words, begun) == offered
