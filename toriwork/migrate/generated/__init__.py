"""The files that keep databases out: capsule.yml, tox.ini, .pre-commit-config.yaml; merged, never written over."""

from toriwork.migrate.generated.files import generated_files, generated_manual

__all__ = ["generated_files", "generated_manual"]
