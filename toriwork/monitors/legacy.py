"""Signatures of older code: what they say in this library's words, and the same said in theirs again."""

from __future__ import annotations

import dataclasses
import datetime as dt
import inspect
import sys
import time
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any

import numpy as np

from toriwork.checks import BANDS
from toriwork.errors import BadInput
from toriwork.registry.spectral import SpectralSignature

#: field of a signature -> what older code calls it
CALLED: dict[str, tuple[str, ...]] = {
    "eigenvalues": ("eigenvalues", "eigenvals", "eigvals", "eigs", "spectrum", "lambdas", "values", "vec"),
    "timestamp": ("timestamp", "time", "ts", "when", "created_at", "t"),
    "hash_id": ("hash_id", "hash", "id", "key", "name", "label"),
    "betti_numbers": ("betti_numbers", "betti", "bettis"),
    "coherence_state": ("coherence_state", "coherence", "band", "state"),
    "gaps": ("gaps",),
}


def as_signature(given: Any) -> SpectralSignature:
    """The signature in a mapping, a dataclass, any object with eigenvalues, or a bare array.

    Raises
    ------
    BadInput
        There are no eigenvalues in it, or they are not usable.
    """
    if isinstance(given, SpectralSignature):
        return given
    fields = given if isinstance(given, Mapping) else _attributes(given)
    found = {name: next((fields[key] for key in keys if key in fields), None) for name, keys in CALLED.items()}
    if found["eigenvalues"] is None:
        raise BadInput(f"signature: eigenvalues are wanted, given was {type(given).__name__} with {sorted(fields)}")
    state = found["coherence_state"]
    state = str(state.value if isinstance(state, Enum) else state).lower()
    betti = found["betti_numbers"]
    return SpectralSignature(
        timestamp=time.time() if found["timestamp"] is None else found["timestamp"],
        eigenvalues=found["eigenvalues"],
        hash_id="" if found["hash_id"] is None else str(found["hash_id"]),
        betti_numbers=None if betti is None else list(betti)[:3],
        coherence_state=state if state in BANDS else "local",
        gaps=() if found["gaps"] is None else found["gaps"],
    )


def _attributes(given: Any) -> dict[str, Any]:
    if isinstance(given, np.ndarray | list) or (isinstance(given, tuple) and not hasattr(given, "_fields")):
        return {"eigenvalues": given}
    names = [key for keys in CALLED.values() for key in keys if hasattr(given, key)]
    return {name: getattr(given, name) for name in names}


def said_beside(given: Any) -> dict[str, Any]:
    """The fields of a signature that are none of the registry's, in a form that it can keep."""
    if isinstance(given, Mapping):
        fields = dict(given)
    elif dataclasses.is_dataclass(given) and not isinstance(given, type):
        fields = {field.name: getattr(given, field.name) for field in dataclasses.fields(given)}
    else:
        fields = given._asdict() if hasattr(given, "_asdict") else dict(getattr(given, "__dict__", {}))
    taken = {next((key for key in keys if key in fields), None) for keys in CALLED.values()}
    beside = {str(key): plain(value) for key, value in fields.items() if key not in taken}
    return {key: value.tolist() if isinstance(value, np.ndarray) else value for key, value in beside.items()}


def fields_of(signature: SpectralSignature) -> dict[str, Any]:
    """The fields of a signature as a row gives them back."""
    found = {field.name: getattr(signature, field.name) for field in dataclasses.fields(signature)}
    time_said = found["timestamp"]
    found["timestamp"] = time_said.isoformat() if isinstance(time_said, dt.date) else time_said
    found["eigenvalues"] = np.array(found["eigenvalues"])
    return found | {"gaps": list(found["gaps"])}


def revived(made: Callable[..., Any], fields: Mapping[str, Any]) -> Any:
    """An object of an older signature class, made of the fields of a row.

    Each parameter of the class gets the field that it is another word for, as its annotation wants it: times as
    ``datetime``, members of an ``Enum``, tuples. Parameters that no field answers keep their default.

    Raises
    ------
    TypeError
        The class wants more than a row has.
    """
    given = {}
    for parameter in inspect.signature(made).parameters.values():
        role = next((role for role, names in CALLED.items() if parameter.name in names and role in fields), None)
        name = parameter.name if parameter.name in fields else role
        if name is not None:
            given[parameter.name] = _as_annotated(fields[name], parameter.annotation, made)
    return made(**given)


def _as_annotated(value: Any, annotation: Any, made: Callable[..., Any]) -> Any:
    told = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", str(annotation))
    wanted = getattr(sys.modules.get(made.__module__), told, annotation)
    if isinstance(wanted, type) and issubclass(wanted, Enum):
        said = str(value).lower()
        return next((one for one in wanted if said in (str(one.value).lower(), one.name.lower())), value)
    if "datetime" in told and isinstance(value, int | float):
        return dt.datetime.fromtimestamp(value, dt.UTC)
    if "datetime" in told and isinstance(value, str):
        return dt.datetime.fromisoformat(value)
    return tuple(value) if "tuple" in told.lower() and value is not None else value


def plain(value: Any) -> Any:
    """A value that a token can hold: what has no form of its own is told by its type."""
    if isinstance(value, Enum):
        value = value.value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = dataclasses.asdict(value)
    if value is None or isinstance(value, bool | int | float | str | np.generic | np.ndarray):
        return value.item() if isinstance(value, np.generic) else value
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset) or hasattr(value, "__iter__"):
        return [plain(inner) for inner in value]
    return type(value).__name__
