"""The error tree is part of the interface: its shape, its kinds and the built-ins that people already catch."""

from __future__ import annotations

import pickle

import pytest

from toriwork import errors
from toriwork.errors import ToriworkError

#: name -> (kind, parent, built-in that an `except` written before toriwork would name); adding a leaf adds a line
TREE = {
    "BadInput": ("bad_input", "ToriworkError", ValueError),
    "NotFound": ("not_found", "ToriworkError", KeyError),
    "MissingExtra": ("missing_extra", "ToriworkError", ImportError),
    "EngineError": ("engine", "ToriworkError", RuntimeError),
    "TooLarge": ("too_large", "ToriworkError", MemoryError),
    "StoreError": ("store", "ToriworkError", OSError),
    "DamagedFile": ("damaged_file", "StoreError", OSError),
    "StoreMismatch": ("store_mismatch", "StoreError", OSError),
    "VersionTooOld": ("version", "StoreError", OSError),
    "DurabilityError": ("durability", "StoreError", OSError),
    "PublishError": ("publish", "StoreError", OSError),
    "LockUnavailable": ("lock", "StoreError", OSError),
    "NotPermitted": ("permission", "StoreError", PermissionError),
    "OddFile": ("odd_file", "StoreError", OSError),
    "Busy": ("busy", "StoreError", OSError),
    "ReadOnly": ("read_only", "StoreError", OSError),
    "MigrationError": ("migration", "ToriworkError", RuntimeError),
    "SourceInUse": ("in_use", "MigrationError", RuntimeError),
    "Unsure": ("unsure", "MigrationError", RuntimeError),
    "NotProven": ("not_proven", "MigrationError", RuntimeError),
    "Drift": ("drift", "MigrationError", RuntimeError),
    "Closed": ("closed", "StoreError", ValueError),
}


def leaves() -> dict[str, type[ToriworkError]]:
    """Every error class of the module but the root."""
    classes = (value for value in vars(errors).values() if isinstance(value, type))
    return {kind.__name__: kind for kind in classes if issubclass(kind, ToriworkError) and kind is not ToriworkError}


def test_the_tree_has_this_shape_and_no_other():
    found = {name: (leaf.kind, leaf.__bases__[0].__name__) for name, leaf in leaves().items()}
    told = {name: (kind, parent) for name, (kind, parent, _) in TREE.items()}
    assert found == told, "a new error has a line in TREE above and one in docs/index.md; a kind never changes"


def test_kinds_are_unique():
    kinds = [leaf.kind for leaf in leaves().values()] + [ToriworkError.kind]
    assert len(set(kinds)) == len(kinds)


@pytest.mark.parametrize("name", TREE)
def test_each_leaf_is_caught_by_the_built_in_that_people_know(name):
    assert issubclass(leaves()[name], TREE[name][2])


@pytest.mark.parametrize("name", TREE)
@pytest.mark.parametrize("message", ["row 3 is not finite: [nan]", "", "a 'quoted' key"])
def test_the_message_is_printed_as_it_was_given(name, message):
    assert str(leaves()[name](message)) == message


@pytest.mark.parametrize("name", TREE)
def test_errors_cross_processes(name):
    """A process pool sends the worker's error back by pickle."""
    error = leaves()[name]("message")
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again)) == (type(error), "message")
    by_name = type(error).__new__(type(error), "message")  # as Dask makes it
    assert type(by_name) is type(error)


@pytest.mark.parametrize("name", TREE)
def test_each_leaf_says_when_it_is_raised(name):
    assert len((leaves()[name].__doc__ or "").split()) >= 4, "say in its docstring when it is raised"


def test_rows_at_risk_travel_with_the_durability_error():
    error = pickle.loads(pickle.dumps(errors.DurabilityError("fsync failed", rows=(b"a", b"b"))))
    assert error.rows == (b"a", b"b")
    assert errors.DurabilityError("fsync failed").rows == ()
