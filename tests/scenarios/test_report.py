"""The report of a demo: what it shows of a real run, of one that breaks off, and of what is hostile."""

from __future__ import annotations

import itertools
import json
import resource
import signal
import subprocess
import threading
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import html5lib
import pytest

from mock_server.demo.performance import Performance
from mock_server.demo.play import Played
from mock_server.demo.probes import KEPT, PERIOD, Request, Trace
from mock_server.demo.report import ReportFile, render
from mock_server.demo.run import Settings, perform
from mock_server.demo.scenarios import SCENARIOS
from mock_server.demo.timeline import picture
from mock_server.demo.watch import View, Watched, view_of, watching
from tests.support import Program, cluster, new_addresses, program

HOSTILE = "<script>alert('1')</script> & \"</td>\""
_WRONG = "A2.5"


def _parse(page: str) -> Element:
    """The page as a strict HTML5 parser reads it; it raises what is no valid HTML."""
    tree: Element = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(page)
    return tree


def _text(element: Element | None) -> str:
    assert element is not None
    return " ".join(" ".join(element.itertext()).split())


def _local(element: Element) -> str:
    return element.tag.rpartition("}")[2]


def _by_id(tree: Element, name: str) -> Element:
    (found,) = [element for element in tree.iter() if element.get("id") == name]
    return found


def _bars(tree: Element, lane: str) -> list[tuple[str, float, float]]:
    """The bars of a lane of the picture: word, start and end in seconds."""
    return [
        (str(bar.get("data-word")), float(str(bar.get("data-start"))), float(str(bar.get("data-end"))))
        for bar in tree.iter()
        if bar.get("data-lane") == lane
    ]


@dataclass(frozen=True)
class _Run:
    page: str
    tree: Element
    steps: dict[str, dict[str, Any]]
    requests: list[dict[str, Any]]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> _Run:
    """Scenario A on real processes, with one observation falsified into something hostile."""
    folder = tmp_path_factory.mktemp("report")
    settings = Settings(
        given=vars(new_addresses()),
        folder=folder / "work",
        report=folder / "report.html",
        quiet=True,
        lens=lambda step, seen: HOSTILE if step == _WRONG else seen,
    )
    right, steps_json = perform([SCENARIOS["A"]], settings)
    assert not right
    assert sorted(path.name for path in folder.iterdir()) == ["report.html", "work"]
    page = (folder / "report.html").read_text(encoding="utf-8")
    (told,) = json.loads(steps_json.read_text())["scenarios"]
    tree = _parse(page)
    steps = {step["id"]: step for step in told["steps"]}
    return _Run(page, tree, steps, told["requests"])


def test_the_report_needs_nothing_beside_it(run: _Run) -> None:
    """No script, no style sheet, font or picture from elsewhere: every link is to a place in the page."""
    tags = {_local(element) for element in run.tree.iter() if isinstance(element.tag, str)}
    assert not tags & {"script", "link", "img", "iframe", "object", "image", "use", "base"}
    for element in run.tree.iter():
        assert not element.get("src")
        assert str(element.get("href", "#")).startswith("#")
        assert not [name for name in element.attrib if name.startswith("on")]
    style = _text(next(element for element in run.tree.iter() if _local(element) == "style"))
    assert "url(" not in style
    assert "@import" not in style
    assert "prefers-color-scheme: dark" in style
    assert "@media print" in style


def test_the_report_has_every_step_with_what_was_expected_and_observed(run: _Run) -> None:
    """Each step has a row with its id, its title, both sides, and whether it holds."""
    for step in SCENARIOS["A"].steps:
        row = _by_id(run.tree, f"step-{step.id}")
        cells = [_text(cell) for cell in row]
        assert cells[0] == step.id
        assert step.title in cells[2]
        assert cells[1] == ("DOES NOT HOLD" if step.id == _WRONG else "holds")
        if step.id != _WRONG:
            assert cells[3] == cells[4]
    assert f"1 of 28 steps do not hold: {_WRONG}" in _text(run.tree)


def test_markup_in_an_observation_is_shown_as_text(run: _Run) -> None:
    """What a server says cannot become a part of the page."""
    assert HOSTILE not in run.page
    assert _text(_by_id(run.tree, f"step-{_WRONG}")[4]) == HOSTILE


