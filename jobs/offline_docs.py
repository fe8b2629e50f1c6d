"""Data Docs for a hospital without internet: the pages Great Expectations renders load fonts, styles and scripts from
outside hosts. Here they lose those, get one small stylesheet inside, and an index that needs no script.
"""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

_STYLE = (Path(__file__).parent / "data_docs.css").read_text(encoding="utf-8")

_MARK = "<!-- offline -->"
_SCRIPTS = re.compile(r"<script\b.*?</script>", re.DOTALL | re.IGNORECASE)
_STYLES = re.compile(r"<style\b.*?</style>", re.DOTALL | re.IGNORECASE)
_LOADED = re.compile(r"<(?:link|img|iframe|source)\b[^>]*>", re.IGNORECASE)
_FOREIGN_LINK = re.compile(r"<a\b[^>]*\bhref=\"https?://[^\"]*\"[^>]*>(.*?)</a>", re.DOTALL | re.IGNORECASE)


@dataclass(frozen=True)
class _JudgedOnce:
    """One validation in the index."""

    suite: str
    run: str
    time: str
    page: str
    stopping: tuple[str, ...]
    setting_aside: tuple[str, ...]


def make_offline(docs: Path) -> None:
    """Let no page below `docs` load anything: mend the pages that are as Great Expectations rendered them."""
    for page in sorted(docs.rglob("*.html")):
        html = page.read_text(encoding="utf-8")
        if _MARK not in html:
            page.write_text(_mended(html), encoding="utf-8")
    shutil.rmtree(docs / "static", ignore_errors=True)


def write_index(docs: Path, results: Path) -> None:
    """Write `docs`/index.html: the validations whose results lie below `results`, the latest first."""
    rows = "\n".join(_row(judged) for judged in _validations(results))
    suites = "\n".join(
        f'<li><a href="expectations/{escape(page.name)}">{escape(page.stem)}</a></li>'
        for page in sorted((docs / "expectations").glob("*.html"))
    )
    docs.mkdir(parents=True, exist_ok=True)
    (docs / "index.html").write_text(
        f"""<!DOCTYPE html>{_MARK}
<html lang="en"><head><meta charset="utf-8"><title>fahr: data docs</title><style>{_STYLE}</style></head><body>
<h1>Validations</h1>
<p class="lead">Each data set of each night, judged by its declared rules with Great Expectations. A data set passes
when no rule that must hold is broken; photos that break other rules are quarantined one by one. The page of a data set
says "Failed" as soon as any rule is broken.</p>
<table class="index"><thead>
<tr><th>When (UTC)</th><th>Data set</th><th>Run</th><th>Verdict</th><th>Broken rules</th></tr></thead>
<tbody>
{rows}
</tbody></table>
<h2>Rules</h2>
<ul>
{suites}
</ul>
<p class="note">Research use only. The pages hold verdicts, never a value of the data.</p>
</body></html>
""",
        encoding="utf-8",
    )


def _mended(html: str) -> str:
    """A page without scripts, pictures and foreign styles and links, collapsed parts shown, with our stylesheet."""
    for unwanted in (_SCRIPTS, _STYLES, _LOADED):
        html = unwanted.sub("", html)
    html = _FOREIGN_LINK.sub(r"\1", html)
    html = html.replace("<!DOCTYPE html>", f"<!DOCTYPE html>{_MARK}", 1)
    if _MARK not in html:
        html = _MARK + html
    return html.replace("</head>", f"<style>{_STYLE}</style></head>", 1)


def _validations(results: Path) -> list[_JudgedOnce]:
    """What Great Expectations stored of each validation, the latest first."""
    judged = []
    for file in results.rglob("*.json"):
        path = file.relative_to(results).with_suffix("")
        suite, run, time = path.parts[:3]
        stored = json.loads(file.read_text(encoding="utf-8"))
        broken = [result["expectation_config"] for result in stored["results"] if not result["success"]]
        judged.append(
            _JudgedOnce(
                suite=suite,
                run=run,
                time=f"{time[:4]}-{time[4:6]}-{time[6:8]} {time[9:11]}:{time[11:13]}:{time[13:15]}",
                page=f"validations/{path.as_posix()}.html",
                stopping=_rules(broken, "critical"),
                setting_aside=_rules(broken, "warning"),
            )
        )
    return sorted(judged, key=lambda one: one.time, reverse=True)


def _rules(broken: list[dict[str, Any]], severity: str) -> tuple[str, ...]:
    return tuple(sorted({config["meta"]["rule"] for config in broken if config["severity"] == severity}))


def _row(judged: _JudgedOnce) -> str:
    if judged.stopping:
        verdict = '<span class="failed">✕ stopped</span>'
    else:
        verdict = f'<span class="passed">✓ passed{", rows set aside" if judged.setting_aside else ""}</span>'
    rules = ", ".join(judged.stopping + judged.setting_aside) or "none"
    cells = (
        escape(judged.time),
        f'<a href="{escape(judged.page)}">{escape(judged.suite)}</a>',
        escape(judged.run[:8]),
        verdict,
        escape(rules),
    )
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"
