"""Usage reports that come in a file: who is believed, and that nothing is lost or counted twice."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mock_server.domain import accounts, instances, usage_files
from mock_server.domain.state import Mode
from mock_server.domain.usage_files import Taken
from smartlic_client.errors import SmartlicError
from smartlic_client.protocol import signing, usage_file
from smartlic_client.protocol.agent import Agent
from smartlic_client.protocol.identity import Udi
from smartlic_client.protocol.record import Record
from smartlic_client.protocol.rum import Policy, Reporting, RumState
from tests.unit.domain.world import NOW, SOFTWARE, Server, Speaker, derived, loaded, rows, tag

DAY = 86400.0
ONE, TWO = tag(1), tag(2)


class Lab:
    """A server, and devices with the transport off; the test carries files between them."""

    def __init__(self) -> None:
        self.time = NOW
        self.server = Server(lambda: self.time, random.Random(7))
        self.server.purchase(ONE, 5)

    def device(self, sn: str = "FOC1", **fields: Any) -> Agent:
        agent = Agent(Record(udi=Udi(pid="C9300-24T", sn=sn), software_id=SOFTWARE, **fields))
        agent.use_policy(self.time)
        return agent

    def trust(self, agent: Agent, *, force: bool = False) -> None:
        chance = random.Random(9)
        agent.trust(self.server.token(), signing.new_key(), chance.randbytes, force, self.time)
        self.send(agent)

    def send(self, agent: Agent) -> None:
        while (sent := agent.next_request(self.time, self.server.chance.randbytes)) is not None:
            agent.receive(sent, self.server.post(sent.body)[1], self.server.anchors, self.time)

    def used(self, agent: Agent, what: str, count: int, days: float = 10) -> bytes:
        """A count for some days; then the file of it."""
        agent.request(what, count, self.time)
        self.time += days * DAY
        agent.report_usage(self.time)
        return agent.save_usage(self.time)

    def take(self, data: bytes, account: str | None = None, virtual_account: str | None = None) -> Taken:
        taken = usage_files.take(
            self.server.state,
            data,
            account=account,
            virtual_account=virtual_account,
            now=self.time,
            random=self.server.chance.randbytes,
        )
        if taken.events:
            self.server.commit(taken.events)
        return taken

    def acknowledge(self, agent: Agent, taken: Taken) -> None:
        desk = self.server.desk
        file = usage_file.acknowledge(
            taken.result, taken.instance.piid, self.time, desk.sign, desk.certificates
        )
        agent.import_acknowledgement(file, self.server.anchors, self.time)


def states(agent: Agent) -> set[RumState]:
    assert agent.record.usage is not None
    return {report.state for report in agent.record.usage.reports}


def code(lab: Lab, data: bytes, **where: str) -> str:
    """The code of a refusal, which leaves no trace."""
    before = rows(lab.server.machine)
    with pytest.raises(SmartlicError) as caught:
        lab.take(data, **where)
    assert rows(lab.server.machine) == before
    return caught.value.code


@pytest.mark.parametrize("trusted", [False, True])
def test_reports_go_by_file_and_are_acknowledged(trusted: bool) -> None:
    """With a trust code and without: counted on the server, acknowledged on the device, with the policy."""
    lab = Lab()
    policy = Policy(name="Strict", unenforced_perpetual=Reporting(first=7, frequency=7))
    lab.server.commit(accounts.set_policy(lab.server.state, "Lab", policy))
    agent = lab.device(hostname="annanr-39")
    if trusted:
        lab.trust(agent)
    taken = lab.take(lab.used(agent, ONE, 3))
    assert (taken.reports, taken.new) == (1, 1)
    instance = lab.server.state.instances[taken.instance.piid]
    assert (instance.mode, instance.usage, instance.last_report) == (Mode.POLICY, {ONE: 3}, lab.time)
    assert (instance.account, instance.virtual_account) == ("Lab", "Default")
    assert bool(instance.public_key) == trusted
    (pool,) = lab.server.state.pools.values()
    assert pool.in_use == 3
    assert states(agent) == {RumState.UNACKNOWLEDGED}
    lab.acknowledge(agent, taken)
    assert states(agent) == {RumState.ACKNOWLEDGED}
    assert agent.record.usage is not None
    assert agent.record.usage.policy == policy
    copy = loaded(lab.server.machine)
    assert (rows(copy), derived(copy.state)) == (rows(lab.server.machine), derived(lab.server.state))


def test_the_same_file_again_is_taken_once_and_acknowledged_again() -> None:
    """The acknowledgement may have been lost: the second one is as good, and nothing counts twice."""
    lab = Lab()
    agent = lab.device()
    data = lab.used(agent, ONE, 3)
    lab.take(data)
    before = rows(lab.server.machine)
    again = lab.take(data)
    assert (again.reports, again.new, again.events) == (1, 0, [])
    assert rows(lab.server.machine) == before
    lab.acknowledge(agent, again)
    assert states(agent) == {RumState.ACKNOWLEDGED}


def test_a_later_file_holds_the_earlier_reports_too_until_they_are_acknowledged() -> None:
    """What was not acknowledged is in the next file; the server knows it already, and counts the newest."""
    lab = Lab()
    agent = lab.device()
    first = lab.used(agent, ONE, 3)
    second = lab.used(agent, ONE, 1)
    taken = lab.take(second)
    assert (taken.reports, taken.new) == (2, 2)
    old = lab.take(first)
    assert old.new == 0
    assert lab.server.state.instances[taken.instance.piid].usage == {ONE: 1}
    lab.acknowledge(agent, taken)
    assert states(agent) == {RumState.ACKNOWLEDGED}


def test_two_devices_number_their_reports_alike() -> None:
    """Made in the same second, their report ids are the same: one's acknowledgement is not the other's."""
    lab = Lab()
    one, other = lab.device("FOC1"), lab.device("FOC2")
    one.request(ONE, 2, lab.time)
    file = lab.used(other, ONE, 1)
    one.report_usage(lab.time)
    one.save_usage(lab.time)
    taken = lab.take(file)
    with pytest.raises(SmartlicError) as caught:
        lab.acknowledge(one, taken)
    assert caught.value.code == "acknowledgement-of-another-device"
    assert states(one) == {RumState.UNACKNOWLEDGED}


def test_a_device_known_by_a_file_gets_a_trust_code_without_force() -> None:
    """It goes on as the same product instance for its reports and counts; from then on files are signed."""
    lab = Lab()
    agent = lab.device()
    unsigned = lab.used(agent, ONE, 3)
    first = lab.take(unsigned).instance.piid
    lab.trust(agent)
    (instance,) = lab.server.state.instances.values()
    assert instance.piid != first
    assert (instance.usage, bool(instance.public_key)) == ({ONE: 3}, True)
    assert len(lab.server.state.reports) == 1
    assert code(lab, unsigned) == "usage-file-unsigned"
    taken = lab.take(lab.used(agent, ONE, 4))
    assert taken.new == 1
    copy = loaded(lab.server.machine)
    assert (rows(copy), derived(copy.state)) == (rows(lab.server.machine), derived(lab.server.state))


def test_a_device_known_by_a_file_says_nothing_by_the_network() -> None:
    """It has no key: whoever names its identifier is refused, and after its removal is unknown."""
    lab = Lab()
    piid = lab.take(lab.used(lab.device(), ONE, 3)).instance.piid
    speaker = Speaker(piid=piid)
    for message in (speaker.usage(), speaker.authorization({}), speaker.deregistration()):
        refused = lab.server.decide(speaker.say(message))
        assert (refused.problem and refused.problem.code, refused.events) == ("signature-not-valid", [])
    lab.server.commit(instances.remove(lab.server.state, piid))
    assert lab.server.decide(speaker.say(speaker.deregistration())).unknown_piid == piid
    copy = loaded(lab.server.machine)
    assert derived(copy.state) == derived(lab.server.state)


# ---- what is refused --------------------------------------------------------------------------------------
def changed(data: bytes, change: Any, *, sign: signing.PrivateKey | None = None) -> bytes:
    """The file with its content changed, and signed anew or not."""
    file = json.loads(data)
    content = json.loads(file["content"])
    change(content)
    file["content"] = json.dumps(content)
    if sign is not None:
        file["signature"] = {"key": "1", "value": signing.sign(sign, file["content"].encode())}
    return json.dumps(file).encode()


def test_what_a_trusted_device_did_not_sign_is_refused() -> None:
    """A changed count, a signature of another key, none: each by its code. The right file counts then."""
    lab = Lab()
    agent = lab.device()
    lab.trust(agent)
    data = lab.used(agent, ONE, 3)

    def more(content: dict[str, Any]) -> None:
        content["reports"][0]["measurements"][0]["value"]["value"] = "1"

    assert code(lab, changed(data, more)) == "usage-file-signature"
    assert code(lab, changed(data, lambda _: None, sign=signing.new_key())) == "usage-file-signature"
    stripped = json.loads(data)
    stripped["signature"] = None
    assert code(lab, json.dumps(stripped).encode()) == "usage-file-unsigned"
    broken = json.loads(data)
    broken["signature"]["value"] = "no base64"
    assert code(lab, json.dumps(broken).encode()) == "usage-file-signature"
    assert lab.take(data).new == 1


def test_a_file_is_refused_where_it_does_not_belong() -> None:
    """Another server's trust code, a registered device, another account: what is there stays as it is."""
    lab, other = Lab(), Lab()
    agent = other.device()
    other.trust(agent)
    assert code(lab, other.used(agent, ONE, 3)) == "usage-file-other-trust"

    unknown = lab.device("FOC3")
    data = lab.used(unknown, ONE, 1)
    assert code(lab, data, account="Nowhere") == "account-unknown"
    assert code(lab, data, virtual_account="Nowhere") == "virtual-account-unknown"
    lab.take(data, account="Lab", virtual_account="Default")
    assert code(lab, data, account="Elsewhere") == "usage-file-elsewhere"
    lab.server.commit(accounts.deactivate(lab.server.state, "Lab", "moving"))
    assert code(lab, data) == "account-not-active"
    lab.server.commit(accounts.activate(lab.server.state, "Lab"))
    assert lab.take(data).new == 0

    registered = Speaker(sn="FOC4")
    lab.server.decide(registered.say(registered.registration(lab.server.token().reveal())))
    same = lab.device("FOC4")
    assert code(lab, lab.used(same, ONE, 1)) == "usage-file-registered"


