"""The doctor sees what is wrong, says what to do, and changes nothing."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from toriwork.cli import doctor, main

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]

MOUNTS = "\n".join(
    [
        "tmpfs /home/with\\040space/fast tmpfs rw 0 0",
        "nas:/export /home/with\\040space nfs4 rw 0 0",
        "overlay / overlay rw 0 0",
        "short",
    ]
)


def found(subject: str, level: str) -> list[str]:
    return [f.message for f in doctor.run_checks() if f.subject == subject and f.level == level]


def test_a_sound_machine_has_no_problem_and_nothing_is_written(
    state_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor"]) == 0
    assert "made at the first write" in capsys.readouterr().out
    assert not state_root.exists()


def test_json_holds_the_same_findings(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--json"]) == 0
    findings = json.loads(capsys.readouterr().out)
    assert {"level", "subject", "message", "remedy"} == set(findings[0])
    assert [f["message"] for f in findings if f["subject"] == "versions"] == found("versions", "ok")


@pytest.mark.parametrize("eaten", ["C:tori_state", "d:state"])
def test_a_backslash_that_the_shell_took_is_noticed(eaten: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORI_STATE_ROOT", eaten)
    assert main(["doctor"]) == 1
    assert any("took the backslash" in message for message in found("state root", "problem"))


@pytest.mark.parametrize("sound", ["C:\\tori_state", "C:/tori_state", "/srv/tori", "tori_state", ""])
def test_other_paths_are_left_alone(sound: str) -> None:
    assert doctor.lost_backslash(sound) == ""


def test_a_state_root_that_is_a_file_is_a_problem(state_root: Path) -> None:
    state_root.write_text("a file")
    assert found("state root", "problem") == [f"{state_root} is not a directory"]


def test_a_broken_capsule_is_a_problem_not_a_crash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TORI_STATE_ROOT")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "capsule.yml").write_text("state_path: [")
    assert any("not readable as YAML" in message for message in found("state root", "problem"))


def test_the_capsule_is_named_as_the_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TORI_STATE_ROOT")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "capsule.yml").write_text("state_path: here")
    assert f"comes from {tmp_path / 'capsule.yml'}" in found("state root", "ok")


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/home/with space/project", "nfs4"),
        ("/home/with space/fast/project", "tmpfs"),
        ("/home/with spaces", "overlay"),
        ("/srv", "overlay"),
    ],
)
def test_the_file_system_is_that_of_the_innermost_mount(folder: str, kind: str) -> None:
    assert doctor.file_system(Path(folder), MOUNTS) == kind


def test_a_network_disk_gets_a_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state_root: Path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(f"nas:/x {tmp_path} nfs4 rw 0 0\n")
    monkeypatch.setattr(doctor, "MOUNTS", mounts)
    assert any("locks cannot be relied on" in message for message in found("disk", "note"))


def test_a_missing_package_is_a_problem_with_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "NEEDED", ("numpy", "no-such-package"))
    (finding,) = (f for f in doctor.run_checks() if f.level == "problem")
    assert finding.message == "missing: no-such-package"
    assert doctor.line(finding).endswith("-> pip install --upgrade toriwork")


def packages(texts: list[str]) -> set[str]:
    """The names of some requirements, without the extras that an extra names."""
    return {item.name for item in map(Requirement, texts) if item.name != PROJECT["name"]}


def test_it_looks_for_every_package_that_an_install_brings() -> None:
    everywhere = [text for text in PROJECT["dependencies"] if ";" not in text]
    assert set(doctor.NEEDED) == packages(everywhere)


def test_it_looks_for_every_package_of_the_extras_of_users() -> None:
    extras = PROJECT["optional-dependencies"]
    assert {extra: set(names) for extra, (names, _) in doctor.OPTIONAL.items()} == {
        extra: packages(texts) for extra, texts in extras.items() if extra not in ("docs", "bench", "dev")
    }


def test_absent_packages_of_an_extra_are_one_note(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "OPTIONAL", {"cluster": (("no-such-package", "click", "nor-this"), "buckets")})
    (finding,) = (f for f in doctor.run_checks() if f.level == "note" and f.subject == "packages")
    assert finding.message == "not installed: no-such-package, nor-this"
    assert finding.remedy == "pip install 'toriwork[cluster]' for buckets"
