"""The reports: pure functions from a run to text, and whole whatever a server or an inventory brings in."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import msgspec
import pytest
from lxml import etree

from smartlic_client.errors import SmartlicError
from smartlic_client.names import Policy
from smartlic_client.preflight.earlier import earlier_of, load_earlier
from smartlic_client.preflight.observation import Flaw, Outcome, Target
from smartlic_client.preflight.reports import FORMATS, render
from smartlic_client.preflight.reports.document import schema
from smartlic_client.preflight.rules import findings
from smartlic_client.preflight.run import Result, Run
from tests.unit.preflight.builders import NODES, NOW, VIP, file, leaf, options, seen
from tests.unit.preflight.cases import OF_NODE, RIGHT, all_cases, answering

SCHEMA = Path(__file__).parents[3] / "docs" / "reference" / "findings-schema.json"


def _run(*cases: tuple[object, object]) -> Run:
    results = [Result(observation, findings(observation, chosen)) for observation, chosen in cases]  # type: ignore[arg-type]
    return Run(results=results, at=NOW, policy=Policy.COMMON_NAME, seconds=1.23456)


EVERYTHING = _run(*all_cases().values())
WELL = _run((seen(RIGHT), options()))


def hostile() -> Run:
    """A target, a name and a certificate that hold what terminals and XML act on."""
    nasty = "]]>\x1b[31m\x00<a&\"'\u202e\ufffe"
    target = Target(label=nasty, name=nasty, flaws=(Flaw("url-malformed", nasty),))
    return _run(
        (seen(target=target), options()), (file(leaf(f"a{chr(0x1B)}[31m<&"), name="a<b>.pem"), options())
    )


@pytest.mark.parametrize("run", [EVERYTHING, WELL, hostile(), _run()], ids=["all", "well", "hostile", "none"])
def test_json_keeps_to_the_published_schema(run: Run) -> None:
    """Each JSON report validates against docs/reference/findings-schema.json."""
    document = json.loads(render("json", run))
    jsonschema.Draft202012Validator(json.loads(SCHEMA.read_bytes())).validate(document)
    assert document["ok"] is run.well


def test_the_published_schema_is_that_of_the_structs() -> None:
    """The page is what `schema()` gives, and itself a schema; write it anew where the structs change."""
    published = json.loads(SCHEMA.read_bytes())
    jsonschema.Draft202012Validator.check_schema(published)
    assert published == json.loads(msgspec.json.encode(schema()))


def test_a_wrong_document_does_not_pass_the_schema() -> None:
    """The schema is one that can say no."""
    document = json.loads(render("json", WELL))
    document["results"][0]["findings"] = [{"id": 1}]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(schema()).validate(document)


@pytest.mark.parametrize("form", FORMATS)
def test_no_report_lets_a_control_character_through(form: str) -> None:
    """What a server sends is shown escaped: nothing that a terminal or a parser acts on."""
    report = render(form, hostile())
    assert "\x1b" not in report
    assert "\x00" not in report
    if form != "json":
        assert "\u202e" not in report or form == "sarif"


@pytest.mark.parametrize("run", [EVERYTHING, hostile(), _run()], ids=["all", "hostile", "none"])
def test_junit_is_xml_with_a_case_a_target(run: Run) -> None:
    """An error fails its test case, a warning does not; the counts are right."""
    suite = etree.fromstring(render("junit", run).encode()).find("testsuite")
    assert suite is not None
    cases = suite.findall("testcase")
    assert len(cases) == len(run.results) == int(suite.get("tests", ""))
    failed = [case for case in cases if case.find("failure") is not None]
    assert len(failed) == sum(not result.well for result in run.results) == int(suite.get("failures", ""))


def test_sarif_has_each_finding_with_its_rule() -> None:
    """Each result points to a rule that is there, at its level, with a stable fingerprint."""
    (one,) = json.loads(render("sarif", EVERYTHING))["runs"]
    rules = one["tool"]["driver"]["rules"]
    assert len(one["results"]) == sum(len(result.findings) for result in EVERYTHING.results)
    for result in one["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in ("error", "warning", "note")
    again = json.loads(render("sarif", EVERYTHING))["runs"][0]["results"]
    marks = [[each["partialFingerprints"] for each in results] for results in (again, one["results"])]
    assert marks[0] == marks[1]


def test_text_says_each_mend_once() -> None:
    """Three targets with the same fault: three entries, and one thing to do."""
    wrong = [(seen(OF_NODE, url=VIP), options(nodes=NODES))] * 3
    text = render("text", _run(*wrong))
    assert text.count("common-name-is-node [") == 3
    assert text.replace("\n     ", " ").count("set Host Common Name to 192.0.2.14") == 1
    assert text.endswith("3 targets: 0 well, 3 with errors; common-name-is-node 3; 0 warnings\n")


def test_text_of_what_is_well_is_short() -> None:
    """A target with nothing to say: itself, and its certificate with what each policy says."""
    lines = render("text", WELL).splitlines()
    assert lines[0].startswith("ok    https://192.0.2.14/")
    assert "common-name yes, subject-alternative-name yes, either yes, both yes" in lines[2]
    assert lines[-1] == "1 target: 1 well, 0 with errors; 0 warnings"


def test_summary_is_one_line() -> None:
    """The gravest counts on one line."""
    assert render("summary", EVERYTHING).count("\n") == 1


# --- Comparing ------------------------------------------------------------------------------------


def test_a_report_can_be_compared_with(tmp_path: Path) -> None:
    """What was written as JSON comes back as it was seen: certificate, issuers, and who was Active."""
    run = _run((seen(RIGHT, **answering(None, Outcome.REFUSED)), options(nodes=NODES)))
    path = tmp_path / "earlier.json"
    path.write_text(render("json", run))
    assert load_earlier(str(path)) == earlier_of(run)
    (before,) = load_earlier(str(path)).values()
    assert (before.fingerprint, before.names, before.active) == (RIGHT.fingerprint, RIGHT.names, "primary")


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"schema_version": 1}', b"\xff\xfe", b"[" * 100_000, b'"' + b"x" * 100]
)
def test_what_is_no_earlier_result_is_refused(tmp_path: Path, content: bytes) -> None:
    """A file that no check wrote is a problem with exit code 2, not a traceback."""
    path = tmp_path / "earlier.json"
    path.write_bytes(content)
    with pytest.raises(SmartlicError) as caught:
        load_earlier(str(path))
    assert (caught.value.code, caught.value.exit_code) == ("check-bad-earlier", 2)


def test_another_schema_version_is_refused(tmp_path: Path) -> None:
    """A result of a later release says so."""
    document = json.loads(render("json", WELL))
    path = tmp_path / "earlier.json"
    path.write_text(json.dumps({**document, "schema_version": 99}))
    with pytest.raises(SmartlicError, match="99"):
        load_earlier(str(path))
