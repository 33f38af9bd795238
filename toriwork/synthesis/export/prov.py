"""PROV-JSON: tokens are entities, their sources agents, their references derivations."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from hashlib import blake2b
from typing import Any

from toriwork.synthesis.occurrences import Occurrence

_PREFIXES = {
    "t1": "urn:toriwork:t1:",
    "ref": "urn:toriwork:ref:",
    "observer": "urn:toriwork:observer:",
    "toriwork": "urn:toriwork:",
}
_TOKEN = re.compile(r"t1:[0-9a-f]{40}")
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


def to_prov(occurrences: Iterable[Occurrence]) -> dict[str, Any]:
    """Tokens as a PROV-JSON document.

    A token is an entity under its own id, generated at its first emission, attributed to its source and derived from
    each of its references; ``toriwork:measurement`` is canonical JSON, ``toriwork:count`` how often it was emitted. A
    reference that is not among them is an entity without attributes; one that is no token id has its text as label.

    Sources
    -------
    W3C PROV-JSON member submission 2013, sect. 3; PROV-DM, sect. 5.1 to 5.3.
    """
    document: dict[str, dict[str, Any]] = {"prefix": dict(_PREFIXES), "entity": {}, "agent": {}}
    relations: dict[str, list[dict[str, str]]] = {"wasGeneratedBy": [], "wasAttributedTo": [], "wasDerivedFrom": []}
    groups: dict[str, list[Occurrence]] = {}
    for one in occurrences:
        groups.setdefault(one.token, []).append(one)
    for token, group in groups.items():
        first, core = min(group), group[0].core
        document["entity"][token] = _entity(group)
        relations["wasGeneratedBy"].append({"prov:entity": token, "prov:time": first.time.isoformat()})
        if core.source is not None:
            agent = _agent(core.source)
            document["agent"][agent] = {
                "prov:type": {"$": "prov:SoftwareAgent", "type": "prov:QUALIFIED_NAME"},
                "prov:label": core.source,
            }
            relations["wasAttributedTo"].append({"prov:entity": token, "prov:agent": agent})
        for ref in core.refs:
            name = ref if _TOKEN.fullmatch(ref) else f"ref:{_digest(ref)}"
            document["entity"].setdefault(name, {} if name == ref else {"prov:label": ref})
            relations["wasDerivedFrom"].append({"prov:generatedEntity": token, "prov:usedEntity": name})
    for kind, found in relations.items():
        document[kind] = {f"_:{kind}{number}": relation for number, relation in enumerate(found, 1)}
    return {kind: content for kind, content in document.items() if content}


def _entity(group: list[Occurrence]) -> dict[str, Any]:
    core = group[0].core
    said = {"type": core.type, "subject": core.subject, "measurement": _text(group[0].body), "count": len(group)}
    return {f"toriwork:{name}": value for name, value in said.items() if value is not None}


def _text(body: bytes) -> str:
    """The measurement as it stands in a body, which begins with it."""
    text = body.decode()
    start = len('{"m":')
    _, end = json.JSONDecoder().raw_decode(text, start)
    return text[start:end]


def _agent(source: str) -> str:
    return f"observer:{source if _PLAIN.fullmatch(source) else _digest(source)}"


def _digest(text: str) -> str:
    return "x" + blake2b(text.encode(), digest_size=16).hexdigest()