def test_the_time_line_has_failover_and_fallback_when_they_were(run: _Run) -> None:
    """The VIP goes to the Secondary while A2.1 is played, and back while A3.1 is, as roles and words say."""
    began = _seconds(run, "A2.1")
    back = _seconds(run, "A3.1")
    bars = _bars(run.tree, "VIP held by")
    assert [word for word, _, _ in bars] == ["Primary", "Secondary", "Primary"]
    for (_, start, _), (least, most) in zip(bars[1:], (began, back), strict=True):
        assert least <= start <= most + 10 * PERIOD
    assert [word for word, _, _ in _bars(run.tree, "Secondary")][:2] == ["Standby", "Active"]
    assert ("Active", bars[1][1]) in [(word, start) for word, start, _ in _bars(run.tree, "Secondary")]
    directions = [word for word, _, _ in _bars(run.tree, "Replication")]
    assert [word for word in directions if word != "none"] == [
        "Primary → Secondary", "Secondary → Primary", "Primary → Secondary",
    ]  # fmt: skip
    assert "VIP held by Secondary" in _text(_by_id(run.tree, "scenario-A"))


def _seconds(run: _Run, step: str) -> tuple[float, float]:
    """When a step began and ended, as the picture counts."""
    start = float(_text(_by_id(run.tree, f"step-{step}")[5]).strip("+ s"))
    return start - 0.01, start + float(run.steps[step]["seconds"]) + 0.01


def test_the_picture_has_a_text_alternative(run: _Run) -> None:
    """The picture is named and described, and each change that it shows stands in a table."""
    (svg,) = [element for element in run.tree.iter() if _local(element) == "svg"]
    assert svg.get("role") == "img"
    for name in str(svg.get("aria-labelledby")).split():
        assert len(_text(_by_id(run.tree, name))) > 20
    table = next(t for t in run.tree.iter() if _local(t) == "table" and t.get("class") == "changes")
    said = _text(table)
    for lane in ("Primary", "Secondary", "VIP held by", "Heartbeat", "Replication"):
        for word, _, _ in _bars(run.tree, lane):
            assert f"{lane} {word}" in said


def test_requests_are_counted_and_the_silence_at_failover_is_a_figure(run: _Run) -> None:
    """Both probes asked in each act; the longest time without an answer is in the report and steps.json."""
    assert {row["asked"] for row in run.requests} == {"pages by the VIP", "products by the VIP"}
    assert {row["act"] for row in run.requests} == {"A1", "A2", "A3"}
    for row in run.requests:
        assert row["sent"] > 0
        assert row["failed"] < row["sent"] or row["sent"] < 3
        assert 0 < row["longest_silence_seconds"] < 2
        figure = f"{row['longest_silence_seconds'] * 1000:.0f} ms"
        assert figure in _text(_by_id(run.tree, "scenario-A"))


# ---- runs that end otherwise ------------------------------------------------------------------------------
def test_a_run_that_breaks_off_leaves_a_report_of_what_there_is(tmp_path: Path) -> None:
    """Interrupted at A2.3: what was played is there, the rest is shown as not played, and why it ended."""

    def lens(step: str, seen: Any) -> Any:
        if step == "A2.3":
            raise KeyboardInterrupt
        return seen

    path = tmp_path / "report.html"
    settings = Settings(
        given=vars(new_addresses()), folder=tmp_path / "work", report=path, quiet=True, lens=lens
    )
    with pytest.raises(KeyboardInterrupt):
        perform([SCENARIOS["A"], SCENARIOS["B"]], settings)
    tree = _parse(path.read_text(encoding="utf-8"))
    assert "Broke off in scenario A after 5 of 28 steps: KeyboardInterrupt" in _text(tree)
    assert "All " not in _text(next(e for e in tree.iter() if _local(e) == "header"))
    assert _text(_by_id(tree, "step-A2.2")[1]) == "holds"
    for step in ("A2.3", "A3.12", "B1.1"):
        assert _text(_by_id(tree, f"step-{step}")[1]) == "not played"
    assert "Not played." in _text(_by_id(tree, "scenario-B"))
    assert _bars(tree, "VIP held by")[-1][0] == "Secondary"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["report.html", "work"]


