"""Every call of the four tables to the disk fails in every way; what was acknowledged is there, once, and public."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest

from tests.storage import sweep
from tests.storage.faulty import CUT, KILL, SHORT, Fault, Step, role_of, ways

ACTS = [*sweep.STORIES, "complete"]
#: a journal that a simulated kill left behind is closed when it is collected
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.mark.parametrize("act", ACTS)
def test_the_law_holds_after_a_fault_at_each_kind_of_step(act: str, tmp_path: Path) -> None:
    """One way and one table for each kind of step; the seed is fixed, the long form does all."""
    chosen = sweep.sample(act, tmp_path, seed=0)
    wrong = [found.wrong for one in chosen if (found := sweep.told(*one, tmp_path)).wrong]
    assert wrong == [], "\n".join(wrong)
    kinds = Counter(kind for kind, _, _ in chosen)
    print(f"{act}: {len(chosen)} faults: {dict(kinds)}, {dict(Counter(fault.way for _, _, fault in chosen))}")  # noqa: T201


@pytest.mark.long
@pytest.mark.parametrize(("kind", "act"), sweep.stories())
def test_so_it_does_after_every_fault_at_every_step(kind: str, act: str, tmp_path: Path) -> None:
    every = sweep.points(kind, act, tmp_path)
    wrong = [found.wrong for _, fault in every if (found := sweep.told(kind, act, fault, tmp_path)).wrong]
    print(f"{kind} {act}: {len(every)} faults")  # noqa: T201
    assert wrong == [], "\n".join(wrong)


def test_the_sample_has_every_kind_of_step_every_way_and_every_table(tmp_path: Path) -> None:
    """What the short form leaves out are repetitions."""
    found: Counter[str] = Counter()
    for act in ("live", "publish", "create"):
        chosen = sweep.sample(act, tmp_path, seed=0)
        steps = {step for kind in sweep.KINDS for step, _ in sweep.points(kind, act, tmp_path)}
        assert len(chosen) >= len(steps)
        found.update(fault.way for _, _, fault in chosen)
        found.update(kind for kind, _, _ in chosen)
    assert set(found) >= {"EIO", "ENOSPC", "EMFILE", "error behind it", KILL, CUT, *sweep.KINDS}


@pytest.mark.parametrize("step", [Step("write", "journal"), Step("sync", "folder"), Step("rename", "HEAD")], ids=str)
def test_a_step_fails_in_the_ways_that_its_call_can(step: Step) -> None:
    found = ways(step)
    assert ("EIO", True) in found
    assert (KILL, False) in found
    assert ((SHORT, False) in found) == (step.what == "write")


@pytest.mark.parametrize(
    ("path", "role"),
    [
        ("/s/x.parquet", "public file"),
        ("/s/.x.lock", "lock"),
        ("/s/.x.1a2b3c4d.tmp", "new public file"),
        ("/s/x.d", "folder"),
        ("/s/x.d/HEAD", "HEAD"),
        ("/s/x.d/HEAD.1a2b3c4d.tmp", "new HEAD"),
        ("/s/x.d/" + "ab" * 16 + ".journal", "journal"),
        ("/s/x.d/" + "ab" * 16 + ".journal.new", "new journal"),
        ("/s/x.d/" + "ab" * 16 + ".segment.new", "new segment"),
        ("/s/x.d/" + "ab" * 16 + ".parquet", "segment"),
        ("/s/x.d/quarantine/" + "ab" * 16 + ".journal.0", "quarantined"),
        ("/s", "parent"),
    ],
)
def test_a_path_has_a_role(path: str, role: str) -> None:
    assert role_of(Path(path)) == role


class Broken(sweep.Story):
    """Says of a row that was lost that it was recorded."""

    def do_add(self) -> None:
        super().do_add()
        self.acked.add("r8")


class Doubled(sweep.Story):
    """Records a row once more than it says."""

    def do_add(self) -> None:
        super().do_add()
        self.kind.add(self.handles[-1], "r3")


class Refused(sweep.Story):
    """Says of a row that was recorded that it was not."""

    def do_add(self) -> None:
        super().do_add()
        self.acked.discard("r3")
        self.refused.add("r3")


@pytest.mark.parametrize("story", [Broken, Doubled, Refused])
def test_a_store_that_breaks_the_law_is_found(
    story: type[sweep.Story], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "Story", story)
    words = {Broken: "are lost", Doubled: "there twice", Refused: "not to be recorded"}[story]
    for kind in ("registry", "tokens", "ideas"):
        assert words in sweep.told(kind, "add", None, tmp_path).wrong


def test_a_fault_is_reached_and_reported(tmp_path: Path) -> None:
    rng = random.Random(0)
    step, fault = rng.choice(sweep.points("registry", "flush", tmp_path))
    found = sweep.told("registry", "flush", fault, tmp_path)
    assert found.hit == step
    assert str(Fault(3, "EIO", ever=True)) == "step 3: EIO, from then on"
