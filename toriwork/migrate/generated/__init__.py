"""The files that keep databases out: capsule.yml, tox.ini, .pre-commit-config.yaml; never written over."""