def test_a_report_of_another_device_or_another_content_is_refused_whole() -> None:
    """Nothing of such a file is taken, not even the reports that would be right."""
    lab = Lab()
    agent, other = lab.device(), lab.device("FOC2")
    data = lab.used(agent, ONE, 3)
    foreign = json.loads(json.loads(lab.used(other, ONE, 1))["content"])["reports"]
    assert code(lab, changed(data, lambda c: c["reports"].extend(foreign))) == "usage-file-mixed"

    def differ(content: dict[str, Any]) -> None:
        content["reports"][0]["measurements"][0]["value"]["value"] = "2"

    lab.take(data)
    assert code(lab, changed(data, differ)) == "usage-file-changed"

    def no_tag(content: dict[str, Any]) -> None:
        content["reports"][0]["meta"]["entitlement_tag"] = "a\x1fb"

    assert code(lab, changed(data, no_tag)) == "usage-file-damaged"


def test_a_file_cut_short_at_every_byte_is_damaged() -> None:
    """None of its beginnings is a file, but the one that only lacks the line's end."""
    lab = Lab()
    data = lab.used(lab.device(), ONE, 3)
    for end in range(len(data) - 1):
        with pytest.raises(SmartlicError) as caught:
            lab.take(data[:end])
        assert caught.value.code == "usage-file-damaged"
    assert code(lab, b"x" * (usage_file.MAX_FILE + 1)) == "usage-file-too-large"
    assert lab.take(data[:-1]).new == 1


