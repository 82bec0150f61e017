"""The closing summary of a run: what came in, what became of it, what was set aside and why, what to do next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from systock.cli.rows import cell_text

if TYPE_CHECKING:
    from systock.pipeline_manager.run_pipeline import RunSummary
    from systock.project import Project

Row = Mapping[str, Any]
_REASONS = 5
_LOOKED_AT = 10_000


def summary_text(summary: RunSummary, project: Project) -> str:
    """Everything a shopkeeper wants to know after a run, in plain words."""
    parts: list[tuple[str, list[str]]] = []
    parts.append(("Came in", list(_came_in(summary.sources)) or [_nothing_new(summary.status)]))
    for name in dict.fromkeys(_plural(row["entity"]) for row in summary.entities):
        rows = [row for row in summary.entities if _plural(row["entity"]) == name]
        parts.append((name.capitalize(), [_became(rows)]))
    set_aside = _sum(summary.entities, "quarantined")
    if set_aside:
        parts.append(("Set aside", _reasons(project, set_aside)))
    held = project.held_back() if summary.status != "dry run" else []
    parts.append(("Held back", _held(held)))
    parts.append(("Not read", [_refused(row) for row in summary.rejected] + [_in_vain(row) for row in summary.failed]))
    parts.append(("Unusual", _some_of([cell_text(text) for text in summary.unusual])))
    parts.append(("Not as before", _some_of([_drifted(row) for row in summary.drift])))
    parts.append(("Server", [_sent(summary.target)] if summary.target else []))
    parts.append(("Take note", [cell_text(text) for text in summary.warnings]))
    if summary.status == "dry run":
        parts.append(("Would refresh", [f"{row['table']}: {row['refresh']}" for row in summary.tables]))
    else:
        parts.append(("Up to", _freshness(project.status())))
    parts.append(("Next", _next(summary, set_aside, held)))
    width = max(len(label) for label, texts in parts if texts)
    lines = [_headline(summary), ""]
    for label, texts in parts:
        lines += [""] if label == "Next" else []
        lines += [f"  {label if number == 0 else '':<{width}}  {text}" for number, text in enumerate(texts)]
    return "\n".join(lines)


def _headline(summary: RunSummary) -> str:
    seconds = f"{summary.seconds:.1f} s"
    if summary.status == "dry run":
        return f"Dry run, {seconds}: nothing was written."
    if summary.status == "nothing new":
        since = f" since generation {summary.generation}" if summary.generation else ""
        unread = f" but {counted(len(summary.rejected), 'file')} that could not be read" if summary.rejected else ""
        return f"Nothing new{since}{unread}{_without(summary)}, {seconds}."
    checks = f"{counted(summary.checks, 'check')} passed, " if summary.checks else ""
    return f"Generation {summary.generation} is published{_without(summary)}: {checks}{seconds}."


def _without(summary: RunSummary) -> str:
    names = ", ".join(dict.fromkeys(row["source"] for row in summary.failed))
    return f", but {names} could not be read" if names else ""


def _nothing_new(status: str) -> str:
    if status == "published":
        return "nothing new: this generation is made of what had landed before"
    return "nothing new" if status == "dry run" else "nothing new: all that had landed before is published"


def _came_in(sources: Iterable[Row]) -> Iterable[str]:
    for row in sources:
        # A dry run lists files without reading them: it knows no lines.
        count = {name: row.get(name, 0) for name in ("files", "lines", "repeats", "malformed", "rejected", "waiting")}
        said = [
            _some(count["repeats"], "had come before", "had come before"),
            _some(count["rejected"], "could not be read", "could not be read"),
            _some(count["waiting"], "is still being written", "are still being written"),
        ]
        if count["malformed"]:
            said.append(f"{counted(count['malformed'], 'line')} could not be split into columns")
        if row.get("would_ask"):
            yield f"{row['source']}, {row['table']}: would be asked {row['would_ask']}"
            continue
        if row.get("asked"):
            if row["lines"]:
                wrong = f"; {counted(count['malformed'], 'line')} could not be read" if count["malformed"] else ""
                yield f"{row['source']}, {row['table']}: {counted(row['lines'], 'line')}{wrong}"
            continue
        if not count["files"] and not any(said):
            continue
        lines = f"{counted(count['lines'], 'line')} in " if "lines" in row else ""
        text = f"{row['source']}, {row['table']}: {lines}{counted(count['files'], 'file')}"
        yield "; ".join([text, *(part for part in said if part)])


def _became(rows: Sequence[Row]) -> str:
    """What became of the lines of one entity, each on its own count."""
    repeats = "exact repeat" if _sum(rows, "duplicates") == 1 else "exact repeats"
    words = (
        ("kept", "new or changed"),
        ("unchanged", "known already"),
        ("superseded", "superseded: another version holds"),
        ("duplicates", repeats),
        ("left_out", "left out by the mapping"),
        ("quarantined", "set aside"),
    )
    said = [f"{_sum(rows, name):,} {text}" for name, text in words if _sum(rows, name)]
    return f"{counted(_sum(rows, 'lines'), 'line')}: {', '.join(said)}" if said else "nothing"


def _sent(target: Row) -> str:
    """What was done on the server, or would be."""
    if "would" in target:
        return cell_text(target["would"])
    if target["how"] == "nothing":
        return cell_text(f"{target['where']} has generation {target['generation']} already")
    written, removed = _sum(target["tables"], "written"), _sum(target["tables"], "removed")
    rows = f"{counted(written, 'row')} written, {removed:,} removed"
    if target.get("captures"):  # runs before there were captures say nothing of them
        rows += f", {counted(target['captures'], 'capture')} landed"
    return cell_text(f"{target['where']} has generation {target['generation']}: {rows} ({target['why']})")


def _freshness(status: Mapping[str, Any]) -> list[str]:
    """Until when what came in is in what readers see."""
    known_at = status.get("known_at")
    return [f"{_instant(known_at)}: what came in by then is in what you read"] if known_at else []


def _instant(value: Any) -> str:
    return cell_text(datetime.fromisoformat(value) if isinstance(value, str) else value)


def _reasons(project: Project, set_aside: int) -> list[str]:
    """How many, and the most frequent reasons, with one example each."""
    # Only lines that are set aside have a number there; held back lines and files that could not be read are said elsewhere.
    rows = [row for row in project.quarantine(_LOOKED_AT) if row["number"] is not None]
    groups: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row["entity"] or row["table"], row["rule"], row["column"] or ""), []).append(row)
    # What was set aside before still is, until it is corrected: the reasons are those of all that is set aside now.
    most = f"at least {_LOOKED_AT:,}" if len(rows) == _LOOKED_AT else f"{len(rows):,}"
    lines = [f"{counted(set_aside, 'line')} in this run, {most} in all; the most frequent reasons:"]
    for (entity, rule, column), members in sorted(groups.items(), key=lambda group: -len(group[1]))[:_REASONS]:
        first = members[0]
        value = f" = {cell_text(first['value'])!r}" if first["value"] is not None else ""
        where = f"{column}{value}" if column else "the line"
        lines.append(f"{len(members):,} × {_plural(entity)}: {rule} ({where}, {first['file']} row {first['row']})")
    if len(groups) > _REASONS:
        lines.append(f"and {counted(len(groups) - _REASONS, 'more reason')}")
    return lines


def _held(held: Sequence[Row]) -> list[str]:
    """How many lines are kept out of their facts now, newly or not, and the most frequent reasons."""
    if not held:
        return []
    lines = [f"{counted(_sum(held, 'lines'), 'line')} now, kept out of their facts until what they lack is there:"]
    lines += [f"{row['lines']:,} × {_plural(row['entity'])}: {row['reason']}" for row in held[:_REASONS]]
    if len(held) > _REASONS:
        lines.append(f"and {counted(len(held) - _REASONS, 'more reason')}")
    return lines


def _some_of(lines: Sequence[str]) -> list[str]:
    return [*lines[:_REASONS], *([f"and {len(lines) - _REASONS} more"] if len(lines) > _REASONS else [])]


def _drifted(row: Row) -> str:
    return cell_text(f"{row['source']}.{row['table']}, {row['file']}: {row['what']}. {row['todo']}")


def _refused(row: Row) -> str:
    return _sentences(row["file"], [row["reason"], row.get("todo") or ""])


def _in_vain(row: Row) -> str:
    table = f", {row['table']}" if row["table"] else ""
    return _sentences(f"{row['source']}{table}", row["reason"].splitlines())


def _sentences(about: str, texts: Iterable[str]) -> str:
    """What several texts say of something on one line, each with its full stop."""
    said = [" ".join(text.split()) for text in texts if text.strip()]
    return cell_text(f"{about}: {' '.join(text if text[-1] in '.!?' else f'{text}.' for text in said)}")


def _next(summary: RunSummary, set_aside: int, held: Sequence[Row]) -> list[str]:
    if summary.status == "dry run":
        return ["systock run"]
    steps = []
    if set_aside:
        steps.append("systock quarantine list    what was set aside; after a correction: systock quarantine retry")
    elif held:
        steps.append("systock quarantine list    what is held back, with its file and row")
    if summary.rejected:
        steps.append("correct the files that could not be read; the next run takes them")
    if summary.failed:
        steps.append("systock run                after the cause is mended: it goes on where the source stopped")
    steps.append("systock status             what is loaded and how fresh it is")
    steps.append('systock query "SELECT ..."  ask the warehouse')
    return steps


def _plural(entity: str) -> str:
    """sale lines; of a raw table whose lines are stored: lines of orders."""
    name, stored, _ = entity.partition(" (")
    if stored:
        return f"lines of {name}"
    name = name.replace("_", " ")
    return name if name.endswith("s") else f"{name}s"


def counted(number: int, noun: str) -> str:
    """1 file, 2,000 files."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _some(number: int, one: str, several: str) -> str:
    return f"{counted(number, 'file')} {one if number == 1 else several}" if number else ""


def _sum(rows: Iterable[Row], name: str) -> int:
    return sum(row[name] for row in rows)
