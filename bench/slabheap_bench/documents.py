"""Where tables and pictures go: a report of their own, and the documents of the tree."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

from slabheap_bench import losses, pictures, steps, tables
from slabheap_bench.table import Table

#: Documents with places for tables: a comment that names one, the table, and a comment that ends it.
DOCUMENTS = ("docs/performance.md", "README.md")
#: What the tables of the documents were made from.
KEPT = "docs/performance.json"
#: Pictures that the documents show.
SHOWN = ("speed-ratios", "hurtful", "space", "traces", "worst")

_PLACE = re.compile(r"(<!-- table: ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def measured() -> dict[str, dict[str, Any]]:
    """What each step that has run left, by step."""
    return {step: steps.load(step, steps.FOLDER) for step in steps.TIMED if (steps.FOLDER / f"{step}.json").exists()}


def without_samples(value: Any) -> Any:
    """The figures without the samples that they are the median or mean of: lists called `samples` or `…seconds`."""
    if isinstance(value, dict):
        are_samples = {key for key, item in value.items() if isinstance(item, list) and (key == "samples" or key.endswith("seconds"))}
        return {key: without_samples(item) for key, item in value.items() if key not in are_samples}
    return [without_samples(item) for item in value] if isinstance(value, list) else value


def kept(run: dict[str, Any]) -> dict[str, Any]:
    """What the documents need of a run. `made` tells the command and the machine, so those that the Rust program tells are left out."""
    result = {key: value for key, value in without_samples(run["result"]).items() if key not in ("command", "machine")}
    return {"made": run["made"], "result": result}


def circumstances(runs: dict[str, dict[str, Any]]) -> str:
    """When, how and on what, in Markdown: what all steps share once, and what each ran."""
    made = [run["made"] for run in runs.values()]
    if not made:
        return ""
    machine = made[0]["machine"]
    caches = ", ".join(f"{name} {size}" for name, size in machine["caches"].items())
    dates = sorted({each["date"] for each in made})
    sources = sorted({" and ".join(f"`{folder}` {name}" for folder, name in each["machine"]["sources"].items()) for each in made})
    lines = [
        f"- {', '.join(dates)}, git's names of the sources: {'; '.join(sources)}",
        f"- {machine['processor']}, {machine['processors']} processors, {caches}; hypervisor: {machine['hypervisor']}",
        f"- {machine['system']}; {machine['rust']}; {machine['cxx']}; {machine['valgrind']}",
    ]
    lines += _conditions([each["machine"] for each in made])
    if any(each["quick"] for each in made):
        lines.append("- **A quick run: it shows that everything works, and no figure worth having.**")
    commands = "\n".join(each["command"] for each in made)
    return "\n".join(lines) + f"\n\n```sh\n{commands}\n```"


def _conditions(machines: list[dict[str, Any]]) -> list[str]:
    """What else bears on times, where it is known: huge pages, and how busy the machine was when the steps began."""
    modes = sorted({machine["huge_pages"] for machine in machines if machine.get("huge_pages")})
    loads = [machine["load"] for machine in machines if "load" in machine]
    if not loads:
        return []
    around = f"{min(loads):.1f} to {max(loads):.1f}"
    return [f"- transparent huge pages: {', '.join(modes) or 'none'}; runnable tasks in the minute before a step: {around}"]


def all_tables(found: dict[str, dict[str, Any]]) -> list[Table]:
    """Every table that there are figures for."""
    made: list[Table] = []
    for step, make in tables.MAKERS.items():
        if step in found:
            made += make(found[step])
    overview = tables.summary(found)
    return [*([overview] if overview else []), *made, losses.losses(found)]


def blocks(runs: dict[str, dict[str, Any]]) -> dict[str, str]:
    """What can be put into documents, by name: every table with its caption, and the circumstances."""
    found = {step: run["result"] for step, run in runs.items()}
    made = {table.name: f"{table.caption}\n\n{table.markdown()}" for table in all_tables(found)}
    return made | {"circumstances": circumstances(runs)}


def fill(document: str, made: dict[str, str]) -> str:
    """A document with what stands at its places made anew.

    Raises:
        KeyError: There is a place for something that was not measured.
    """
    return _PLACE.sub(lambda place: f"{place[1]}{made[place[2]]}\n{place[3]}", document)


def write_report() -> None:
    """Writes build/bench/report.md, and each table as CSV and each picture as PNG beside it."""
    runs = measured()
    found = {step: run["result"] for step, run in runs.items()}
    parts = ["# Figures of slabheap and its peers", circumstances(runs)]
    for table in all_tables(found):
        (steps.FOLDER / f"{table.name}.csv").write_text(table.csv())
        parts.append(f"## {table.name}\n\n{table.caption}\n\n{table.markdown()}")
    for name, figure in pictures.all_pictures(found).items():
        figure.savefig(_drawn(name))
        parts.append(f"![{name}]({name}.png)")
    report = steps.FOLDER / "report.md"
    report.write_text("\n\n".join(parts) + "\n")
    print(f"\nTables and pictures: {report.relative_to(steps.ROOT)}")


def publish() -> None:
    """Puts what was measured into the documents, and keeps the figures and pictures beside them.

    Raises:
        FileNotFoundError: A step was not measured, or a picture not drawn; nothing is written then.
    """
    runs = {step: kept(run) for step, run in measured().items()}
    missing = [step for step in steps.TIMED if step not in runs]
    if missing:
        wanted = " ".join(f"--step {step}" for step in missing)
        raise FileNotFoundError(f"there are no figures of {', '.join(missing)} to publish yet; run: tools/bench measure {wanted}")
    undrawn = [name for name in SHOWN if not _drawn(name).exists()]
    if undrawn:
        raise FileNotFoundError(f"there are no pictures of {', '.join(undrawn)} to publish yet; run: tools/bench report")
    write_documents(runs)
    (steps.ROOT / KEPT).write_text(json.dumps(runs, separators=(",", ":")).replace('},{"', '},\n{"') + "\n")
    for name in SHOWN:
        shutil.copy(_drawn(name), steps.ROOT / "docs" / "pictures" / f"bench-{name}.png")


def _drawn(picture: str) -> Path:
    return steps.FOLDER / f"{picture}.png"


def write_documents(runs: dict[str, dict[str, Any]]) -> None:
    """Fills the places of all documents, or of none if one has a place for something that was not measured."""
    made = blocks(runs)
    paths = [steps.ROOT / name for name in DOCUMENTS]
    filled = [fill(path.read_text(), made) for path in paths]
    for path, text in zip(paths, filled, strict=True):
        path.write_text(text)
