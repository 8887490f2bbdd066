"""The rows of an inventory's file, with their places: CSV, and YAML by PyYAML's nodes."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

import yaml

from smartlic_client.fleet.happenings import EVENT_FIELDS
from smartlic_client.fleet.inventory import COLUMNS, Cell, Mistake, Row

__all__ = ["csv_rows", "yaml_rows"]

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


# ---- CSV --------------------------------------------------------------------------------------------------
def csv_rows(text: str, mistakes: list[Mistake]) -> Iterator[Row]:
    """Lines that are empty or begin with `#` are passed over."""
    lines = csv.reader(io.StringIO(text), skipinitialspace=True, strict=True)
    header: list[str] | None = None
    try:
        for cells in lines:
            if not any(cell.strip() for cell in cells) or cells[0].lstrip().startswith("#"):
                continue
            if header is None:
                header = [cell.strip().lower() for cell in cells]
                if not _header_is_known(header, lines.line_num, mistakes):
                    return
                continue
            yield _csv_row(header, cells, lines.line_num, mistakes)
    except csv.Error as error:
        mistakes.append(Mistake(lines.line_num, "1", f"it is no CSV: {error}."))


def _header_is_known(header: list[str], line: int, mistakes: list[Mistake]) -> bool:
    before = len(mistakes)
    for name in header:
        if name not in COLUMNS:
            known = ", ".join(COLUMNS)
            mistakes.append(
                Mistake(line, name or "1", f"there is no column {name[:40]!r}; there are {known}.")
            )
        elif header.count(name) > 1:
            mistakes.append(Mistake(line, name, "the column stands there twice."))
    if "name" not in header:
        mistakes.append(Mistake(line, "name", "the first line names the columns, and `name` is one of them."))
    return len(mistakes) == before


def _csv_row(header: list[str], cells: list[str], line: int, mistakes: list[Mistake]) -> Row:
    if len(cells) > len(header):
        extra = len(cells) - len(header)
        mistakes.append(Mistake(line, str(len(header) + 1), f"there are {extra} cells more than columns."))
    found = {name: Cell(cell.strip(), line, name) for name, cell in zip(header, cells, strict=False)}
    licenses = []
    for part in found["licenses"].text.split(";") if "licenses" in found else ():
        if part.strip():
            tag, _, schedule = part.strip().partition("=")
            licenses.append((Cell(tag.strip(), line, "licenses"), Cell(schedule.strip(), line, "licenses")))
    return Row(line, found, licenses)


# ---- YAML -------------------------------------------------------------------------------------------------
def yaml_rows(
    text: str, mistakes: list[Mistake], happened: list[tuple[int, dict[str, Cell]]]
) -> Iterator[Row]:
    """`devices` with `defaults`, or the list alone. `events` go into `happened`: line and cells of each."""
    try:
        root = yaml.compose(text, _LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        mistakes.append(Mistake(line, str(column), f"it is no YAML: {error.problem}."))
        return
    except (yaml.YAMLError, RecursionError) as error:
        mistakes.append(Mistake(1, "1", f"it is no YAML: {error}."))
        return
    if root is None:
        return
    defaults: dict[str, yaml.Node] = {}
    devices: yaml.Node | None = root
    if isinstance(root, yaml.MappingNode):
        top = _mapping(root, ("devices", "defaults", "events"), mistakes)
        devices = top.get("devices")
        if isinstance(top.get("defaults"), yaml.MappingNode):
            defaults = _mapping(top["defaults"], COLUMNS, mistakes)
        elif "defaults" in top:
            _mistake(top["defaults"], "`defaults` is a mapping.", mistakes)
        if "events" in top:
            _events(top["events"], mistakes, happened)
    if not isinstance(devices, yaml.SequenceNode):
        _mistake(devices or root, "`devices` is a list of devices.", mistakes)
        return
    for node in devices.value:
        if isinstance(node, yaml.MappingNode):
            yield _yaml_row(node, {**defaults, **_mapping(node, COLUMNS, mistakes)}, mistakes)
        else:
            _mistake(node, "a device is a mapping with name, pid, sn.", mistakes)


def _events(listed: yaml.Node, mistakes: list[Mistake], happened: list[tuple[int, dict[str, Cell]]]) -> None:
    if not isinstance(listed, yaml.SequenceNode):
        _mistake(listed, "`events` is a list of events.", mistakes)
        return
    for node in listed.value:
        if not isinstance(node, yaml.MappingNode):
            _mistake(node, "an event is a mapping with at, event, outage.", mistakes)
            continue
        fields = _mapping(node, EVENT_FIELDS, mistakes)
        cells = {name: cell for name, value in fields.items() if (cell := _cell(value, mistakes))}
        happened.append((node.start_mark.line + 1, cells))


def _yaml_row(node: yaml.Node, fields: dict[str, yaml.Node], mistakes: list[Mistake]) -> Row:
    cells = {
        name: cell
        for name, value in fields.items()
        if name != "licenses" and (cell := _cell(value, mistakes))
    }
    licenses: list[tuple[Cell, Cell]] = []
    given = fields.get("licenses")
    if isinstance(given, yaml.MappingNode):
        for key, value in given.value:
            tag, schedule = _cell(key, mistakes), _cell(value, mistakes)
            if tag is not None and schedule is not None:
                licenses.append((tag, schedule))
    elif given is not None and not (isinstance(given, yaml.ScalarNode) and not given.value):
        _mistake(given, "`licenses` is a mapping of tag and count.", mistakes)
    return Row(node.start_mark.line + 1, cells, licenses)


def _mapping(node: yaml.Node, known: tuple[str, ...], mistakes: list[Mistake]) -> dict[str, yaml.Node]:
    found: dict[str, yaml.Node] = {}
    for key, value in node.value:
        name = str(key.value) if isinstance(key, yaml.ScalarNode) else ""
        if name not in known:
            _mistake(key, f"there is no field {name[:40]!r}; there are {', '.join(known)}.", mistakes)
        elif name in found:
            _mistake(key, f"the field {name!r} stands there twice.", mistakes)
        found[name] = value
    return found


def _cell(node: yaml.Node, mistakes: list[Mistake]) -> Cell | None:
    if not isinstance(node, yaml.ScalarNode):
        _mistake(node, "a text or a number is meant here.", mistakes)
        return None
    mark = node.start_mark
    return Cell(str(node.value).strip(), mark.line + 1, str(mark.column + 1))


def _mistake(node: yaml.Node, what: str, mistakes: list[Mistake]) -> None:
    mark = node.start_mark
    mistakes.append(Mistake(mark.line + 1, str(mark.column + 1), what))
