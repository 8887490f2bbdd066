"""The report of benchmarks: what it says of figures, of parts that fail, and of a run that was cut short."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import html5lib
import pytest
from click.testing import CliRunner

from benchmarks import __main__ as command
from benchmarks import machine
from benchmarks.figures import Figure, SkippedError
from benchmarks.report import Part, Report, page, text
from benchmarks.running import run_part

GOOD = Figure("a <good> figure", 1.0, 2.0, "ms", "its floor & more", 1.0, [1.0, 1.2, 0.9, 1.1])
OVER = Figure("a slow one", 5.0, 2.0, "ms", "its floor", 1.2)
SHOWN = Figure("a shown one", 5.0, 2.0, "ms", "a peer", None)


def _report(*parts: Part, interrupted: bool = False) -> Report:
    return Report(machine.described(), "2026-11-24 07:00:00 UTC", list(parts), interrupted)


def _part(*figures: Figure, failure: str = "", skipped: str = "") -> Part:
    return Part("one", "What one costs", list(figures), ["wall: 7 a second"], 2.0, failure, skipped)


def test_a_figure_is_judged_by_its_limit_and_one_without_is_marked() -> None:
    """Within, over and not judged have marks of their own; only what is over makes a run fail."""
    assert [one.mark for one in (GOOD, OVER, SHOWN)] == ["ok", "OVER", "shown"]
    assert "not judged" in SHOWN.line()
    assert _report(_part(GOOD, SHOWN)).ok
    assert not _report(_part(GOOD, OVER)).ok


def test_the_text_has_every_figure_and_the_machine() -> None:
    """What is read at a terminal names machine, versions, each figure, notes as not judged, and a verdict."""
    said = text(_report(_part(GOOD, OVER, SHOWN)))
    for word in ("Processor:", "OpenSSL", "Load at the start:", "cryptography", GOOD.line(), OVER.line()):
        assert word in said
    assert "  shown wall: 7 a second" in said
    assert said.endswith("1 of 2 figures within their limits; 1 over; 1 shown and not judged.")


def test_the_page_is_whole_html_that_needs_nothing_from_elsewhere() -> None:
    """Strict HTML with charts inline, texts escaped; no script, and nothing that is loaded."""
    report = _report(_part(GOOD, OVER, SHOWN), Part("two", "Two", failure="ValueError: <b> (two.py, line 3)"))
    made = page(report)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # html5lib's own deprecations
        html5lib.HTMLParser(strict=True).parse(made)
    assert "<script" not in made
    assert "@import" not in made
    assert "<link" not in made
    assert "&lt;good&gt;" in made
    assert "<good>" not in made
    assert made.count("<svg") >= 5  # the overview, a bar of each figure, samples of one
    assert "ValueError: &lt;b&gt;" in made


def test_a_page_of_nothing_is_a_page_too() -> None:
    """A run in which all was skipped has no chart and no table, and says why."""
    made = page(_report(Part("two", "Two", skipped="there is no Java")))
    assert "there is no Java" in made
    assert "pygal" not in made


def test_the_data_says_which_figures_are_judged() -> None:
    """JSON has value, peer, ratio, limit and verdict of each figure, and what failed."""
    data = json.loads(json.dumps(_report(_part(GOOD, SHOWN, failure="it broke")).data()))
    assert data["ok"] is False
    (part,) = data["parts"]
    assert part["failure"] == "it broke"
    assert [figure["judged"] for figure in part["figures"]] == [True, False]
    assert part["figures"][0]["ratio"] == 0.5
    assert data["machine"]["cores"] >= 1


def test_a_part_that_fails_keeps_what_it_had(capsys: pytest.CaptureFixture[str]) -> None:
    """Figures before the failure stay; the failure is one line with its place, and nothing is raised."""

    def measure() -> Iterator[Figure]:
        print("     by the way")
        yield GOOD
        raise ValueError("no such thing")

    part = run_part("one", measure)
    assert part.figures == [GOOD]
    assert part.notes == ["by the way"]
    assert part.failure.startswith("ValueError: no such thing (test_report.py, line ")
    assert "Traceback" not in capsys.readouterr().out


def test_a_part_that_cannot_be_had_is_skipped_and_fails_nothing() -> None:
    """What needs something that is not here says so, and the run is as good as without it."""

    def measure() -> list[Figure]:
        raise SkippedError("no network")

    part = run_part("one", measure)
    assert part.skipped == "no network"
    assert _report(part).ok


def _run(monkeypatch: pytest.MonkeyPatch, run: Callable[[str], Part], *words: str) -> tuple[int, str]:
    monkeypatch.setattr(command, "run_part", run)
    monkeypatch.setattr(command, "PARTS", ("one", "two"))
    done = CliRunner().invoke(command.main, words)
    return done.exit_code, done.output


def test_the_command_writes_all_forms_and_fails_where_a_figure_is_over(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Exit 1 with a figure over its limit, 0 without; the files are there in both cases."""
    files = ["--json", str(tmp_path / "b.json"), "--html", str(tmp_path / "b.html")]
    code, said = _run(monkeypatch, lambda name: _part(GOOD if name == "one" else OVER), *files)
    assert (code, said.splitlines()[-1]) == (1, "1 of 2 figures within their limits; 1 over.")
    assert json.loads((tmp_path / "b.json").read_text())["ok"] is False
    assert "a slow one" in (tmp_path / "b.html").read_text()
    assert _run(monkeypatch, lambda _: _part(GOOD), "one")[0] == 0


def test_ctrl_c_reports_what_there_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A run that is interrupted in its second part exits with 130, and its first part is in the report."""

    def run(name: str) -> Part:
        if name == "two":
            raise KeyboardInterrupt
        return _part(GOOD)

    code, said = _run(monkeypatch, run, "--json", str(tmp_path / "b.json"))
    assert code == 130
    assert "interrupted" in said
    assert len(json.loads((tmp_path / "b.json").read_text())["parts"]) == 1


@pytest.mark.parametrize("words", [("nothing",), ("--html", "/nowhere/b.html"), ("--json", "/proc")])
def test_what_is_wrong_is_told_before_anything_is_measured(
    monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    """An unknown part, or a file that cannot be written, is a usage error, and no part runs."""

    def run(name: str) -> Part:
        raise AssertionError(name)

    assert _run(monkeypatch, run, *words)[0] == 2


def test_every_part_is_there_and_says_what_it_measures() -> None:
    """`--list` names each part with a sentence of its own, so each can be loaded."""
    done = CliRunner().invoke(command.main, ["--list"])
    assert done.exit_code == 0
    told = dict(line.split(maxsplit=1) for line in done.output.splitlines())
    assert list(told) == [*command.PARTS, *command.ON_DEMAND]
    assert all(title != name for name, title in told.items())
