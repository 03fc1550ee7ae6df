"""What every test would do again at great cost, done once in each process: nothing that a test looks at changes.

Hashing that resists years of guessing; reading the data files and the words; compiling templates, SQL and routes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType
from typing import Any

import pytest
from argon2 import PasswordHasher
from flask import Flask
from jinja2.bccache import Bucket, BytecodeCache
from sqlalchemy import Dialect, Engine, event
from werkzeug.routing import Rule

import app
from pro import db, i18n
from pro.catalogue import Catalogue
from pro.config import Config
from pro.features.accounts import passwords
from pro.i18n import Catalogs


class CompiledTemplates(BytecodeCache):
    """Templates that an application of this process has compiled, by place and content, for the next application."""

    def __init__(self) -> None:
        """Nothing is compiled yet."""
        self.known: dict[tuple[str, str], CodeType] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Take what is known."""
        bucket.code = self.known.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep what was compiled."""
        assert bucket.code is not None
        self.known[bucket.key, bucket.checksum] = bucket.code


class SharedStatements:
    """Engines that share their dialect and the SQL that was compiled for it; connections are each one's own."""

    def __init__(self, make: Callable[[str], Engine]) -> None:
        """``make``: makes an engine on its own."""
        self.make = make
        self.dialects: dict[str, Dialect] = {}
        self.compiled: dict[Any, Any] = {}

    def make_engine(self, url: str) -> Engine:
        """An engine as ``db.make_engine`` makes it, with the first dialect of its kind that has met a server."""
        engine = self.make(url)
        engine.update_execution_options(compiled_cache=self.compiled)
        name = engine.dialect.name
        if name in self.dialects:
            engine.dialect = self.dialects[name]
        else:
            event.listen(engine, "connect", lambda *_: self.dialects.setdefault(name, engine.dialect))
        return engine


class CompiledRoutes:
    """Functions that build addresses, by rule."""

    def __init__(self, compile_builder: Callable[[Rule, bool], Any]) -> None:
        """``compile_builder``: Werkzeug's, slow because it writes a program for each rule."""
        self.compile_builder = compile_builder
        self.known: dict[tuple[object, ...], Any] = {}

    def of(self, rule: Rule, append_unknown: bool = True) -> Any:
        """The function for ``rule``; the rule itself is given to it with every call."""
        key = (rule.rule, rule.subdomain, rule.host, rule.merge_slashes, str(rule.defaults), append_unknown)
        if key not in self.known:
            self.known[key] = self.compile_builder(rule, append_unknown)
        return self.known[key]


@contextmanager
def speed_up(catalogue: Catalogue, catalogs: Catalogs, root: Path) -> Iterator[None]:
    """Everything above; ``catalogue`` and ``catalogs`` are those of ``root``."""
    read_data, read_words = app.read_data, i18n.read_catalogs
    routes = CompiledRoutes(Rule._compile_builder)

    def data_once(config: Config) -> Catalogue:
        own = config.plans_dir or config.days_file or config.gateway_file
        return read_data(config) if own else catalogue

    def words_once(folder: Path) -> Catalogs:
        return catalogs if folder == root / "translations" else read_words(folder)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "_HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        patch.setattr(app, "read_data", data_once)
        patch.setattr(i18n, "read_catalogs", words_once)
        patch.setattr(Flask, "jinja_options", {"bytecode_cache": CompiledTemplates()})
        patch.setattr(db, "make_engine", SharedStatements(db.make_engine).make_engine)
        patch.setattr(Rule, "_compile_builder", lambda rule, append_unknown=True: routes.of(rule, append_unknown))
        yield
