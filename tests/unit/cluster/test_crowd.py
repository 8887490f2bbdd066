"""Who has to go where there is no room."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as some

from mock_server.cluster.crowd import Crowd, client_of


@dataclass(eq=False)
class Guest:
    client: str
    busy: bool


_COMING = some.lists(some.tuples(some.sampled_from("abc"), some.booleans()), max_size=40)


@given(_COMING, some.integers(1, 6))
def test_it_is_never_fuller_than_its_room_and_takes_from_the_fullest(
    coming: list[tuple[str, bool]], room: int
) -> None:
    """The one to go is of the client that has most, is not being answered unless it is the newcomer, and a
    client with less than its share keeps all it has."""
    crowd: Crowd[Guest] = Crowd(room)
    for client, busy in coming:
        guest = Guest(client, busy)
        victim = crowd.enter(guest)
        if len(crowd) <= room:
            assert victim is None
            continue
        assert victim is not None
        counts = Counter(one.client for one in crowd)
        assert victim is guest or (counts[victim.client] == max(counts.values()) and not victim.busy)
        crowd.leave(victim)
        crowd.leave(victim)
        assert len(crowd) == len(list(crowd)) == room


def test_of_one_client_the_oldest_goes() -> None:
    """In the order in which they came."""
    crowd: Crowd[Guest] = Crowd(2)
    first, second, third = (Guest("a", False) for _ in range(3))
    assert [crowd.enter(guest) for guest in (first, second, third)] == [None, None, first]


def test_an_ipv6_client_is_its_network() -> None:
    """64 bits are free to choose: they are one client. An IPv4 address is one."""
    assert client_of("2001:db8::1") == client_of("2001:db8::ffff:1%eth0") == "2001:db8::"
    assert client_of("2001:db8:0:1::1") != client_of("2001:db8::1")
    assert client_of("127.0.0.1") == "127.0.0.1"
