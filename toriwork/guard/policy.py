"""The policy of one project: the table of drivers, what the project bans besides, what it permits."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

from toriwork.guard.drivers import FAMILIES, IMAGES, NO_PACKAGES, PLAIN_WORDS

#: the name in a path or an address: ./redis-5.0-py3-none-any.whl, git+https://.../redis.git@main
_LOCATED = re.compile(r"^(?=[^;#\s]*/)[^;#\s]*/([A-Za-z][\w.]*?)(?:-\d[^/\s]*|\.git|\.zip|\.tar\.gz)(?:[@#;\s]|\Z)")
_REQUIREMENT = re.compile(r"([A-Za-z0-9][\w.-]*)\s*(?:\[([^\]]*)\])?\s*(?:[<>=!~;@,(\s].*)?\Z", re.DOTALL)


@dataclass(frozen=True)
class Policy:
    """The families, what a project adds to them (``ban``) and takes out of them (``permit``)."""

    ban: frozenset[str] = field(default_factory=frozenset)  #: further modules
    permit: frozenset[str] = field(default_factory=frozenset)  #: modules, programs, packages, schemes

    @cached_property
    def modules(self) -> dict[str, str]:
        """Banned module -> its family."""
        found = {name: family for family, kind in FAMILIES.items() for name in kind.modules.split()}
        found |= dict.fromkeys(self.ban, "banned by this project")
        return {name: family for name, family in found.items() if name not in self.permit}

    @cached_property
    def tops(self) -> frozenset[str]:
        """First parts of the banned modules."""
        return frozenset(name.split(".")[0] for name in self.modules)

    @cached_property
    def telling(self) -> frozenset[str]:
        """Banned modules whose name means nothing else."""
        return frozenset(self.modules) - PLAIN_WORDS

    @cached_property
    def telling_words(self) -> frozenset[str]:
        """Words, one of which every use of a telling module holds; ``sqlite`` is one outside of imports only."""
        return frozenset(name for name in self.telling if "." not in name) | {"postgresql", "postgres"}

    @cached_property
    def plain_words(self) -> frozenset[str]:
        """Modules whose name means something else as well."""
        return frozenset(name for name in self.modules if "." not in name) - self.telling_words

    @cached_property
    def paths(self) -> tuple[frozenset[str], ...]:
        """The words of each module inside a package of other things."""
        return tuple(frozenset(name.split(".")) for name in self.modules if "." in name)

    @cached_property
    def packages(self) -> frozenset[str]:
        """Distributions, normalized."""
        named = [*self._words("packages"), *(self.modules.keys() - NO_PACKAGES)]
        return frozenset(normalized(name) for name in named) - {normalized(name) for name in self.permit}

    @cached_property
    def programs(self) -> frozenset[str]:
        """Names of programs."""
        return frozenset(self._words("programs")) - self.permit

    @cached_property
    def schemes(self) -> frozenset[str]:
        """First words of addresses."""
        return frozenset(self._words("schemes")) - self.permit

    def driver(self, requirement: str) -> str:
        """Return the part of a requirement such as ``celery[redis]>=5`` that brings a database, or ""."""
        located = _LOCATED.search(requirement)
        matched = _REQUIREMENT.match(located[1] if located else requirement.strip())
        if matched is None:
            return ""
        name = normalized(matched[1])
        if name in self.packages:
            return name
        extras = [normalized(extra) for extra in re.split(r"[\s,]+", matched[2] or "") if extra]
        brings = (self.packages | self.schemes) - {"access", "bolt", *self.permit}
        return next((f"{name}[{extra}]" for extra in extras if extra in brings), "")

    @cached_property
    def images(self) -> frozenset[str]:
        """Last parts of the names of container images."""
        return (self.schemes | self.programs | IMAGES) - {"access", "bolt", "sqlite", "isql"} - self.permit

    def image(self, reference: str) -> str:
        """The database that ``registry/postgres:16@sha256:...`` names, or ""."""
        name = re.split(r"[:@]", reference.strip("\"'").rsplit("/", 1)[-1])[0].lower()
        return name if name in self.images else ""

    @cached_property
    def address(self) -> re.Pattern[str]:
        """Pattern of a whole text that is the address of a database; group 1 is the scheme."""
        return re.compile(
            rf"\s*(?:jdbc:|\w+\+)?({_any(self.schemes)})(?:\+\w+)*:(?://|(?<=sqlite:))\S*\s*\Z", re.IGNORECASE
        )

    @cached_property
    def backend(self) -> re.Pattern[str]:
        """Pattern of the dotted name of a backend that settings name; group 1 is the database."""
        named = _any(self.schemes | self.programs | self.tops)
        begin = r"django\.(?:db|core\.cache)\.backends|django\.contrib\.gis\.db\.backends|dogpile\.cache"
        return re.compile(rf"(?:{begin})\.({named}|db)(?:\.\w+)*\Z|(?P<own>django_redis|diskcache)\.[\w.]+\Z")

    def banned(self, dotted: str) -> str:
        """The banned module that a dotted name is or lies in; "" when it is none."""
        if dotted.split(".", 1)[0] not in self.tops:
            return ""
        parts = dotted.split(".")
        return next((name for k in range(len(parts)) if (name := ".".join(parts[: k + 1])) in self.modules), "")

    def _words(self, kind: str) -> Iterable[str]:
        return [word for family in FAMILIES.values() for word in getattr(family, kind).split()]


def normalized(package: str) -> str:
    """A distribution's name as the index compares it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", package).lower()


def _any(words: Iterable[str]) -> str:
    return "|".join(sorted(map(re.escape, words), key=len, reverse=True)) or r"(?!)"