@given(st.data())
def test_what_is_no_usage_file_has_a_code(data: st.DataObject) -> None:
    """Bytes changed anywhere, or fields replaced by anything: taken as a file, or refused by a code."""
    lab = Lab()
    good = lab.used(lab.device(hostname="x"), ONE, 3)
    file = json.loads(good)
    content = json.loads(file["content"])
    anything = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.text())
    where = data.draw(st.sampled_from(["bytes", "file", "content", "report", "measurement"]))
    if where == "bytes":
        position = data.draw(st.integers(0, len(good) - 1))
        raw = good[:position] + data.draw(st.binary(max_size=3)) + good[position + 1 :]
    else:
        report = content["reports"][0]
        places = {
            "file": file,
            "content": content,
            "report": report,
            "measurement": report["measurements"][0],
        }
        place = places[where]
        place[data.draw(st.sampled_from(sorted(place)))] = data.draw(anything)
        if where != "file":
            file["content"] = json.dumps(content)
        raw = json.dumps(file).encode()
    before = rows(lab.server.machine)
    try:
        lab.take(raw)
    except SmartlicError as error:
        assert error.code.startswith("usage-file-")
        assert rows(lab.server.machine) == before
    else:
        copy = loaded(lab.server.machine)
        assert rows(copy) == rows(lab.server.machine)


def test_an_acknowledgement_is_no_answer_to_a_message() -> None:
    """The file of one kind is not taken for the other, in either direction."""
    lab = Lab()
    agent = lab.device()
    data = lab.used(agent, ONE, 3)
    taken = lab.take(data)
    desk = lab.server.desk
    file = usage_file.acknowledge(taken.result, taken.instance.piid, lab.time, desk.sign, desk.certificates)
    assert code(lab, file) == "usage-file-damaged"
    with pytest.raises(SmartlicError) as caught:
        agent.import_acknowledgement(data, lab.server.anchors, lab.time)
    assert caught.value.code == "acknowledgement-unreadable"
    lab.trust(agent)
    lab.used(agent, ONE, 4)
    sent = agent.next_request(lab.time, lab.server.chance.randbytes)
    assert sent is not None
    with pytest.raises(SmartlicError) as caught:
        agent.receive(sent, file, lab.server.anchors, lab.time)
    assert caught.value.code == "answer-mismatch"