def test_a_terminated_demo_stops_its_cluster_and_leaves_a_report(tmp_path: Path) -> None:
    """SIGTERM ends the demo in order: exit 130, the report is there, and the addresses are free again."""
    addresses, path = new_addresses(), tmp_path / "report.html"
    mock = Program("mock_server.cli", {"PYTHONUNBUFFERED": "1"})
    arguments = ["demo", "--scenario=B", f"--report={path}", f"--folder={tmp_path / 'work'}"]
    with subprocess.Popen(
        mock.command(*arguments, *addresses.options()),
        env=mock.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as demo:
        assert demo.stdout is not None
        assert any(line.startswith("B1 ") for line in demo.stdout)
        demo.send_signal(signal.SIGTERM)
        _, errors = demo.communicate(timeout=30)
    assert demo.returncode == 130, errors
    assert "Broke off in scenario B" in _text(_parse(path.read_text(encoding="utf-8")))
    settings = Settings(given=vars(addresses), folder=tmp_path / "again", quiet=True)
    only = SCENARIOS["B"]
    assert perform([replace(only, steps=only.steps[:1])], settings)[0]


@pytest.mark.parametrize(
    ("name", "why"),
    [("no/such/folder/report.html", "No such file"), ("", "no file"), ("/dev/null", "no file")],
)
def test_a_report_that_cannot_be_written_is_a_problem_before_the_play(
    tmp_path: Path, name: str, why: str
) -> None:
    """A missing folder, a folder, a device: said at once, and nothing was started or made."""
    work = tmp_path / "work"
    mock = program("smartlic-mock", tmp_path)
    answer = mock.json("demo", "--report", str(tmp_path / name), "--folder", str(work), code=1)
    assert answer["error"]["code"] == "report-unwritable"
    assert why in answer["error"]["sentence"]
    assert list(tmp_path.iterdir()) == []


def test_a_disk_without_room_for_the_report_is_a_problem_before_the_play(tmp_path: Path) -> None:
    """The room is taken before the play. Here it is the limit of a file's size that says no."""
    mock = program("smartlic-mock", tmp_path)
    done = subprocess.run(
        mock.command("demo", "--report", str(tmp_path / "report.html"), "--folder", str(tmp_path / "work")),
        env=mock.environment,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20)),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "[report-unwritable]" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_former_report_stays_whole_until_the_new_one_is(tmp_path: Path) -> None:
    """A file that is there is not touched before the new report is whole; then it is that."""
    path = tmp_path / "report.html"
    path.write_text("the former one")
    file = ReportFile(path)
    assert path.read_text() == "the former one"
    file.write("the new one, ≥")
    assert path.read_text(encoding="utf-8") == "the new one, ≥"
    assert list(tmp_path.iterdir()) == [path]
    file = ReportFile(path)
    file.drop()
    assert list(tmp_path.iterdir()) == [path]


# ---- without processes ------------------------------------------------------------------------------------
def _watched(seconds: float = 2.0) -> Watched:
    """Ten seconds after the epoch a watch of two views begins: the second one from half of it on."""
    watched = Watched(10.0, 10.0 + seconds)
    views = [
        View("Active", "Standby", "Primary", "connected", "Primary → Secondary"),
        View("Standby, stopped", "Active", "Secondary", "disconnected", "none"),
    ]
    for view, at in ((views[0], 10.0), (views[0], 10.0 + seconds / 4), (views[1], 10.0 + seconds / 2)):
        watched.saw(view, 3, at)
    trace = Trace("pages by the VIP")
    trace.begin(10.0)
    for number in range(20):
        trace.add(Request(10.0 + number * seconds / 20, 0.004, "HTTP 503" if number == 10 else ""), "A1")
    trace.end(10.0 + seconds)
    watched.traces.append(trace)
    return watched


def test_whatever_a_performance_holds_the_page_is_valid_and_shows_it_as_text() -> None:
    """Markup in titles, words, addresses, reasons: a strict parser reads the page, and finds no script."""
    scenario = replace(SCENARIOS["A"], title=HOSTILE)
    addresses = replace(scenario.addresses, primary=HOSTILE)
    watched = _watched()
    watched.saw(View(HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE), 0, 11.5)
    watched.traces[0].add(Request(11.9, 0.1, HOSTILE), HOSTILE)
    watched.traces[0].title = HOSTILE
    played = [
        Played(step.id, HOSTILE, HOSTILE, {HOSTILE: [HOSTILE]}, HOSTILE, False, 10.1, 10.2)
        for step in scenario.steps
    ]
    performance = Performance(scenario, addresses, 9.0, 13.0, played, watched, HOSTILE)
    page = render([performance])
    tree = _parse(page)
    assert "<script" not in page
    said = _text(tree)
    assert said.count("<script>") > 5 * len(played) / 2


def test_a_page_without_any_performance_begun_is_valid() -> None:
    """A cluster that did not start: nothing was played, and that is what the page says."""
    performance = Performance(
        SCENARIOS["B"], SCENARIOS["B"].addresses, 9.0, 9.5, broke_off="The VIP is held by another program."
    )
    said = _text(_parse(render([performance])))
    assert "after 0 of 37 steps: The VIP is held by another program." in said
    assert said.count("not played") >= 37


