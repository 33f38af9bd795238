from __future__ import annotations

from tests.migrate.fixtures import build
from tests.migrate.fixtures.pickle_backend import pickle_backend
from tests.migrate.recipes.code import STORE
from toriwork.migrate.recipes import World


def test_it_is_known_which_class_opens_a_file(tmp_path):
    build(tmp_path, {"store.py": STORE, "spectral.db": "", "data.bin": ""})
    world = World.look(pickle_backend(tmp_path))
    assert world.openers("spectra.pkl") == ("memory.py",)
    assert world.file_stream("spectral.db") == "spectral_db"
    assert world.file_stream("elsewhere/data.bin") == "spectral_db:data.bin"


def test_what_is_no_part_of_the_code_base_is_passed_over(tmp_path):
    build(tmp_path, dict.fromkeys((".git/a.py", "backup_pre_nodb/b.py", "env/pyvenv.cfg", "env/c.py"), STORE))
    (tmp_path / "loop").symlink_to(tmp_path)
    build(tmp_path, {"odd.py": "print 'two'", "kept.py": ""})
    world = World.look(tmp_path)
    assert world.files == ("kept.py", "odd.py")
    assert world.spectral == ()


def test_two_classes_of_one_name_have_streams_of_their_own(tmp_path):
    build(tmp_path, {"a/x.py": STORE, "b/x.py": STORE})
    assert [found.stream for found in World.look(tmp_path).spectral] == ["spectral_db", "b.x.spectral_db"]
