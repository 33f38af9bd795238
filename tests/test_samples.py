"""The samples are what the index says, can be made again byte for byte, and have the topology that is claimed."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toriwork import samples
from toriwork.errors import BadInput, DamagedFile, NotFound
from toriwork.samples import delay_embedding, load_sample, sample, sample_index, sample_names

FOLDER = Path(samples.__file__).parent.parent / "data_samples"


def betti_of_ink(pixels: np.ndarray) -> tuple[int, int]:
    """Components of the ink (sides and corners join) and of what is not ink, less the outside (sides join)."""
    from scipy.ndimage import label

    ink = np.zeros((10, 10), dtype=bool)
    ink[pixels[:, 1] + 1, pixels[:, 0] + 1] = True
    return label(ink, np.ones((3, 3)))[1], label(~ink)[1] - 1


def test_the_index_names_real_data_and_known_shapes() -> None:
    names = sample_names()
    assert names[0] == "sunspots_yearly"
    assert {"digit_0", "digit_1", "digit_6", "digit_8", "circle", "two_circles", "torus", "disc"} <= set(names)
    assert len(names) == len(set(names)) == len(sample_index())


@pytest.mark.parametrize("entry", sample_index(), ids=lambda entry: entry.name)
def test_a_sample_has_the_shape_dtype_and_facts_of_its_entry(entry: samples.Sample) -> None:
    rows = load_sample(entry.name)
    assert rows.shape == entry.shape
    assert rows.dtype == entry.dtype
    assert np.isfinite(rows).all()
    assert entry.origin
    assert entry.licence
    assert entry.description.endswith(".")
    assert entry.homology == "unknown" or all(number >= 0 for number in entry.homology)


def test_every_file_of_the_folder_is_in_the_index_and_small() -> None:
    listed = {entry.file for entry in sample_index()}
    assert {path.name for path in FOLDER.glob("*.csv")} == listed
    assert sum(path.stat().st_size for path in FOLDER.iterdir() if path.is_file()) < 200_000


def test_the_script_makes_the_same_bytes_again(tmp_path: Path) -> None:
    subprocess.run([sys.executable, str(FOLDER / "make_samples.py"), "--to", str(tmp_path)], check=True)
    made = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert set(made) == {entry.file for entry in sample_index()} | {"index.json"}
    for name, content in made.items():
        assert content == (FOLDER / name).read_bytes(), name


def test_the_sunspots_are_those_of_statsmodels() -> None:
    from statsmodels.datasets import sunspots

    table = sunspots.load_pandas().data
    assert np.array_equal(load_sample("sunspots_yearly"), table[["YEAR", "SUNACTIVITY"]].to_numpy())


@pytest.mark.parametrize("numeral", [0, 1, 6, 8])
def test_a_digit_has_the_homology_of_its_ink(numeral: int) -> None:
    from sklearn.datasets import load_digits

    entry, points = sample(f"digit_{numeral}"), load_sample(f"digit_{numeral}")
    assert betti_of_ink(points) == entry.homology
    number = int(entry.origin.rsplit(" ", 1)[1])
    assert load_digits().target[number] == numeral


def test_a_spoiled_file_is_refused_by_name_and_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(FOLDER, tmp_path / "data_samples")
    spoiled = tmp_path / "data_samples" / "circle.csv"
    content = bytearray(spoiled.read_bytes())
    content[20] ^= 1
    spoiled.write_bytes(content)
    monkeypatch.setattr(samples, "FOLDERS", (tmp_path / "data_samples",))
    with pytest.raises(DamagedFile, match=r"circle\.csv: sha256 is .* restore data_samples/"):
        load_sample("circle")
    assert spoiled.read_bytes() == bytes(content)
    assert len(load_sample("disc")) == 150


def test_a_missing_file_a_broken_index_and_a_missing_folder_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "a"
    shutil.copytree(FOLDER, folder)
    (folder / "disc.csv").unlink()
    monkeypatch.setattr(samples, "FOLDERS", (folder,))
    with pytest.raises(DamagedFile, match=r"disc\.csv: not readable"):
        load_sample("disc")

    other = tmp_path / "b"
    other.mkdir()
    for broken in (
        "{",
        json.dumps({"format": 2, "samples": []}),
        json.dumps({"format": 1, "samples": [{"name": "x"}]}),
    ):
        (other / "index.json").write_text(broken)
        monkeypatch.setattr(samples, "FOLDERS", (other,))
        with pytest.raises(DamagedFile, match=r"index\.json"):
            sample_names()
    monkeypatch.setattr(samples, "FOLDERS", (tmp_path / "none", tmp_path / "nowhere"))
    with pytest.raises(NotFound, match="found neither in"):
        sample_names()


def test_an_unknown_name_lists_those_that_exist() -> None:
    with pytest.raises(NotFound, match=r"'klein': not in the index; known are sunspots_yearly, digit_0"):
        load_sample("klein")


def test_the_index_gives_the_sha256_that_any_tool_computes() -> None:
    for entry in sample_index():
        assert hashlib.sha256((FOLDER / entry.file).read_bytes()).hexdigest() == entry.sha256


def test_a_caller_may_change_what_was_loaded() -> None:
    load_sample("circle")[:] = 0.0
    assert load_sample("circle").any()


def test_a_delay_embedding_lists_the_windows_of_the_series() -> None:
    assert delay_embedding([1, 2, 3, 4, 5], dimension=3, delay=1).tolist() == [[1, 2, 3], [2, 3, 4], [3, 4, 5]]
    assert delay_embedding([1, 2, 3, 4, 5], dimension=2, delay=3).tolist() == [[1, 4], [2, 5]]


@given(st.integers(1, 40), st.integers(1, 5), st.integers(1, 5))
def test_every_entry_of_a_delay_embedding_is_the_sample_it_should_be(n: int, dimension: int, delay: int) -> None:
    series = np.arange(float(n))
    if (dimension - 1) * delay >= n:
        with pytest.raises(BadInput, match="fewer than a window"):
            delay_embedding(series, dimension, delay)
        return
    cloud = delay_embedding(series, dimension, delay)
    assert cloud.shape == (n - (dimension - 1) * delay, dimension)
    for i, row in enumerate(cloud):
        assert row.tolist() == [float(i + j * delay) for j in range(dimension)]


@pytest.mark.parametrize(
    ("series", "dimension", "delay", "words"),
    [
        pytest.param([[1.0, 2.0]], 2, 1, "shape", id="a-table"),
        pytest.param([1.0, float("nan"), 2.0], 2, 1, "sample 1 is not finite", id="a-gap"),
        pytest.param(["a", "b"], 2, 1, "real numbers", id="text"),
        pytest.param([1j, 2j], 1, 1, "real numbers", id="complex"),
        pytest.param([1.0, 2.0], 0, 1, "at least 1", id="no-coordinate"),
        pytest.param([1.0, 2.0], 2, 0, "at least 1", id="no-delay"),
    ],
)
def test_a_series_that_cannot_be_embedded_is_refused(series: object, dimension: int, delay: int, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        delay_embedding(series, dimension, delay)  # type: ignore[arg-type] - that is what is tested


def test_the_page_about_samples_names_each_with_its_homology() -> None:
    page = (FOLDER.parent / "docs" / "data_samples.md").read_text(encoding="utf-8")
    for entry in sample_index():
        homology = entry.homology if isinstance(entry.homology, str) else ", ".join(map(str, entry.homology))
        (line,) = (line for line in page.splitlines() if line.startswith(f"| `{entry.name}` |"))
        assert line.split("|")[2].split()[0] == str(entry.shape[0])
        assert line.split("|")[3].strip() == homology


def test_normalized_windows_have_no_level_and_length_one() -> None:
    series = np.sin(np.arange(40) / 3) * np.linspace(1, 9, 40) + 5
    windows = delay_embedding(series, 4, 2, normalize=True)
    np.testing.assert_allclose(windows.mean(axis=1), 0, atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(windows, axis=1), 1)
    np.testing.assert_allclose(delay_embedding(7 * series - 3, 4, 2, normalize=True), windows, atol=1e-12)
    raw = delay_embedding(series, 4, 2)
    assert all(np.corrcoef(a, b)[0, 1] > 1 - 1e-12 for a, b in zip(raw, windows, strict=True))


def test_a_constant_window_cannot_be_normalized() -> None:
    with pytest.raises(BadInput, match="from sample 2 on is constant"):
        delay_embedding([1, 2, 3.3, 3.3, 3.3, 4], 3, 1, normalize=True)
