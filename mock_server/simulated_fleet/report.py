"""What a simulation came to: in text, as data, and as a page with charts: the same bytes for the same run."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

import msgspec

from mock_server.simulated_fleet.audit import Audit, audit
from mock_server.simulated_fleet.figures import DAY, when
from mock_server.simulated_fleet.fleet import BEGIN, SimulatedFleet
from smartlic_client.fleet import charts

__all__ = ["Report"]

_OPERATIONS: Final = ("registration", "authorization", "id_cert_renewal")


class Report:
    """Of a run that has ended. Making it compares servers and devices."""

    def __init__(self, fleet: SimulatedFleet) -> None:
        self.fleet = fleet
        self.audit: Audit = audit(fleet)
        self._storms = [storm.data(BEGIN) for storm in fleet.figures.storms]

    # ---- data ---------------------------------------------------------------------------------------------
    def data(self) -> dict[str, Any]:
        fleet, figures = self.fleet, self.fleet.figures
        return {
            "devices": len(fleet.devices),
            "begun": figures.begun,
            "days": round((fleet.now() - BEGIN) / DAY, 3),
            "days_wanted": fleet.plan.days,
            "interrupted": fleet.interrupted,
            "seed": fleet.plan.seed,
            "crypto": fleet.plan.crypto,
            "splay_seconds": fleet.plan.splay,
            "retries_drawn": fleet.plan.drawn,
            "licensed_percent": fleet.plan.licensed,
            "answered": figures.total_answered,
            "failed": figures.total_failed,
            "operations": self._operations(),
            "load": {
                "busiest_second": self._peak(figures.peak_second),
                "busiest_minute": self._peak(figures.peak_minute),
                "by_hour_of_day": [
                    {"hour": hour, "messages": count, "peak_per_second": figures.hour_peaks[hour]}
                    for hour, count in enumerate(figures.hours)
                ],
            },
            "registration": self._registration(),
            "authorization": {name: count for name, count in sorted(figures.states.items()) if count},
            "events": self._storms,
            "changes_cut": fleet.pair.cut,
            "audit": self.audit.data(),
            "by_day": msgspec.to_builtins(figures.days),
        }

    def _operations(self) -> dict[str, Any]:
        figures = self.fleet.figures
        names = sorted({*_OPERATIONS, *figures.answered, *figures.failures})
        return {
            name: {
                "answered": figures.answered[name],
                "failures": dict(sorted(figures.failures.get(name, {}).items())),
            }
            for name in names
        }

    def _registration(self) -> dict[str, int]:
        found = Counter(one.agent.record.registration.value for one in self.fleet.devices if one is not None)
        return dict(sorted(found.items()))

    @staticmethod
    def _peak(peak: Any) -> dict[str, Any]:
        return {"messages": peak.messages, "at": when(peak.at, BEGIN) if peak.messages else None}

    # ---- text ---------------------------------------------------------------------------------------------
    def text(self) -> str:
        data = self.data()
        return "\n".join(
            [
                *self._head(data),
                "",
                *_operations_table(data["operations"]),
                "",
                *self._load(data),
                *self._states(data),
                *(["", *_events_table(self._storms)] if self._storms else []),
                "",
                *self._verdict(),
            ]
        )

    def _head(self, data: dict[str, Any]) -> list[str]:
        plan = self.fleet.plan
        ended = (
            f"interrupted after {data['days']:g} of {plan.days:g}"
            if data["interrupted"]
            else f"{plan.days:g}"
        )
        keys = "real cryptography" if plan.crypto == "real" else "a keyed hash for cryptography"
        begun = f"begun over {plan.splay:g} s" if plan.splay else "all begun at once"
        drawn = "" if plan.drawn else ", waits not drawn"
        return [
            f"{data['devices']} devices, {ended} days in virtual time; {keys}, seed {plan.seed}, "
            f"{begun}{drawn}.",
            f"{data['answered']} messages answered, {data['failed']} not.",
        ]

    def _load(self, data: dict[str, Any]) -> list[str]:
        load, seconds = data["load"], max(self.fleet.now() - BEGIN, 1.0)
        second, minute = load["busiest_second"], load["busiest_minute"]
        busiest = max(load["by_hour_of_day"], key=lambda one: one["messages"])
        quietest = min(load["by_hour_of_day"], key=lambda one: one["messages"])
        if not second["messages"]:
            return []
        return [
            f"load: {sum(self.fleet.figures.hours) / seconds:.2g} a second on average; at most "
            f"{second['messages']} in a second ({second['at']}) and {minute['messages']} in a minute "
            f"({minute['at']})",
            f"over the day: most from {busiest['hour']:02}:00 ({busiest['messages']}), least from "
            f"{quietest['hour']:02}:00 ({quietest['messages']})",
        ]

    def _states(self, data: dict[str, Any]) -> list[str]:
        lines = [
            f"{name}: " + ", ".join(f"{count} {state}" for state, count in data[name].items())
            for name in ("registration", "authorization")
            if data[name]
        ]
        days, devices = self.fleet.figures.days, len(self.fleet.devices)
        whole = sum(day.states.get("authorized", 0) == devices for day in days)
        if days:
            lines.append(f"all devices were authorized at the end of {whole} of {len(days)} days")
        return lines

    def _verdict(self) -> list[str]:
        found, fleet = self.audit, self.fleet
        lines = [
            f"{len(found.lost)} lost, {len(found.doubled)} doubled: {found.instances} instances of "
            f"{found.registrations} registrations, {found.in_use} licenses in use, by servers and devices."
        ]
        if fleet.pair.cut:
            lines.append(f"{fleet.pair.cut} changes died with their server before anybody was told of them.")
        for what, names in (
            ("lost", found.lost),
            ("doubled", found.doubled),
            ("other counts on the server", found.differing),
        ):
            if names:
                lines.append(f"WRONG: {what}: {', '.join(names[:10])}{' …' if len(names) > 10 else ''}")
        if not found.copies_equal:
            lines.append("WRONG: the two servers differ.")
        if not found.pools_right:
            lines.append("WRONG: what is in use is not the sum over the instances.")
        return lines

    # ---- page ---------------------------------------------------------------------------------------------
    def page(self) -> str:
        figures = self.fleet.figures
        days = figures.days
        kinds = sorted({kind for day in days for kind in day.answered})
        states = sorted({state for day in days for state in day.states})
        by_day = {
            **{kind: [(float(d.day), float(d.answered.get(kind, 0))) for d in days] for kind in kinds},
            "without answer": [(float(day.day), float(day.unanswered)) for day in days],
        }
        compliance = {
            state: [(float(day.day), float(day.states.get(state, 0))) for day in days] for state in states
        }
        hours = [f"{hour:02}" for hour in range(24)]
        drawn = [
            charts.lines("Messages by day", by_day, x_title="day", unit="messages"),
            charts.lines("Devices by authorization", compliance, x_title="day", unit="devices"),
            charts.bars("Messages by hour of the day", hours, {"messages": figures.hours}, unit="messages"),
            charts.bars(
                "Busiest second of each hour of the day",
                hours,
                {"messages": figures.hour_peaks},
                unit="messages in a second",
            ),
            *(_storm_chart(storm) for storm in self._storms if storm["devices"]),
        ]
        return charts.document(
            f"{len(self.fleet.devices)} devices, {(self.fleet.now() - BEGIN) / DAY:g} days",
            "A simulation in virtual time against a pair of mock servers",
            self.text(),
            drawn,
        )


def _storm_chart(storm: dict[str, Any]) -> str:
    series = {
        name: [(float(minute), float(count)) for minute, count in _dense(storm[key])]
        for name, key in (("as it was", "arrivals"), ("had nobody drawn", "arrivals_undrawn"))
    }
    return charts.lines(
        f"After {storm['event']} at {storm['at']}: devices that waited, by minute",
        series,
        x_title="minutes after the outage",
        unit="devices a minute",
    )


def _dense(arrivals: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """With the minutes in which nothing came."""
    known = dict(arrivals)
    return [(minute, known.get(minute, 0)) for minute in range(max(known, default=0) + 2)]


def _operations_table(operations: dict[str, Any]) -> list[str]:
    lines = [f"{'operation':<18}{'answered':>10}{'not':>8}"]
    for name, one in operations.items():
        codes = ", ".join(f"{count} {code}" for code, count in one["failures"].items())
        row = f"{name:<18}{one['answered']:>10}{sum(one['failures'].values()):>8}"
        lines.append(f"{row}  {codes}".rstrip())
    return lines


def _events_table(storms: list[dict[str, Any]]) -> list[str]:
    lines = [
        "Devices that met silence, and the most of them that were back in one second and in one minute; in",
        "brackets: had each waited the whole of its delay, and drawn none of it.",
        f"{'event':<14}{'at':<15}{'outage':>8}{'devices':>9}{'a second':>12}{'a minute':>14}"
        f"{'quiet after':>13}",
    ]
    for one in storms:
        second = f"{one['peak_per_second']} ({one['peak_per_second_undrawn']})"
        minute = f"{one['peak_per_minute']} ({one['peak_per_minute_undrawn']})"
        quiet = one["quiet_after_seconds"]
        told = f"{quiet:g} s" if quiet is not None else ("-" if not one["devices"] else "not yet")
        lines.append(
            f"{one['event']:<14}{one['at']:<15}{one['outage_seconds']:>7g}s{one['devices']:>9}{second:>12}"
            f"{minute:>14}{told:>13}"
        )
        if one["how"]:
            lines.append(f"  {one['how']}")
    return lines
