"""A report as lines of text, as a JSON document and as SARIF; what one code means."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from typing import Any

from toriwork.errors import NotFound
from toriwork.guard.finding import CODES, Finding
from toriwork.guard.scan import Report

SARIF = "https://json.schemastore.org/sarif-2.1.0.json"
MAX_OMITTED = 20  #: lines about one reason


def finding_lines(report: Report) -> list[str]:
    """A line for each finding: path, line, column, code, message."""
    return [str(finding) for finding in report.findings]


def note_lines(report: Report) -> Iterator[str]:
    """Yield lines about what does not make a run fail: warnings, exceptions, omissions, the sum."""
    for finding in report.warnings:
        yield f"warning: {finding}"
    excepted = Counter(entry for _, entry in report.allowed)
    for entry, n in excepted.items():
        yield f"allowed: {n} in {entry}"
    for entry in report.idle:
        yield f"allowed, and no longer there: {entry}"
    if report.settings and report.settings.policy.permit:
        yield f"permitted by the project: {', '.join(sorted(report.settings.policy.permit))}"
    told: Counter[str] = Counter()
    for omission in report.omitted:
        told[omission.reason] += 1
        if told[omission.reason] <= MAX_OMITTED:
            yield f"not looked at: {omission.path}: {omission.reason}"
    for reason, n in told.items():
        if n > MAX_OMITTED:
            yield f"not looked at: {n - MAX_OMITTED} more: {reason}"
    if report.known:
        yield f"known by the baseline: {len(report.known)}"
    yield f"{report.n_files} files, {len(report.findings)} findings, {len(report.warnings)} warnings"


def document(report: Report) -> dict[str, Any]:
    """Everything, ready for JSON."""
    return {
        "findings": [finding.as_dict() for finding in report.findings],
        "warnings": [finding.as_dict() for finding in report.warnings],
        "allowed": [
            finding.as_dict() | {"reason": entry.reason, "until": entry.until.isoformat()}
            for finding, entry in report.allowed
        ],
        "idle": [str(entry) for entry in report.idle],
        "known": [finding.as_dict() for finding in report.known],
        "omitted": [{"path": omission.path, "reason": omission.reason} for omission in report.omitted],
        "permitted": sorted(report.settings.policy.permit) if report.settings else [],
        "files": report.n_files,
    }


def sarif(report: Report, version: str) -> dict[str, Any]:
    """The report as a SARIF 2.1.0 log; what is excepted or known is in it as suppressed."""
    results = [_result(finding) for finding in (*report.findings, *report.warnings)]
    results += [_result(finding, entry.reason) for finding, entry in report.allowed]
    results += [_result(finding, "known by the baseline") for finding in report.known]
    driver = {"name": "toriwork guard", "version": version, "rules": [_rule(code) for code in CODES]}
    return {"$schema": SARIF, "version": "2.1.0", "runs": [{"tool": {"driver": driver}, "results": results}]}


def explanation(code: str) -> str:
    """Return the meaning of a code and what to do about it.

    Raises
    ------
    NotFound
        There is no such code.
    """
    found = CODES.get(code.upper())
    if found is None:
        raise NotFound(f"{code}: no such code; there are {', '.join(CODES)}")
    return f"{code.upper()} ({found.level}): {found.title}\n{found.remedy}"


def _rule(code: str) -> dict[str, Any]:
    return {"id": code, "shortDescription": {"text": CODES[code].title}, "help": {"text": CODES[code].remedy}}


def _result(finding: Finding, reason: str = "") -> dict[str, Any]:
    from urllib.parse import quote  # costs every start what only SARIF needs

    place = {
        "artifactLocation": {"uri": quote(os.fsencode(finding.path))},
        "region": {"startLine": finding.line, "startColumn": finding.column},
    }
    result: dict[str, Any] = {
        "ruleId": finding.code,
        "level": finding.level,
        "message": {"text": _whole_signs(finding.message)},
        "locations": [{"physicalLocation": place}],
    }
    if reason:
        result["suppressions"] = [{"kind": "external", "justification": _whole_signs(reason)}]
    return result


def _whole_signs(text: str) -> str:
    """A text whose halves of surrogate pairs are spelled out: a name in code may hold one, and JSON may not."""
    return text.encode("utf-8", "backslashreplace").decode()
