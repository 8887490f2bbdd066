"""Our own table judges the match: every sentence of the rules has its cases, and they hold."""

from __future__ import annotations

import pytest

from smartlic_client.names import Match, Policy, judge, match, parse_host
from tests.conformance.own_table import CASES, FACTS, SENTENCES, Case, Fact


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.sentence}-{case.host}")
def test_a_case_of_a_sentence(case: Case) -> None:
    """Each policy says what the sentence says, alone and side by side with the others."""
    expected = {
        Policy.COMMON_NAME: case.cn,
        Policy.SUBJECT_ALTERNATIVE_NAME: case.san,
        Policy.EITHER: case.cn or case.san,
        Policy.BOTH: case.cn and case.san,
    }
    host = parse_host(case.host)
    alone = {policy: isinstance(match(host, case.names, policy), Match) for policy in Policy}
    side_by_side = {verdict.policy: verdict.holds for verdict in judge(host, case.names)}
    assert alone == side_by_side == expected, SENTENCES[case.sentence]


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: f"{fact.sentence}-{fact.what}")
def test_a_fact_of_a_sentence(fact: Fact) -> None:
    """What a sentence says besides of a host and a certificate."""
    assert fact.holds(), SENTENCES[fact.sentence]


def test_every_sentence_has_a_case() -> None:
    """None is left out, and none is made up."""
    assert {one.sentence for one in (*CASES, *FACTS)} == set(SENTENCES)