def test_the_picture_places_what_was_seen_by_its_time() -> None:
    """Half of the time with one view, half with the other: so are the bars; and the silence is measured."""
    drawn = picture(_watched(), [])
    lanes = {lane.title: [(bar.word, bar.start, bar.end) for bar in lane.bars] for lane in drawn.lanes}
    assert lanes["VIP held by"] == [("Primary", 0.0, 1.0), ("Secondary", 1.0, 2.0)]
    (first, second) = next(lane for lane in drawn.lanes if lane.title == "Primary").bars
    assert first.width == second.width
    assert second.x == pytest.approx(first.x + first.width)
    (lane,) = drawn.requests
    (row,) = lane.figures
    assert (row.sent, row.failed, row.reasons) == (20, 1, "1 × HTTP 503")
    assert row.silence == pytest.approx(0.2)
    assert row.since == pytest.approx(0.904)
    assert lane.failed.count("M") == 2
    assert drawn.lag == 3


@pytest.mark.parametrize("seconds", [0.0, 0.2, 1.0, 7.3, 59.0, 4000.0])
def test_the_scale_of_the_picture_has_few_round_ticks(seconds: float) -> None:
    """However long a play is, the axis has at most 16 ticks, each at another number."""
    drawn = picture(Watched(5.0, 5.0 + seconds), [])
    labels = [tick.label for tick in drawn.ticks]
    assert 1 <= len(labels) <= 16
    assert len(set(labels)) == len(labels)


def test_a_long_run_keeps_a_bounded_number_of_requests_and_exact_figures() -> None:
    """Of 50,000 requests thousands are kept, all failures among them; counts and the silence are exact."""
    trace = Trace("pages")
    trace.begin(0.0)
    numbers = range(50_000)
    for number in numbers:
        failure = "connection refused" if number in range(20_000, 20_010) else ""
        trace.add(Request(number * PERIOD, 0.001, failure), "B2")
    trace.end(50_000 * PERIOD)
    (tally,) = trace.tallies
    assert (tally.sent, tally.failed, tally.reasons["connection refused"]) == (50_000, 10, 10)
    assert tally.silence == pytest.approx(11 * PERIOD)
    assert len(trace.requests) <= KEPT
    assert sum(bool(request.failure) for request in trace.requests) == 10
    times = [request.at for request in trace.requests]
    assert times == sorted(times)
    gaps = [after - before for before, after in itertools.pairwise(times)]
    assert max(gaps) <= 40 * PERIOD


def test_a_silence_that_nothing_ends_is_a_silence() -> None:
    """No answer until the watch is over: the time counts, and it is said that it is open."""
    trace = Trace("pages")
    trace.begin(0.0)
    trace.add(Request(0.0, 0.01), "C")
    for number in range(1, 100):
        trace.add(Request(number * PERIOD, 0.001, "connection refused"), "C")
    trace.end(5.0)
    assert trace.tallies[0].silence == pytest.approx(4.99)
    assert trace.tallies[0].open


def _status(active: str | None) -> dict[str, Any]:
    def server(name: str) -> dict[str, Any]:
        running = active is not None
        role = "Active" if name == active else "Standby"
        return {
            "role": role,
            "cluster": "running" if running else "stopped",
            "process": "running" if running else "gone",
            "database": "Replication Master" if name == active else "Replication Slave" if active else "down",
        }

    servers = {name: server(name) for name in ("primary", "secondary")}
    told = {
        "servers": servers,
        "vip": {"holder": active},
        "heartbeat": "connected" if active else "disconnected",
        "lag": 2 if active else None,
    }
    return {"active": active, "nodes": {"primary": told, "secondary": told}}


def test_the_status_in_words() -> None:
    """Who is what, who holds the VIP, and the direction; and of a cluster in which nobody is there."""
    assert view_of(_status("secondary")) == (
        View("Standby", "Active", "Secondary", "connected", "Secondary → Primary"), 2,
    )  # fmt: skip
    gone = View("Standby, gone", "Standby, gone", "nobody", "disconnected", "none")
    assert view_of(_status(None)) == (gone, 0)


@pytest.mark.real
def test_the_watch_ends_its_threads_and_shows_their_defects(tmp_path: Path) -> None:
    """After a watch none of its threads is left, each has asked, and what broke one is raised."""
    with cluster(tmp_path) as stage:
        with watching(stage, (("vip", "gui"), ("primary", "devices")), "A1") as watch:
            watch.act = "A2"
        assert not [thread for thread in threading.enumerate() if thread.name.startswith("watch")]
        assert [trace.title for trace in watch.watched.traces] == [
            "pages by the VIP",
            "products by the Primary",
        ]
        for trace in watch.watched.traces:
            assert sum(tally.sent for tally in trace.tallies) > 0
            assert sum(tally.failed for tally in trace.tallies) == 0
        assert watch.watched.stays[-1].view.vip == "Primary"
        stage.ask = lambda *_, **__: {}  # type: ignore[method-assign]
        with pytest.raises(KeyError), watching(stage, (), "A1"):
            pass
