"""The code recipes: each a file of its own, pure (a file's bytes in, its bytes out), never guessing."""

from toriwork.migrate.recipes.base import Edit, Manual, Rewritten, rewrite
from toriwork.migrate.recipes.deploy import core_modules
from toriwork.migrate.recipes.world import World

__all__ = ["Edit", "Manual", "Rewritten", "World", "core_modules", "rewrite"]
