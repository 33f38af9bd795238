"""gudhi, ripser and redzed are imported when one of them is asked for, and not before."""

from __future__ import annotations

import subprocess
import sys

import pytest

LIBRARIES = ("gudhi", "ripser", "redzed_tda", "sklearn", "pandas", "matplotlib", "pyarrow")


def loaded_by(statement: str) -> set[str]:
    code = f"import sys\nimport numpy as np\n{statement}\nprint(*(n for n in {LIBRARIES} if n in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


FROM = "from toriwork.topology import"


@pytest.mark.parametrize(
    ("statement", "engines"),
    [
        pytest.param("import toriwork.topology", set(), id="the import"),
        pytest.param(f"{FROM} available_engines; available_engines()", set(), id="the list of engines"),
        pytest.param(f"{FROM} persistence; persistence(np.eye(3), engine='simple')", set(), id="the fallback"),
        pytest.param(f"{FROM} persistence; persistence(np.eye(3), filtration='h0')", set(), id="the spanning tree"),
        pytest.param(f"{FROM} estimate_betti; estimate_betti(np.eye(3), engine='simple')", set(), id="an estimate"),
        pytest.param(f"{FROM} persistence; persistence(np.eye(3), engine='gudhi')", {"gudhi"}, id="gudhi"),
        pytest.param(f"{FROM} persistence; persistence(np.eye(3), filtration='alpha')", {"gudhi"}, id="alpha"),
        pytest.param(f"{FROM} persistence; persistence(np.eye(3), engine='ripser')", {"ripser"}, id="ripser"),
        pytest.param(f"{FROM} persistence; persistence(np.eye(3), engine='redzed')", {"redzed_tda"}, id="redzed"),
    ],
)
def test_an_engine_is_loaded_when_it_is_asked_for(statement: str, engines: set[str]) -> None:
    loaded = loaded_by(statement)
    assert loaded & {"gudhi", "ripser", "redzed_tda"} == engines
    if engines <= {"redzed_tda"}:
        assert not loaded - engines
