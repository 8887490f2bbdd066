"""Reading lines of the console, its help, and that tables fit each other."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mock_server.cluster.commands import table
from mock_server.cluster.commands.handlers import HANDLERS
from mock_server.cluster.commands.table import COMMANDS, Arguments
from mock_server.errors import SmartlicError, UsageError


def refused(line: str) -> SmartlicError:
    with pytest.raises(UsageError) as caught:
        table.read(line)
    assert caught.value.exit_code == 64
    return caught.value


def test_every_command_has_a_handler_or_an_answer_of_everyone() -> None:
    """A row in the table without a handler, or a handler without a row, does not pass."""
    plain = {name for name, command in COMMANDS.items() if table.plain(command, Arguments()) is not None}
    assert plain | set(HANDLERS) == set(COMMANDS)
    assert not plain & set(HANDLERS)


def test_lines_are_read() -> None:
    """Blanks and quotes are those of a shell; an empty line is no command."""
    assert table.read("") is table.read("  \t ") is None
    command, arguments = table.read("  ha_cluster_start   '--force' ") or (None, None)
    assert command is COMMANDS["ha_cluster_start"]
    assert arguments == Arguments(frozenset({"--force"}), ())
    assert table.read("help ha_status") == (COMMANDS["help"], Arguments(frozenset(), ("ha_status",)))


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("HA_STATUS", "Did you mean ha_status?"),
        ("ha-status", "Did you mean ha_status?"),
        ("ha_cluster_sto", "Did you mean ha_cluster_stop?"),
        ("ha_clusterstart", "Did you mean ha_cluster_start?"),
        ("Version", "Did you mean version?"),
        ("reload now", "`help` lists"),
        ("rm -rf /", "`help` lists"),
    ],
)
def test_what_is_no_command_says_which_one_may_be_meant(line: str, hint: str) -> None:
    """`command-unknown` names the nearest command, whatever its case; else `help`."""
    error = refused(line)
    assert error.code == "command-unknown"
    assert error.mend.startswith(hint)


def test_what_is_long_is_not_repeated_whole() -> None:
    """An error is a line for people, whatever was pasted."""
    for line in ("x" * 100_000, f"ha_status --{'x' * 100_000}", f"ha_status {'x' * 100_000}"):
        assert len(refused(line).sentence) < 120


@pytest.mark.parametrize(
    ("line", "detail"),
    [
        ("ha_status --force", "there is no option --force"),
        ("ha_cluster_start --Force", "there is no option --Force"),
        ("ha_cluster_start force", "'force' is too much"),
        ("ha_cluster_stop now", "'now' is too much"),
        ("help a b", "'b' is too much"),
        ("ha_status 'x", "no closing quotation"),
        ("'", "no closing quotation"),
    ],
)
def test_wrong_usage_is_told_with_the_right_one(line: str, detail: str) -> None:
    """`command-usage` says what is wrong and how it is written; nothing is done."""
    error = refused(line)
    assert error.code == "command-usage"
    assert detail in error.sentence
    assert error.mend.startswith("Write it as: ")


@given(st.text(max_size=60))
def test_no_line_breaks_the_reader(line: str) -> None:
    """Any text is a command, nothing, or a refusal with a code."""
    try:
        found = table.read(line)
    except UsageError as error:
        assert error.code in ("command-unknown", "command-usage")
    else:
        assert found is None or found[0].name in line


def test_help_shows_every_command_and_option() -> None:
    """`help` has a line for each; `help COMMAND` its options."""
    text = "\n".join(table.help_lines())
    assert all(f"  {name}  " in text or f"  {name} " in text for name in COMMANDS)
    assert "ha_cluster_start --force" in text
    one = table.help_lines(Arguments(operands=("ha_cluster_start",)))
    assert one[0].split()[:2] == ["ha_cluster_start", "[--force]"]
    assert "only the other one has" in one[1]
    with pytest.raises(UsageError, match="HELP: no such command") as caught:
        table.help_lines(Arguments(operands=("HELP",)))
    assert caught.value.mend.startswith("Did you mean help?")
