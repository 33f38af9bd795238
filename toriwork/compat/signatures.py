"""Signatures of older code: their fields under this library's names, and objects of their own class made of these."""

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
from toriwork.compat.measurements import plain
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
    fields = _fields_in(given)
    found = {role: None if key is None else fields[key] for role, key in _keys_in(fields).items()}
    if found["eigenvalues"] is None:
        raise BadInput(f"signature: expected eigenvalues, got {type(given).__name__} with the fields {sorted(fields)}")
    state, betti = found["coherence_state"], found["betti_numbers"]
    band = str(state.value if isinstance(state, Enum) else state).lower()
    return SpectralSignature(
        timestamp=time.time() if found["timestamp"] is None else found["timestamp"],
        eigenvalues=found["eigenvalues"],
        hash_id="" if found["hash_id"] is None else str(found["hash_id"]),
        betti_numbers=None if betti is None else list(betti)[:3],
        coherence_state=band if band in BANDS else "local",
        gaps=() if found["gaps"] is None else found["gaps"],
    )


def other_fields(given: Any) -> dict[str, Any]:
    """The fields of a signature for which the registry has no place, as values that JSON can hold."""
    fields = _fields_in(given)
    taken = _keys_in(fields).values()
    others = {str(key): plain(value) for key, value in fields.items() if key not in taken}
    return {key: value.tolist() if isinstance(value, np.ndarray) else value for key, value in others.items()}


def _fields_in(given: Any) -> dict[str, Any]:
    if isinstance(given, Mapping):
        return dict(given)
    if isinstance(given, np.ndarray | list) or (isinstance(given, tuple) and not hasattr(given, "_fields")):
        return {"eigenvalues": given}
    if hasattr(given, "_asdict"):
        return dict(given._asdict())
    names = [*getattr(given, "__dict__", ()), *getattr(given, "__dataclass_fields__", ())]
    names += [key for keys in CALLED.values() for key in keys if hasattr(given, key)]  # slots and properties
    return {name: getattr(given, name) for name in names}


def _keys_in(fields: Mapping[str, Any]) -> dict[str, str | None]:
    """Field of a signature -> the key under which it is there."""
    return {role: next((key for key in keys if key in fields), None) for role, keys in CALLED.items()}


def fields_of(signature: SpectralSignature) -> dict[str, Any]:
    """The fields of a signature as a row gives them back."""
    found = {field.name: getattr(signature, field.name) for field in dataclasses.fields(signature)}
    moment = found["timestamp"]
    found["timestamp"] = moment.isoformat() if isinstance(moment, dt.date) else moment
    found["eigenvalues"] = np.array(found["eigenvalues"])
    return found | {"gaps": list(found["gaps"])}


def revived(made: Callable[..., Any], fields: Mapping[str, Any]) -> Any:
    """An object of an older signature class, made of the fields of a row.

    Each parameter of the class gets the field that it is another word for, converted to its annotation: ``datetime``,
    an ``Enum``, a tuple. Parameters without a field keep their default.

    Raises
    ------
    TypeError
        The class needs more than a row has.
    """
    given = {}
    for parameter in inspect.signature(made).parameters.values():
        role = next((role for role, names in CALLED.items() if parameter.name in names and role in fields), None)
        name = parameter.name if parameter.name in fields else role
        if name is not None:
            given[parameter.name] = _as_annotated(fields[name], parameter.annotation, made)
    return made(**given)


def _as_annotated(value: Any, annotation: Any, made: Callable[..., Any]) -> Any:
    name = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", str(annotation))
    kind = getattr(sys.modules.get(made.__module__), name, annotation)
    if isinstance(kind, type) and issubclass(kind, Enum):
        text = str(value).lower()
        return next((one for one in kind if text in (str(one.value).lower(), one.name.lower())), value)
    if "datetime" in name and isinstance(value, int | float):
        return dt.datetime.fromtimestamp(value, dt.UTC)
    if "datetime" in name and isinstance(value, str):
        return dt.datetime.fromisoformat(value)
    return tuple(value) if "tuple" in name.lower() and value is not None else value
